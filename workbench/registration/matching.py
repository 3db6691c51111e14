"""Matching of small parts of two slides, and the choice of those that agree.

The test against the median of the neighbours is that of particle image velocimetry:
J. Westerweel, F. Scarano, "Universal outlier detection for PIV data", Experiments in
Fluids 39, 2005.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.registration.field import Field
    from workbench.registration.overview import Overview

PART_PX: Final = 48
"""Side of a part, in pixels of the overview."""

_STEP_PX: Final = 24
_LEAST_TISSUE: Final = 0.4
_LEAST_CONTRAST: Final = 0.02
_LEAST_CORRELATION: Final = 0.25
_NEIGHBOURS: Final = 8
_MOST_DEVIATION: Final = 3.0
_NOISE_PX: Final = 0.5
_STEADY_PX: Final = 2.0
_NODES: Final = 8
_BAND_PX: Final = 256


@dataclass(frozen=True, eq=False, slots=True)
class Matches:
    """Parts of the fixed slide that were found in the moving one."""

    fixed: NDArray[np.float64]
    """Centres in micrometres of the fixed slide, float64 (N, 2)."""

    moving: NDArray[np.float64]
    """The same in micrometres of the moving slide, float64 (N, 2)."""

    correlation: NDArray[np.float64]
    """Correlation of the two parts, 0 to 1, float64 (N,)."""

    tried: int
    """Number of parts with tissue that were looked for."""

    def take(self, which: NDArray[np.bool_]) -> Matches:
        """Return some of the matches."""
        parts = (self.fixed[which], self.moving[which], self.correlation[which])
        return Matches(*parts, self.tried)


def match(fixed: Overview, moving: Overview, field: Field, reach_px: int) -> Matches:
    """Look for each part of the fixed slide near the place that a map gives.

    Parameters
    ----------
    fixed, moving : Overview
    field : Field
        The map so far.
    reach_px : int
        Longest distance of a match from that place, in pixels of `fixed`.
    """
    warped, tissue = warp(fixed, moving, field)
    half = PART_PX // 2
    rows, columns = fixed.density.shape
    both = cv2.integral(np.minimum(fixed.tissue, tissue))
    fixed_density = np.ascontiguousarray(fixed.density)
    edge = half + reach_px
    centres, shifts, scores = [], [], []
    tried = 0
    for y in range(half, rows - half + 1, _STEP_PX):
        for x in range(half, columns - half + 1, _STEP_PX):
            x0, y0, x1, y1 = x - half, y - half, x + half, y + half
            covered = both[y1, x1] - both[y0, x1] - both[y1, x0] + both[y0, x0]
            if covered < _LEAST_TISSUE * PART_PX**2:
                continue
            part = fixed_density[y0:y1, x0:x1]
            if part.std() < _LEAST_CONTRAST:
                continue
            tried += 1
            if not (edge <= x <= columns - edge and edge <= y <= rows - edge):
                continue
            around = warped[y - edge : y + edge, x - edge : x + edge]
            found = _peak(cv2.matchTemplate(around, part, cv2.TM_CCOEFF_NORMED))
            if found is None:
                continue
            score, dx, dy = found
            centres.append((x, y))
            shifts.append((dx - reach_px, dy - reach_px))
            scores.append(score)
    places = np.array(centres, np.float64).reshape(-1, 2) * fixed.mpp
    moved = places + np.array(shifts, np.float64).reshape(-1, 2) * fixed.mpp
    return Matches(places, field(moved), np.array(scores, np.float64), tried)


def _peak(scores: NDArray[np.float32]) -> tuple[float, float, float] | None:
    """Return the highest value and its place to a fraction; None at the border."""
    _, score, _, (x, y) = cv2.minMaxLoc(scores)
    rows, columns = scores.shape
    if score < _LEAST_CORRELATION or not (0 < x < columns - 1 and 0 < y < rows - 1):
        return None
    dx = _vertex(*scores[y, x - 1 : x + 2].tolist())
    dy = _vertex(*scores[y - 1 : y + 2, x].tolist())
    return float(score), x + dx, y + dy


def _vertex(before: float, middle: float, after: float) -> float:
    """Return where the parabola through three values is highest, -0.5 to 0.5."""
    curvature = before - 2 * middle + after
    return 0.0 if curvature >= 0 else 0.5 * (before - after) / curvature


def warp(
    fixed: Overview, moving: Overview, field: Field
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return density and tissue of the moving slide on the raster of the fixed one."""
    rows, columns = fixed.density.shape
    y, x = (np.arange(0, n + _NODES, _NODES) for n in (rows, columns))
    grid = np.stack(np.meshgrid(x, y), axis=-1).astype(np.float64)
    coarse = field((grid + 0.5) * fixed.mpp) / moving.mpp - 0.5
    density, tissue = np.empty((2, rows, columns), np.float32)
    for top in range(0, rows, _BAND_PX):
        band = np.s_[top : min(rows, top + _BAND_PX)]
        # Between nodes of 8 px the map is linear to a hundredth of a pixel.
        places = _between(
            _between(coarse, np.arange(rows)[band], x=False), np.arange(columns)
        )
        maps = (
            np.ascontiguousarray(places[..., 0]),
            np.ascontiguousarray(places[..., 1]),
        )
        density[band] = cv2.remap(moving.density, *maps, cv2.INTER_LINEAR)
        tissue[band] = cv2.remap(moving.tissue, *maps, cv2.INTER_LINEAR)
    return density, tissue


def _between(
    nodes: NDArray[np.floating[Any]], places: NDArray[np.int64], *, x: bool = True
) -> NDArray[np.float32]:
    """Return a raster of nodes at whole pixels along one axis."""
    before = np.minimum(places // _NODES, nodes.shape[int(x)] - 2)
    share = (places / _NODES - before).astype(np.float32)
    share = share[None, :, None] if x else share[:, None, None]
    low = np.take(nodes, before, axis=int(x)).astype(np.float32)
    high = np.take(nodes, before + 1, axis=int(x)).astype(np.float32)
    return np.asarray(low + (high - low) * share)


def agreeing(matches: Matches, field: Field, mpp: float) -> Matches:
    """Return the matches whose shift agrees with those of their neighbours.

    Parameters
    ----------
    matches : Matches
    field : Field
        The map from which the shifts are counted.
    mpp : float
        Micrometres per pixel at which they were found.
    """
    if len(matches.fixed) <= _NEIGHBOURS:
        return matches.take(np.zeros(len(matches.fixed), bool))
    shifts = matches.moving - field(matches.fixed)
    _, found = cKDTree(matches.fixed).query(matches.fixed, _NEIGHBOURS + 1)
    around = shifts[np.asarray(found)[:, 1:]]
    middle = np.median(around, axis=1)
    spread = np.median(np.abs(around - middle[:, None]), axis=1)
    deviation = np.abs(shifts - middle) / (spread + _NOISE_PX * mpp)
    # Random shifts have a wide spread themselves, and so agree with nothing.
    steady = np.asarray((spread < _STEADY_PX * mpp).all(axis=1))
    agree = np.asarray((deviation < _MOST_DEVIATION).all(axis=1))
    return matches.take(agree & steady)
