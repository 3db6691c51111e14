"""The elastic part: parts are matched from coarse to fine, and a thin plate fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import cKDTree

from workbench.registration.field import Field, interpolated, smoothest
from workbench.registration.matching import Matches, agreeing, match

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.registration.overview import Overview

SPACING_UM: Final = 128.0
"""Distance of the nodes of the displacements."""

_STIFFNESS: Final = 0.5
_FIRST_REACH: Final = 24
_REACH: Final = 8
_NEAR_UM: Final = 400.0
_PER_UM: Final = 0.05
"""Growth of the error with the distance from the nearest match, beyond `_NEAR_UM`."""


@dataclass(frozen=True, eq=False, slots=True)
class Elastic:
    """The map with what it rests on."""

    field: Field
    matches: Matches
    """Matches of the finest resolution that agree with their neighbours."""

    error_um: NDArray[np.float64]
    """Expected error at the nodes of the field, float64 (rows, columns)."""


def elastic_of(
    pairs: list[tuple[Overview, Overview]], affine: NDArray[np.float64]
) -> Elastic:
    """Return the elastic map between two slides.

    Parameters
    ----------
    pairs : list of (fixed, moving)
        The slides at several resolutions, coarse to fine.
    affine : float64 (2, 3)
        The map to start from.
    """
    first, _ = pairs[0]
    rows, columns = first.density.shape
    size_um = columns * first.mpp, rows * first.mpp
    field = Field.flat(affine, size_um, SPACING_UM)
    for level, (fixed, moving) in enumerate(pairs):
        last = level == len(pairs) - 1
        for again in range(2):
            reach = _FIRST_REACH if level == again == 0 else _REACH
            found = match(fixed, moving, field, reach)
            kept = agreeing(found, field, fixed.mpp)
            if len(kept.fixed) < 3:  # noqa: PLR2004 - an affine map
                break
            field = _fitted(field, kept)
            if not last and again == 0 and level > 0:
                break
    return Elastic(field, kept, _errors(field, kept))


def _fitted(field: Field, matches: Matches) -> Field:
    """Return the smooth map that is near the matches."""
    linear = matches.fixed @ field.affine[:, :2].T + field.affine[:, 2]
    shifts = smoothest(
        field.shifts.shape[:2],
        matches.fixed / field.spacing,
        matches.moving - linear,
        matches.correlation**2,
        _STIFFNESS,
    )
    return replace(field, shifts=shifts)


def _errors(field: Field, matches: Matches) -> NDArray[np.float64]:
    """Return the expected error at each node.

    Each half of the matches is left out once: how far the rest misses it, as a smooth
    function of the place. The error grows where no match is near.
    """
    rows, columns, _ = field.shifts.shape
    if len(matches.fixed) < 16:  # noqa: PLR2004 - two halves that can be fitted
        return np.full((rows, columns), np.inf)
    missed = np.empty(len(matches.fixed))
    cell = np.floor(matches.fixed / field.spacing).astype(int).sum(axis=1) % 2
    for half in (0, 1):
        rest = _fitted(field, matches.take(cell != half))
        out = cell == half
        missed[out] = np.linalg.norm(
            matches.moving[out] - rest(matches.fixed[out]), axis=1
        )
    smooth = smoothest(
        (rows, columns),
        matches.fixed / field.spacing,
        missed[:, None],
        np.ones(len(missed)),
        10 * _STIFFNESS,
    )[..., 0]
    found, _ = cKDTree(matches.fixed).query(field.nodes.reshape(-1, 2))
    near = np.asarray(found).reshape(rows, columns)
    beyond = np.maximum(near - _NEAR_UM, 0) * _PER_UM
    least = float(np.median(missed)) / 2
    return np.clip(smooth, least, missed.max()) + beyond


def error_at(
    error_um: NDArray[np.float64], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the error at places (..., 2) in nodes."""
    return interpolated(error_um[..., None], places, order=1)[..., 0]
