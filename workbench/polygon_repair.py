"""Repair of self-crossing outlines into valid polygons, in bounded time.

A point is inside if a ray from it crosses the outline an odd number of times (even-odd
rule), as everywhere in the workbench. The lines are cut where they cross and are
polygonized; the faces inside are united. The time for cutting grows with the number of
crossings, which may be the square of the number of points; so crossings are counted
first, and an outline with too many is refused.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

MAX_CROSSINGS: Final = 10_000
"""Maximum crossings of one outline with itself; they take about a second."""

_POINTS_PER_CROSSING: Final = 20
"""A long, rough outline may cross itself once per this many points."""

_MAX_NEAR_PAIRS: Final = 50_000_000
"""Maximum pairs of edges with overlapping boxes; GEOS tests each for validity."""

_PAIRS_AT_ONCE: Final = 2_000_000
"""Pairs of edges, or of edges and points, held in memory at once."""

_MAX_PASSES: Final = 3
"""Maximum passes of cutting: rounding can make lines cross again."""

_MAX_PAIRS_PER_EDGE: Final = 20
"""Maximum pairs tested per edge, beyond the first block."""


class TangledError(ValueError):
    """An outline crosses itself too often to be repaired."""

    def __init__(self) -> None:
        super().__init__(
            f"its outline crosses itself more than {MAX_CROSSINGS:,} times"
        )


def refuse_tangled(geometry: BaseGeometry) -> None:
    """Refuse outlines for which even the test of validity could take minutes.

    Raises
    ------
    TangledError
        If the number of overlapping edge boxes, estimated from their sizes, is too
        large.
    """
    edges = _edges(geometry)
    if len(edges) ** 2 / 2 <= _MAX_NEAR_PAIRS:
        return
    extent = np.maximum(np.ptp(edges.reshape(-1, 2), axis=0), 1e-9)
    wide, high = np.minimum(np.abs(edges[:, 1] - edges[:, 0]) / extent, 1).T
    count = len(edges)
    # Two boxes overlap by chance in (w1 + w2)(h1 + h2) of the whole.
    near = count * (wide * high).sum() + wide.sum() * high.sum()
    if near > _MAX_NEAR_PAIRS:
        raise TangledError


def without_crossings(polygon: shapely.Polygon, grain: float) -> BaseGeometry:
    """Return the area of a polygon whose rings may cross themselves and each other.

    Parameters
    ----------
    polygon : Polygon
        Valid or not.
    grain : float
        Spacing of the raster to which coordinates are rounded.

    Returns
    -------
    Polygon or MultiPolygon
        Valid; empty if it encloses nothing.

    Raises
    ------
    TangledError
        If there are more than `MAX_CROSSINGS` crossings, and more than one in 20
        points.
    """
    edges = _edges(polygon)
    most = max(MAX_CROSSINGS, len(edges) // _POINTS_PER_CROSSING)
    if count_crossings(edges, most) > most:
        raise TangledError
    area = _round_to_grain(polygon, grain)
    for _ in range(_MAX_PASSES):
        area = _unite_faces_inside(area, grain)
        rounded = _round_to_grain(area, grain)
        if rounded.is_valid:
            return rounded
        area = rounded  # rounding has made lines meet
    valid: BaseGeometry = shapely.set_precision(area, grain)
    return valid


def _round_to_grain(geometry: BaseGeometry, grain: float) -> BaseGeometry:
    digits = max(0, round(-math.log10(grain)))
    rounded: BaseGeometry = shapely.transform(
        geometry, lambda points: np.round(points, digits) + 0.0
    )
    return rounded


def _unite_faces_inside(geometry: BaseGeometry, grain: float) -> BaseGeometry:
    """Return the union of the faces between the rings that are inside."""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    lines = shapely.linestrings(points, indices=ring)
    try:
        cut = shapely.node(shapely.multilinestrings(lines))
    except shapely.GEOSException:  # crossings closer than floating point resolves
        cut = shapely.union_all(lines, grid_size=grain)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(cut)))
    if not len(faces):
        return shapely.MultiPolygon()
    points = shapely.get_coordinates(shapely.point_on_surface(faces))
    inside = _mask_inside(points, _edges(geometry))
    if inside.sum() == 1:
        only: BaseGeometry = faces[inside][0]
        return only
    whole: BaseGeometry = shapely.coverage_union_all(faces[inside])
    return whole


def count_crossings(edges: NDArray[np.float64], most: int) -> int:
    """Count the crossings of edges; the count is not exact beyond `most`.

    Parameters
    ----------
    edges : float64 (N, 2, 2)
        Start and end of each edge, x and y.
    most : int
        Count at which to stop. If there are at most this many pairs of edges, the
        number of pairs is returned.
    """
    pairs = len(edges) * (len(edges) - 1) // 2
    if pairs <= most:
        return pairs
    lines = shapely.linestrings(edges)
    tree = shapely.STRtree(lines)
    crossings, tested, start = 0, 0, 0
    size = max(1, _PAIRS_AT_ONCE // len(edges))
    while start < len(edges) and crossings <= most:
        one, other = tree.query(lines[start : start + size])
        one = one + start
        after = other > one + 1  # neighbours meet, but do not cross
        one, other = one[after], other[after]
        crossings += int(shapely.crosses(lines[one], lines[other]).sum())
        start += size
        tested += len(one)
        if tested > _MAX_PAIRS_PER_EDGE * len(edges) + _PAIRS_AT_ONCE:
            return most + 1
        size = max(1, round(_PAIRS_AT_ONCE * start / (len(edges) + tested)))
    return crossings


def _edges(geometry: BaseGeometry) -> NDArray[np.float64]:
    """Return the edges of all rings, without those of length 0: (N, 2, 2)."""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    edges = np.stack([points[:-1], points[1:]], axis=1)[ring[1:] == ring[:-1]]
    long: NDArray[np.float64] = edges[(edges[:, 0] != edges[:, 1]).any(axis=1)]
    return long


def _mask_inside(
    points: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which points are inside by the even-odd rule, with rays to the right."""
    down = (edges[:, 0, 1] <= edges[:, 1, 1])[:, None]
    upper = np.where(down, edges[:, 0], edges[:, 1])
    lower = np.where(down, edges[:, 1], edges[:, 0])
    sloped = upper[:, 1] < lower[:, 1]
    upper, lower = upper[sloped], lower[sloped]
    tree = shapely.STRtree(shapely.linestrings(np.stack([upper, lower], axis=1)))
    ends = np.stack([np.full(len(points), edges[..., 0].max() + 1), points[:, 1]], 1)
    rays = shapely.linestrings(np.stack([points, ends], axis=1))
    inside = np.zeros(len(points), bool)
    size = max(1, _PAIRS_AT_ONCE // max(1, len(upper)))
    for start in range(0, len(points), size):
        point, edge = tree.query(rays[start : start + size])
        (x, y), (x0, y0) = points[start + point].T, upper[edge].T
        x1, y1 = lower[edge].T
        across = (y0 <= y) & (y < y1) & (x0 + (y - y0) * (x1 - x0) / (y1 - y0) > x)
        counts = np.bincount(point[across], minlength=min(size, len(points) - start))
        inside[start : start + size] = counts % 2 == 1
    return inside
