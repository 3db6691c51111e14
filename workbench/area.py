"""Areas of a slide bounded by polygons; a run or a count can be restricted to one.

One rule decides what lies inside, for tiles, cells and pixels: a point is inside if a
ray from it crosses the outline an odd number of times (even-odd rule); left and upper
edges are included, right and lower edges are not. So areas that share an edge neither
share nor omit a point, and the area of a box holds exactly the points of the box.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from workbench.errors import OutOfBoundsError
from workbench.geometry import Box, Polygons
from workbench.polygon_repair import refuse_tangled, without_crossings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

GRAIN: Final = 0.01
"""Precision of coordinates in level-0 pixels, as in other programs."""

_AREAL: Final = ("Polygon", "MultiPolygon")
_CORNERS: Final = 4
_PARSE_ERRORS: Final = (
    TypeError,
    ValueError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Area:
    """Polygons with holes, in level-0 pixels; made with `Area.of`.

    Two areas are equal if they have the same outline; the start points of the rings
    do not matter.

    Examples
    --------
    >>> area = wb.Area.of(wb.Box(0, 0, 100, 50))
    >>> area.holds([10, 200], [10, 10]).tolist()
    [True, False]
    """

    shape: shapely.MultiPolygon
    """Valid, normalized geometry on a raster of 0.01 px."""

    @classmethod
    def of(cls, what: Any) -> Self:
        """Return the area of a box, a geometry or several geometries.

        Parameters
        ----------
        what : Area, Box, (x0, y0, x1, y1), geometry, or a sequence of geometries
            A geometry is an object with `__geo_interface__` (an annotation, a shapely
            geometry), a GeoJSON mapping, or the coordinates of a MultiPolygon.
            Several are united; self-crossing outlines are repaired.

        Raises
        ------
        OutOfBoundsError
            If it has no area: a point, a line, or an empty geometry.
        """
        if isinstance(what, cls):
            return what
        try:
            geometry = on_grain(_repair(_parse_geometry(what)))
        except (*_PARSE_ERRORS, shapely.errors.ShapelyError) as error:
            raise _no_area_error(error) from error
        polygons = [p for p in shapely.get_parts(geometry) if p.area > 0]
        if not polygons:
            raise _no_area_error(geometry.geom_type)
        return cls(shapely.normalize(shapely.MultiPolygon(polygons)))

    @property
    def coordinates(self) -> Polygons:
        """Coordinates of the outline; equal areas have equal coordinates."""
        return tuple(mapping(self.shape)["coordinates"])

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        """The outline as a GeoJSON geometry, the protocol of other libraries."""
        return {"type": "MultiPolygon", "coordinates": self.coordinates}

    @property
    def box(self) -> Box:
        """Smallest box around the area."""
        x0, y0, x1, y1 = self.shape.bounds
        return Box(math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))

    @property
    def px(self) -> float:
        """Size in level-0 pixels, without holes."""
        return float(self.shape.area)

    def lattice(self, xs: ArrayLike, ys: ArrayLike) -> NDArray[np.bool_]:
        """Return which points of a lattice lie inside.

        Parameters
        ----------
        xs, ys : array_like of float, (C,) and (R,)
            Coordinates of the columns and rows, each in ascending order.

        Returns
        -------
        bool (R, C)
        """
        xs, ys = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
        upper, lower = _edges(self.shape)
        first = np.searchsorted(ys, upper[:, 1])
        count = np.searchsorted(ys, lower[:, 1]) - first
        edge = np.repeat(np.arange(len(count)), count)
        row = np.arange(len(edge)) + np.repeat(first - np.cumsum(count) + count, count)
        (x0, y0), (x1, y1) = upper[edge].T, lower[edge].T
        crossing = x0 + (ys[row] - y0) * (x1 - x0) / (y1 - y0)
        column = np.searchsorted(xs, crossing)
        crossings = np.zeros((len(ys), len(xs) + 1), np.int32)
        np.add.at(crossings, (row, column), 1)
        odd: NDArray[np.bool_] = np.cumsum(crossings[:, :-1], axis=1) % 2 == 1
        return odd

    def holds(self, xs: ArrayLike, ys: ArrayLike) -> NDArray[np.bool_]:
        """Return which points lie inside.

        Parameters
        ----------
        xs, ys : array_like of float, (N,)

        Returns
        -------
        bool (N,)
        """
        xs, ys = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
        x0, y0, x1, y1 = self.shape.bounds
        near = np.flatnonzero((xs >= x0) & (xs <= x1) & (ys >= y0) & (ys <= y1))
        shapely.prepare(self.shape)
        inside = np.zeros(len(xs), bool)
        inside[near] = shapely.contains_xy(self.shape, xs[near], ys[near])
        touching = shapely.intersects_xy(self.shape, xs[near], ys[near])
        for index in near[touching & ~inside[near]].tolist():  # on the outline itself
            inside[index] = self.lattice([xs[index]], [ys[index]])[0, 0]
        return inside

    def mask(self, box: Box, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Rasterize the area on a box at `size` (width, height): bool (height, width).

        A pixel is inside if its centre is.
        """
        width, height = size
        xs = box.x0 + (np.arange(width) + 0.5) * box.width / width
        ys = box.y0 + (np.arange(height) + 0.5) * box.height / height
        return self.lattice(xs, ys)

    def touches(self, boxes: Iterable[Box]) -> NDArray[np.bool_]:
        """Return which boxes overlap the area: bool (N,)."""
        edges = np.array([(b.x0, b.y0, b.x1, b.y1) for b in boxes], float)
        corners = shapely.box(*edges.reshape(-1, 4).T)
        shapely.prepare(self.shape)
        touching: NDArray[np.bool_] = shapely.intersects(self.shape, corners)
        touching &= ~shapely.touches(self.shape, corners)
        return touching


def _parse_geometry(what: Any) -> BaseGeometry:
    if isinstance(what, Box):
        return _parse_geometry((what.x0, what.y0, what.x1, what.y1))
    if isinstance(what, BaseGeometry):
        return what
    if hasattr(what, "__geo_interface__"):
        return _parse_geometry(what.__geo_interface__)
    if isinstance(what, dict):
        kind = what["type"]
        if kind == "FeatureCollection":
            return _parse_geometry(what["features"])
        geometry: BaseGeometry = shape(what["geometry"] if kind == "Feature" else what)
        return geometry
    if isinstance(what, str):
        message = f"'{what:.60}' is text"
        raise TypeError(message)
    parts = list(what)
    if len(parts) == _CORNERS and all(isinstance(p, int | float) for p in parts):
        corners: BaseGeometry = shapely.box(*parts)
        return corners
    if parts and isinstance(parts[0], list | tuple):
        return shape({"type": "MultiPolygon", "coordinates": parts})
    return shapely.union_all([_repair(_parse_geometry(part)) for part in parts])


def on_grain(geometry: BaseGeometry) -> BaseGeometry:
    """Round coordinates to 0.01 px and repair self-crossing areas.

    A geometry that is valid after rounding is not changed further, so the function is
    idempotent.

    Raises
    ------
    ValueError
        If the geometry has no coordinates, one is not finite, or its outline crosses
        itself too often.
    """
    points = shapely.get_coordinates(geometry)
    if not len(points) or not np.isfinite(points).all():
        message = "it has no coordinates, or one that is not finite"
        raise ValueError(message)
    refuse_tangled(geometry)
    rounded: BaseGeometry = shapely.transform(geometry, _round_points)
    if geometry.geom_type not in _AREAL or (rounded.is_valid and rounded.area):
        once: BaseGeometry = shapely.remove_repeated_points(rounded)
        return once
    with np.errstate(divide="ignore", invalid="ignore"):  # areas close to 0
        repaired = shapely.set_precision(_repair(geometry), GRAIN)
    result: BaseGeometry = shapely.transform(repaired, _round_points)
    return result


def _round_points(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(points, 2) + 0.0  # no negative zeros


def _repair(geometry: BaseGeometry) -> BaseGeometry:
    """Return the areas of a geometry, without crossings of their own outlines."""
    parts = [p for p in shapely.get_parts(geometry) if p.geom_type in _AREAL]
    for part in parts:
        refuse_tangled(part)
    whole = [p if p.is_valid else without_crossings(p, GRAIN) for p in parts]
    if len(whole) == 1:
        return whole[0]
    return shapely.union_all(whole) if whole else shapely.MultiPolygon()


def _edges(geometry: BaseGeometry) -> tuple[NDArray[np.float64], ...]:
    """Return the upper and lower ends of all edges that are not horizontal: (N, 2)."""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    inner = ring[1:] == ring[:-1]
    start, end = points[:-1][inner], points[1:][inner]
    sloped = start[:, 1] != end[:, 1]
    start, end = start[sloped], end[sloped]
    down = (start[:, 1] < end[:, 1])[:, None]
    return np.where(down, start, end), np.where(down, end, start)


def _no_area_error(reason: object) -> OutOfBoundsError:
    message = f"This encloses no area: {reason}."
    return OutOfBoundsError(message, "Give a box, or polygons, on the slide.")
