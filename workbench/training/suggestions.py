"""Tiles to label next: the least certain, and different from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.training.embedded import pooled_scale
from workbench.training.tile_labels import TileLabels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.training.embedded import EmbeddedSlide
    from workbench.training.probe import Probe

_CANDIDATES: Final = 20
"""Least certain tiles that are looked at, for each tile to suggest."""

_MOST: Final = 4_000
"""Most tiles among which different ones are looked for, where there is no probe."""


def suggest(
    slide: EmbeddedSlide,
    labels: TileLabels | None = None,
    probe: Probe | None = None,
    *,
    count: int = 9,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Return tiles to label next, the most useful first.

    Of the tiles between whose two likeliest classes the probe is least certain
    (Settles, "Active learning literature survey", 2009: margin sampling), those that
    are farthest from each other and from the labelled tiles in the space of vectors
    (Sener and Savarese, "Active learning for convolutional neural networks: a core-set
    approach", ICLR 2018). Without a probe only the second matters.

    Parameters
    ----------
    slide : EmbeddedSlide
    labels : TileLabels, optional
        Labelled tiles, which are not suggested.
    probe : Probe, optional
        The probe that is to become better.
    count : int
        Number of tiles.
    seed : int
        Seed of the sample that is looked at, if there is no probe.

    Returns
    -------
    int64 (count,)
        Rows of tiles; fewer, if fewer have a vector and no label.
    """
    known = (labels or TileLabels()).rows
    free = slide.finite.copy()
    free[known] = False
    rows = np.flatnonzero(free)
    if probe is not None:
        ordered = np.sort(probe.probabilities(slide)[rows], axis=1)
        margins = ordered[:, -1] - ordered[:, -2]
        rows = rows[np.argsort(margins, kind="stable")[: _CANDIDATES * count]]
    elif len(rows) > _MOST:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST, replace=False))
    if not len(rows):
        return rows
    mean, deviation = pooled_scale([slide])
    known = known[slide.finite[known]]
    places = (slide.vectors[np.concatenate([rows, known])] - mean) / deviation
    return rows[_farthest(places[: len(rows)], places[len(rows) :], count)]


def _farthest(
    places: NDArray[np.float64], taken: NDArray[np.float64], count: int
) -> NDArray[np.int64]:
    """Return places, each the farthest from those before it and those taken.

    Without any taken ones the first place, the least certain, begins.
    """
    distance = np.full(len(places), np.inf)
    for each in taken:
        distance = np.minimum(distance, ((places - each) ** 2).sum(axis=1))
    chosen: list[int] = []
    while len(chosen) < min(count, len(places)):
        chosen.append(int(distance.argmax()))
        step = ((places - places[chosen[-1]]) ** 2).sum(axis=1)
        distance = np.minimum(distance, step)
        distance[chosen[-1]] = -1
    return np.array(chosen, np.int64)
