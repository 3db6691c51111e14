"""Areas made from other areas: painted, erased, filled, simplified and combined.

All results are polygons with holes in level-0 pixels; None stands for no area at all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import shapely

from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike
    from shapely.geometry.base import BaseGeometry

Operation = Literal["union", "difference", "intersection"]

_QUARTER: Final = 8
"""Edges of a quarter of a brush's circle."""

_FINENESS: Final = 0.02
"""Tolerance for simplifying the way of a brush, as a share of its radius."""

_ROUGHEST: Final = 1e6


def stroke(points: ArrayLike, radius: float) -> BaseGeometry:
    """Return the area that a round brush covers on its way.

    Parameters
    ----------
    points : float (N, 2)
        Way of the brush's centre, in level-0 pixels; one point is a dot.
    radius : float
        Radius of the brush in level-0 pixels, above 0.

    Raises
    ------
    OutOfBoundsError
        If there is no point, or a number is not finite or not positive.

    Examples
    --------
    >>> dot = wb.annotations.stroke([(100, 100)], radius=10)
    >>> round(dot.area / 100, 1)
    3.1
    """
    way = np.asarray(points, np.float64).reshape(-1, 2)
    if not len(way) or not np.isfinite(way).all() or not 0 < radius < math.inf:
        message = f"A stroke of {len(way)} points and radius {radius} covers no area."
        raise OutOfBoundsError(message, "Draw it again.")
    line: BaseGeometry = shapely.Point(way[0])
    if len(np.unique(way, axis=0)) > 1:
        line = shapely.simplify(shapely.LineString(way), _FINENESS * radius)
    return shapely.buffer(line, radius, quad_segs=_QUARTER)


def painted(area: BaseGeometry | None, added: BaseGeometry) -> BaseGeometry:
    """Return an area with another one added to it; None: the other alone."""
    return added if area is None else shapely.union(area, added)


def erased(
    area: BaseGeometry, removed: BaseGeometry, *, speck: float = 0.0
) -> BaseGeometry | None:
    """Return an area without the part that another one covers.

    Parameters
    ----------
    area, removed : geometry
    speck : float
        Area in level-0 pixels below which a part that is left over is dropped.

    Returns
    -------
    geometry or None
        None if nothing is left.
    """
    left = shapely.get_parts(shapely.difference(area, removed))
    kept = [each for each in left if each.area > speck]
    return shapely.union_all(kept) if kept else None


def filled(area: BaseGeometry) -> BaseGeometry:
    """Return an area without its holes."""
    rings = shapely.get_exterior_ring(shapely.get_parts(area))
    return shapely.union_all(shapely.polygons(rings))


def simplified(area: BaseGeometry, tolerance: float) -> BaseGeometry:
    """Return an outline with fewer points, at most `tolerance` from the former one.

    Parts and holes that are too small for the tolerance are dropped, but never all
    parts.

    Parameters
    ----------
    area : geometry
        Area or line.
    tolerance : float
        Largest distance in level-0 pixels.

    Raises
    ------
    OutOfBoundsError
        If the tolerance is not above 0.
    """
    if not 0 < tolerance < _ROUGHEST:
        message = f"An outline cannot be simplified by {tolerance} px."
        raise OutOfBoundsError(message, "Give a tolerance above 0.")
    simple = shapely.simplify(area, tolerance)
    if area.geom_type not in ("Polygon", "MultiPolygon"):
        return simple
    least = math.pi * tolerance**2
    parts = shapely.get_parts(simple)
    large = [each for each in parts if each.area >= least]
    kept = large or [max(parts, key=shapely.area)]
    return shapely.union_all([_without_small_holes(each, least) for each in kept])


def combined(areas: Sequence[BaseGeometry], operation: Operation) -> BaseGeometry:
    """Return the union, the difference or the intersection of areas.

    Parameters
    ----------
    areas : sequence of geometry
        At least two; the difference is the first without all others.
    operation : "union", "difference" or "intersection"

    Raises
    ------
    OutOfBoundsError
        If there are fewer than two areas, or nothing is left.
    """
    if len(areas) <= 1:
        message = f"The {operation} needs two areas or more, not {len(areas)}."
        raise OutOfBoundsError(message, "Select them: Ctrl+click on each.")
    first, rest = areas[0], shapely.union_all(areas[1:])
    if operation == "union":
        found = shapely.union(first, rest)
    elif operation == "difference":
        found = shapely.difference(first, rest)
    else:
        found = shapely.intersection_all(areas)
    kept = [each for each in shapely.get_parts(found) if each.area > 0]
    if not kept:
        message = f"The {operation} of these {len(areas)} areas encloses nothing."
        raise OutOfBoundsError(message, "Select others.")
    return shapely.union_all(kept)


def rescaled(shape: BaseGeometry, scale: float) -> BaseGeometry:
    """Return a geometry with all coordinates multiplied by a scale."""
    return shapely.transform(shape, lambda points: points * scale)


def _without_small_holes(part: BaseGeometry, least: float) -> BaseGeometry:
    holes = [shapely.Polygon(each) for each in part.interiors]
    kept = [each.exterior for each in holes if each.area >= least]
    return shapely.Polygon(part.exterior, kept)
