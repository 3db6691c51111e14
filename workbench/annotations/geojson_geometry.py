"""Conversion of GeoJSON geometries to normalized shapely geometries, in batches.

Invalid geometries are repaired if there is one way to do it: open rings, repeated
points, self-crossing outlines (even-odd rule), empty parts and holes, overlapping
parts. Every repair, and the reason for every rejection, is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from shapely.errors import ShapelyError

from workbench.annotations.annotation import MAX_COORDINATE_PX, normalize_geometry
from workbench.geometry import SLIDE_FRAME, FileFrame
from workbench.polygon_repair import refuse_tangled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry


_MISFITS: Final = (
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    ShapelyError,
)
"""Errors raised by values that are not valid GeoJSON."""

_BATCH_SIZE: Final = 20_000
_MAX_BATCH_POINTS: Final = 5_000
"""Number of points of an outline above which it is converted on its own."""

_MIN_RING_POINTS: Final = 4
"""Points of the smallest ring: three, and the first again."""

_PLANE: Final = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """A normalized geometry, or the reason why it cannot be used."""

    geometry: BaseGeometry | None
    problem: str = ""
    repaired: str = ""
    """Description of the repairs; empty if there were none."""


def shapes_of(geometries: Sequence[Any], frame: FileFrame = SLIDE_FRAME) -> list[Shape]:
    """Return the shapes of GeoJSON geometries, in their order.

    Parameters
    ----------
    geometries : sequence
        The "geometry" member of each feature, of any type.
    frame : FileFrame
        Frame of the coordinates; by default that of the slide.
    """
    polygons = [
        number
        for number, each in enumerate(geometries)
        if isinstance(each, dict) and each.get("type") == "Polygon"
    ]
    found: dict[int, Shape] = {}
    for start in range(0, len(polygons), _BATCH_SIZE):
        numbers = polygons[start : start + _BATCH_SIZE]
        valid = _valid_polygons([geometries[number] for number in numbers], frame)
        found |= {
            number: Shape(each)
            for number, each in zip(numbers, valid, strict=True)
            if each is not None
        }
    return [
        found[number] if number in found else _shape(each, frame)
        for number, each in enumerate(geometries)
    ]


def _valid_polygons(
    geometries: Sequence[dict[str, Any]], frame: FileFrame
) -> list[BaseGeometry | None]:
    """Return the polygons that need no repair; None for the others."""
    result: list[BaseGeometry | None] = [None] * len(geometries)
    flat: list[Any] = []
    lengths: list[int] = []
    owners: list[int] = []
    try:
        for number, geometry in enumerate(geometries):
            for ring in geometry["coordinates"]:
                flat += ring
                lengths.append(len(ring))
                owners.append(number)
        points = np.array(flat, np.float64)
    except _MISFITS:
        return result
    if points.ndim != _PLANE or points.shape[1] < _PLANE or not len(points):
        return result
    points = np.round(frame.to_slide(points[:, :_PLANE]), 2) + 0.0
    length, owner = np.array(lengths), np.array(owners)
    usable = _usable(points, length)
    bad = np.ones(len(geometries), bool)
    bad[owner] = False
    bad[owner[~usable]] = True
    in_use = ~bad[owner]
    rings = shapely.linearrings(
        points[np.repeat(in_use, length)],
        indices=np.repeat(np.arange(in_use.sum()), length[in_use]),
    )
    _, index = np.unique(owner[in_use], return_inverse=True)
    polygons = shapely.polygons(rings, indices=index) if len(rings) else []
    valid = shapely.is_valid(polygons) & (shapely.area(polygons) > 0)
    simplified = shapely.remove_repeated_points(polygons)
    for number, polygon, is_valid in zip(
        np.flatnonzero(~bad).tolist(), simplified, valid, strict=True
    ):
        result[number] = polygon if is_valid else None
    return result


def _usable(points: NDArray[np.float64], length: NDArray[np.int64]) -> Any:
    """Return which rings are closed, finite, on a slide and small: bool (N,)."""
    ends = np.cumsum(length)
    usable = (length >= _MIN_RING_POINTS) & (length <= _MAX_BATCH_POINTS)
    first, last = np.minimum(ends - length, len(points) - 1), ends - 1
    usable &= (points[first] == points[last]).all(axis=1)
    on_slide = (np.abs(points) <= MAX_COORDINATE_PX).all(axis=1)  # NaN is not
    off = np.concatenate([[0], np.cumsum(~on_slide)])
    usable &= off[ends] == off[ends - length]
    return usable


def _shape(geometry: Any, frame: FileFrame) -> Shape:
    """Return one shape, repaired if necessary."""
    repairs: list[str] = []
    try:
        build = _BUILDERS.get(str(geometry["type"]))
        if build is None:
            kind = f"{geometry['type']!s:.40}"
            return Shape(None, f"'{kind}' is not a known geometry")
        built = build(geometry["coordinates"], frame, repairs)
        normalized = normalize_geometry(built)
    except _MISFITS as error:
        return Shape(None, _reason(error))
    return Shape(normalized, repaired="; ".join(dict.fromkeys(repairs)))


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it is not GeoJSON: it has no {error}"
    if type(error) in (ValueError, ShapelyError) or isinstance(error, ValueError):
        return f"{error!s:.200}"
    return f"it is not GeoJSON ({error!r:.200})"


def _positions(coordinates: Any, frame: FileFrame) -> NDArray[np.float64]:
    """Return positions of any dimension as (N, 2), in level-0 pixels."""
    try:
        points = np.array(coordinates, np.float64)
    except ValueError:  # some have three numbers, some two
        points = np.array([position[:_PLANE] for position in coordinates], np.float64)
    if not points.size:
        return np.empty((0, 2))
    points = points[:, :_PLANE] if points.ndim == _PLANE else points
    if points.ndim != _PLANE or points.shape[1] != _PLANE:
        message = "it is not GeoJSON: a position is not two numbers"
        raise ValueError(message)
    return frame.to_slide(points)


def _finite(points: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(points).all():
        message = "it has a coordinate that is not finite"
        raise ValueError(message)
    return points


def _ring(
    coordinates: Any, frame: FileFrame, repairs: list[str]
) -> NDArray[np.float64] | None:
    """Return a closed ring; None if it is a line, a point or empty."""
    points = _finite(_positions(coordinates, frame))
    few = points[:_MAX_BATCH_POINTS]
    least = _MIN_RING_POINTS - 1
    if len(np.unique(few, axis=0)) < least > len(np.unique(points, axis=0)):
        return None
    if (points[0] != points[-1]).any():
        repairs.append("an outline was closed")
        points = np.concatenate([points, points[:1]])
    return points


def _polygon(coordinates: Any, frame: FileFrame, repairs: list[str]) -> BaseGeometry:
    rings = [_ring(each, frame, repairs) for each in coordinates]
    if not rings or rings[0] is None:
        message = "its outline encloses nothing"
        raise ValueError(message)
    holes = [each for each in rings[1:] if each is not None]
    if len(holes) < len(rings) - 1:
        repairs.append("an empty hole was left out")
    polygon = shapely.Polygon(rings[0], holes)
    refuse_tangled(polygon)
    if not polygon.is_valid:
        repairs.append("an outline that crosses or touches itself was made valid")
    return polygon


def _polygons(coordinates: Any, frame: FileFrame, repairs: list[str]) -> BaseGeometry:
    parts, problem = [], "its outline encloses nothing"
    for each in coordinates:
        try:
            part = normalize_geometry(_polygon(each, frame, repairs))
        except ValueError as error:
            problem = str(error)
            repairs.append(f"a part was left out: {error}")
        else:
            parts += shapely.get_parts(part).tolist()
    if not parts:
        raise ValueError(problem)
    together = shapely.MultiPolygon(parts)
    if not together.is_valid:
        repairs.append("parts that overlap or touch were merged")
        return shapely.union_all(parts)
    return together


def _line(coordinates: Any, frame: FileFrame, _repairs: list[str]) -> BaseGeometry:
    points = _finite(_positions(coordinates, frame))
    if len(np.unique(np.round(points, 2), axis=0)) < _PLANE:
        message = "its points are all in one place"
        raise ValueError(message)
    return shapely.LineString(points)


def _lines(coordinates: Any, frame: FileFrame, repairs: list[str]) -> BaseGeometry:
    parts, problem = [], "it has no points"
    for each in coordinates:
        try:
            parts.append(_line(each, frame, repairs))
        except ValueError as error:
            problem = str(error)
            repairs.append(f"a part was left out: {error}")
    if not parts:
        raise ValueError(problem)
    return shapely.MultiLineString(parts)


def _point(coordinates: Any, frame: FileFrame, repairs: list[str]) -> BaseGeometry:
    return _points([coordinates], frame, repairs)


def _points(coordinates: Any, frame: FileFrame, repairs: list[str]) -> BaseGeometry:
    points = _positions(coordinates, frame)
    finite = points[np.isfinite(points).all(axis=1)]
    if len(finite) < len(points):
        repairs.append("points that are not finite were left out")
    if not len(finite):
        _finite(points)
        message = "it has no points"
        raise ValueError(message)
    return shapely.MultiPoint(finite)


_BUILDERS: Final[dict[str, Callable[[Any, FileFrame, list[str]], BaseGeometry]]] = {
    "Point": _point,
    "MultiPoint": _points,
    "LineString": _line,
    "MultiLineString": _lines,
    "Polygon": _polygon,
    "MultiPolygon": _polygons,
}
"""Converters by geometry type: coordinates, frame and a list that gets repairs."""
