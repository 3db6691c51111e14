"""Settling who has what where several tiles claim an object: see `seams.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from workbench.instances.instances import Instances
from workbench.instances.stitching.claims import Claims, Kind
from workbench.instances.stitching.overlaps import outlined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.tiling.grid import Grid

_SAME: Final = 0.5
"""Claims speak of the same object if they share this part of the smaller one, within
what both tiles see."""

_RIGHT: Final = np.array([1, 1, 2, 0])
"""To what objects share, by `Kind`: the lowest has the best."""


@dataclass(frozen=True, slots=True)
class SeamReport:
    """What became of claims at seams."""

    merged: int = 0
    """Objects that no tile held whole, put together from their parts."""

    repeated: int = 0
    """Objects that two tiles took for their own, and that were left out once."""

    rescued: int = 0
    """Objects that only a tile beside the one with their anchor found."""

    trimmed: int = 0
    """Objects that lost what they shared with one of another tile."""


def resolve_claims(
    claims: Claims,
    grid: Grid,
    tiles: NDArray[np.int64],
    mpp: float,
    *,
    layered: bool = False,
) -> tuple[Instances, SeamReport]:
    """Return each object that is claimed at the seams once, and whole.

    Parameters
    ----------
    claims : Claims
        All that are not `Kind.OWN`, in any order.
    grid : Grid
    tiles : int64 (M,)
        Tiles of the run; what belongs to others is not rescued.
    mpp : float
        Micrometres per level-0 pixel.
    layered : bool
        Claims of different classes never speak of the same object.

    Returns
    -------
    (Instances, SeamReport)
        The same for the same claims, whatever their order; those with the better right
        to what they share come first.
    """
    if not len(claims):
        return claims.instances, SeamReport()
    claims = claims.take(np.lexsort((*claims.instances.boxes.T, claims.tiles)))
    shapes = shapely.make_valid(claims.instances.polygons)
    pairs = _same(claims, shapes, grid)
    if layered:
        classes = claims.instances.classes[pairs]
        pairs = pairs[classes[:, 0] == classes[:, 1]]
    large = claims.kinds == Kind.LARGE
    groups = _groups(len(claims), pairs[large[pairs].all(axis=1)])
    parts = [members for members in groups if len(members) > 1]
    whole = [_united(claims.instances, shapes, members, mpp) for members in parts]
    kept, report = _awarded(claims, pairs, _asked(shapes, grid, tiles))
    kept[[i for members in parts for i in members]] = False
    rank = np.flatnonzero(kept)
    scores = claims.instances.scores[rank]
    rank = rank[np.lexsort((-scores, _RIGHT[claims.kinds[rank]]))]
    settled = Instances.concatenate([*whole, claims.instances.take(rank)])
    return settled, SeamReport(len(whole), *report)


def _same(claims: Claims, shapes: NDArray[np.object_], grid: Grid) -> NDArray[np.int64]:
    """Return which claims of different tiles speak of the same object: (K, 2)."""
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    ahead = (one < other) & (claims.tiles[one] != claims.tiles[other])
    one, other = one[ahead], other[ahead]
    seen = _seen_by_both(claims, one, other, grid)
    shared = shapely.area(shapely.intersection(shapes[one], shapes[other]))
    smaller = np.minimum(
        shapely.area(shapely.intersection(shapes[one], seen)),
        shapely.area(shapely.intersection(shapes[other], seen)),
    )
    same = (shared > 0) & (shared >= _SAME * smaller)
    return np.stack([one[same], other[same]], axis=1)


def _seen_by_both(
    claims: Claims, one: NDArray[np.int64], other: NDArray[np.int64], grid: Grid
) -> NDArray[np.object_]:
    """Return the overlap of the tiles of each pair of claims."""
    numbers, place = np.unique(claims.tiles, return_inverse=True)
    tiles = [grid.tile(number) for number in numbers.tolist()]
    boxes = np.array([(t.x0, t.y0, t.x1, t.y1) for t in tiles], float)[place]
    low = np.maximum(boxes[one, :2], boxes[other, :2])
    high = np.maximum(np.minimum(boxes[one, 2:], boxes[other, 2:]), low)
    return np.asarray(shapely.box(*low.T, *high.T))


def _groups(count: int, pairs: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the claims that hang together, each group in ascending order."""
    links = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(count, count))
    number, group = connected_components(links, directed=False)
    order = np.argsort(group, kind="stable")
    return np.split(order, np.searchsorted(group[order], np.arange(1, number)))


def _united(
    instances: Instances,
    shapes: NDArray[np.object_],
    members: NDArray[np.int64],
    mpp: float,
) -> Instances:
    """Return one object of several parts.

    Its class is that of the largest, its score that of the surest; its stains are the
    means of those of the parts, by their area.
    """
    areas = shapely.area(shapes[members])
    union = shapely.union_all(shapes[members])
    outer = max(shapely.get_parts(union), key=lambda part: float(part.area))
    parts = instances.take(members)
    largest = parts.take(areas.argmax(keepdims=True))
    measures = {
        name: np.average(column, weights=areas, keepdims=True).astype(np.float32)
        for name, column in parts.measures.items()
    }
    whole = replace(largest, scores=parts.scores.max(keepdims=True), measures=measures)
    return outlined(outer, whole, mpp)


def _awarded(
    claims: Claims, pairs: NDArray[np.int64], asked: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Return which claims hold, and how many were repeated and rescued.

    Large ones hold, then those of owners, then those of visitors; each against all
    that speak of the same object.
    """
    rivals: dict[int, list[int]] = {}
    for one, other in pairs.tolist():
        rivals.setdefault(one, []).append(other)
        rivals.setdefault(other, []).append(one)
    kept = claims.kinds == Kind.LARGE
    may = asked | (claims.kinds == Kind.NEAR)
    repeated = rescued = 0
    for kind in (Kind.NEAR, Kind.BEYOND):
        for i in np.flatnonzero((claims.kinds == kind) & may).tolist():
            kept[i] = not kept[rivals.get(i, [])].any()
            repeated += kind == Kind.NEAR and not kept[i]
            rescued += kind == Kind.BEYOND and bool(kept[i])
    return kept, (repeated, rescued)


def _asked(
    shapes: NDArray[np.object_], grid: Grid, tiles: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which objects have their anchor in the core of a tile of the run."""
    anchors = np.asarray(shapely.get_coordinates(shapely.centroid(shapes)))
    columns, rows = np.floor(anchors / grid.step).astype(np.int64).T
    inside = (columns >= 0) & (columns < grid.columns) & (rows >= 0)
    there: NDArray[np.bool_] = inside & np.isin(rows * grid.columns + columns, tiles)
    return there
