"""Outlines that cross themselves, as areas without crossings, in bounded time.

A point is inside if a ray from it crosses the outline an odd number of times, as
everywhere in the workbench. The lines are cut where they cross and polygonized into
faces; the faces that are inside are put together. Cutting takes time with the number of
crossings, which may be the square of the number of points; so they are counted before,
and an outline with too many is refused.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

MOST_CROSSINGS: Final = 10_000
"""Of one outline with itself; they take about a second."""

_POINTS_EACH: Final = 20
"""Of an outline that is rough all along, which may cross itself once in so many."""

_MOST_NEAR: Final = 50_000_000
"""Pairs of edges whose boxes overlap; GEOS looks at each to tell if it is valid."""

_LOOKED_AT: Final = 2_000_000
"""Pairs of edges, or of edges and points, that are held in memory at once."""

_ROUNDS: Final = 3
"""Times that lines are cut again after rounding has made some meet."""

_EXHAUSTED: Final = 20
"""So many times as there are edges, and some more, pairs are looked at at most."""


class TangledError(ValueError):
    """An outline that crosses itself too often to be made an area."""

    def __init__(self) -> None:
        super().__init__(
            f"its outline crosses itself more than {MOST_CROSSINGS:,} times"
        )


def refuse_tangled(geometry: BaseGeometry) -> None:
    """Refuse outlines of which even the validity could take minutes to tell.

    Raises
    ------
    TangledError
        By an estimate from the sizes of the edges' boxes.
    """
    edges = _edges(geometry)
    if len(edges) ** 2 / 2 <= _MOST_NEAR:
        return
    extent = np.maximum(np.ptp(edges.reshape(-1, 2), axis=0), 1e-9)
    wide, high = np.minimum(np.abs(edges[:, 1] - edges[:, 0]) / extent, 1).T
    count = len(edges)
    # Two boxes overlap by chance in (w1 + w2)(h1 + h2) of the whole.
    near = count * (wide * high).sum() + wide.sum() * high.sum()
    if near > _MOST_NEAR:
        raise TangledError


def without_crossings(polygon: shapely.Polygon, grain: float) -> BaseGeometry:
    """Return the area of a polygon whose rings may cross themselves and each other.

    Parameters
    ----------
    polygon : Polygon
        Valid or not.
    grain : float
        Raster on which the coordinates of the answer lie.

    Returns
    -------
    Polygon or MultiPolygon
        Valid; empty if it encloses nothing.

    Raises
    ------
    TangledError
        If there are more than `MOST_CROSSINGS` crossings, and more than one in 20
        points.
    """
    edges = _edges(polygon)
    most = max(MOST_CROSSINGS, len(edges) // _POINTS_EACH)
    if count_crossings(edges, most) > most:
        raise TangledError
    found = _rounded(polygon, grain)
    for _ in range(_ROUNDS):
        found = _faces_inside(found, grain)
        rounded = _rounded(found, grain)
        if rounded.is_valid:
            return rounded
        found = rounded  # rounding has made lines meet
    tidy: BaseGeometry = shapely.set_precision(found, grain)
    return tidy


def _rounded(geometry: BaseGeometry, grain: float) -> BaseGeometry:
    digits = max(0, round(-math.log10(grain)))
    rounded: BaseGeometry = shapely.transform(
        geometry, lambda points: np.round(points, digits) + 0.0
    )
    return rounded


def _faces_inside(geometry: BaseGeometry, grain: float) -> BaseGeometry:
    """Return the faces between its rings that are inside, put together."""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    lines = shapely.linestrings(points, indices=ring)
    try:
        cut = shapely.node(shapely.multilinestrings(lines))
    except shapely.GEOSException:  # of places that floating point cannot tell apart
        cut = shapely.union_all(lines, grid_size=grain)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(cut)))
    if not len(faces):
        return shapely.MultiPolygon()
    places = shapely.get_coordinates(shapely.point_on_surface(faces))
    inside = _odd(places, _edges(geometry))
    if inside.sum() == 1:
        only: BaseGeometry = faces[inside][0]
        return only
    whole: BaseGeometry = shapely.coverage_union_all(faces[inside])
    return whole


def count_crossings(edges: NDArray[np.float64], most: int) -> int:
    """Return how often edges cross; beyond `most` not exactly.

    Parameters
    ----------
    edges : float64 (N, 2, 2)
        Start and end of each, x and y.
    most : int
        Where counting may end. Of few edges all pairs are taken for crossings.
    """
    pairs = len(edges) * (len(edges) - 1) // 2
    if pairs <= most:
        return pairs
    lines = shapely.linestrings(edges)
    tree = shapely.STRtree(lines)
    found, looked, start = 0, 0, 0
    size = max(1, _LOOKED_AT // len(edges))
    while start < len(edges) and found <= most:
        one, other = tree.query(lines[start : start + size])
        one = one + start
        after = other > one + 1  # neighbours meet, but do not cross
        one, other = one[after], other[after]
        found += int(shapely.crosses(lines[one], lines[other]).sum())
        start += size
        looked += len(one)
        if looked > _EXHAUSTED * len(edges) + _LOOKED_AT:
            return most + 1
        size = max(1, round(_LOOKED_AT * start / (len(edges) + looked)))
    return found


def _edges(geometry: BaseGeometry) -> NDArray[np.float64]:
    """Return the edges of all rings that have a length: (N, 2, 2)."""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    edges = np.stack([points[:-1], points[1:]], axis=1)[ring[1:] == ring[:-1]]
    kept: NDArray[np.float64] = edges[(edges[:, 0] != edges[:, 1]).any(axis=1)]
    return kept


def _odd(points: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell of each point whether a ray to its right crosses an odd number of edges."""
    down = (edges[:, 0, 1] <= edges[:, 1, 1])[:, None]
    upper = np.where(down, edges[:, 0], edges[:, 1])
    lower = np.where(down, edges[:, 1], edges[:, 0])
    sloped = upper[:, 1] < lower[:, 1]
    upper, lower = upper[sloped], lower[sloped]
    tree = shapely.STRtree(shapely.linestrings(np.stack([upper, lower], axis=1)))
    ends = np.stack([np.full(len(points), edges[..., 0].max() + 1), points[:, 1]], 1)
    rays = shapely.linestrings(np.stack([points, ends], axis=1))
    inside = np.zeros(len(points), bool)
    size = max(1, _LOOKED_AT // max(1, len(upper)))
    for start in range(0, len(points), size):
        point, edge = tree.query(rays[start : start + size])
        (x, y), (x0, y0) = points[start + point].T, upper[edge].T
        x1, y1 = lower[edge].T
        across = (y0 <= y) & (y < y1) & (x0 + (y - y0) * (x1 - x0) / (y1 - y0) > x)
        counts = np.bincount(point[across], minlength=min(size, len(points) - start))
        inside[start : start + size] = counts % 2 == 1
    return inside
