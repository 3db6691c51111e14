"""Resolution of duplicate and partial instances at tile borders; see `claims`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from workbench.instances.instances import Instances
from workbench.instances.stitching.claims import ClaimKind, Claims
from workbench.instances.stitching.overlaps import outlined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.tiling.grid import Grid

_SAME: Final = 0.5
"""Minimum overlap of two claims on the same instance, as a share of the smaller one
within the area that both tiles see."""

_RIGHT: Final = np.array([1, 1, 2, 0])
"""Priority of claims to shared area, by `ClaimKind`; the lowest wins."""


@dataclass(frozen=True, slots=True)
class SeamReport:
    """Counts of resolved claims at tile borders."""

    merged: int = 0
    """Instances merged from the parts of several tiles."""

    repeated: int = 0
    """Duplicates, owned by two tiles, of which one was dropped."""

    rescued: int = 0
    """Instances found only by a tile beside the one with their anchor."""

    trimmed: int = 0
    """Instances that lost the area shared with one of another tile."""


def resolve_claims(
    claims: Claims,
    grid: Grid,
    tiles: NDArray[np.int64],
    mpp: float,
    *,
    layered: bool = False,
) -> tuple[Instances, SeamReport]:
    """Return each instance claimed at tile borders once, and whole.

    Parameters
    ----------
    claims : Claims
        All claims that are not `ClaimKind.OWN`, in any order.
    grid : Grid
    tiles : int64 (M,)
        Tiles of the run; instances that belong to others are not rescued.
    mpp : float
        Micrometres per level-0 pixel.
    layered : bool
        Claims of different classes are never on the same instance.

    Returns
    -------
    (Instances, SeamReport)
        The same for the same claims in any order; instances are in descending
        priority.
    """
    if not len(claims):
        return claims.instances, SeamReport()
    claims = claims.take(np.lexsort((*claims.instances.boxes.T, claims.tiles)))
    shapes = shapely.make_valid(claims.instances.polygons)
    pairs = _matching_pairs(claims, shapes, grid)
    if layered:
        classes = claims.instances.classes[pairs]
        pairs = pairs[classes[:, 0] == classes[:, 1]]
    large = claims.kinds == ClaimKind.LARGE
    groups = _groups(len(claims), pairs[large[pairs].all(axis=1)])
    parts = [members for members in groups if len(members) > 1]
    whole = [_merge_parts(claims.instances, shapes, members, mpp) for members in parts]
    kept, report = _select_claims(claims, pairs, _anchored_in_run(shapes, grid, tiles))
    kept[[i for members in parts for i in members]] = False
    rank = np.flatnonzero(kept)
    scores = claims.instances.scores[rank]
    rank = rank[np.lexsort((-scores, _RIGHT[claims.kinds[rank]]))]
    settled = Instances.concatenate([*whole, claims.instances.take(rank)])
    return settled, SeamReport(len(whole), *report)


def _matching_pairs(
    claims: Claims, shapes: NDArray[np.object_], grid: Grid
) -> NDArray[np.int64]:
    """Return pairs of claims of different tiles on the same instance: (K, 2)."""
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    ahead = (one < other) & (claims.tiles[one] != claims.tiles[other])
    one, other = one[ahead], other[ahead]
    seen = _shared_view(claims, one, other, grid)
    shared = shapely.area(shapely.intersection(shapes[one], shapes[other]))
    smaller = np.minimum(
        shapely.area(shapely.intersection(shapes[one], seen)),
        shapely.area(shapely.intersection(shapes[other], seen)),
    )
    same = (shared > 0) & (shared >= _SAME * smaller)
    return np.stack([one[same], other[same]], axis=1)


def _shared_view(
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
    """Return connected groups of claims, each in ascending order."""
    links = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(count, count))
    number, group = connected_components(links, directed=False)
    order = np.argsort(group, kind="stable")
    return np.split(order, np.searchsorted(group[order], np.arange(1, number)))


def _merge_parts(
    instances: Instances,
    shapes: NDArray[np.object_],
    members: NDArray[np.int64],
    mpp: float,
) -> Instances:
    """Merge parts into one instance.

    Its class is that of the largest part, its score the highest; its stains are the
    means of those of the parts, weighted by area.
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


def _select_claims(
    claims: Claims, pairs: NDArray[np.int64], in_run: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Return which claims are kept, and the numbers of duplicates and rescued ones.

    Large ones have priority, then those of owners, then those of neighbours; each
    excludes all other claims on the same instance.
    """
    rivals: dict[int, list[int]] = {}
    for one, other in pairs.tolist():
        rivals.setdefault(one, []).append(other)
        rivals.setdefault(other, []).append(one)
    kept = claims.kinds == ClaimKind.LARGE
    may = in_run | (claims.kinds == ClaimKind.NEAR)
    repeated = rescued = 0
    for kind in (ClaimKind.NEAR, ClaimKind.BEYOND):
        for i in np.flatnonzero((claims.kinds == kind) & may).tolist():
            kept[i] = not kept[rivals.get(i, [])].any()
            repeated += kind == ClaimKind.NEAR and not kept[i]
            rescued += kind == ClaimKind.BEYOND and bool(kept[i])
    return kept, (repeated, rescued)


def _anchored_in_run(
    shapes: NDArray[np.object_], grid: Grid, tiles: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which instances have their anchor in the core of a tile of the run."""
    anchors = np.asarray(shapely.get_coordinates(shapely.centroid(shapes)))
    columns, rows = np.floor(anchors / grid.step).astype(np.int64).T
    inside = (columns >= 0) & (columns < grid.columns) & (rows >= 0)
    there: NDArray[np.bool_] = inside & np.isin(rows * grid.columns + columns, tiles)
    return there
