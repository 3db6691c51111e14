"""From GeoJSON geometries to geometries as annotations keep them, many at once.

What is broken is mended where there is one way to do it: a ring that is not closed, a
point twice, an outline that crosses itself (inside is what a ray reaches over an odd
number of edges), a part or a hole of nothing, parts that overlap. Everything that was
done, and why something cannot be used, is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from shapely.errors import ShapelyError

from workbench.annotations.annotation import FARTHEST_PX, as_kept
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
"""What numbers and lists that are not as GeoJSON has them lead to."""

_AT_ONCE: Final = 20_000
_LARGE: Final = 5_000
"""Points of an outline that is looked at by itself."""

_CORNERS: Final = 4
"""Positions of the smallest ring: three, and the first again."""

_PLANE: Final = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """A geometry as annotations keep it, or why there is none."""

    geometry: BaseGeometry | None
    problem: str = ""
    mended: str = ""
    """What was done to it; empty if it is as it was."""


def shapes_of(geometries: Sequence[Any], frame: FileFrame = SLIDE_FRAME) -> list[Shape]:
    """Return the shapes of GeoJSON geometries, in their order.

    Parameters
    ----------
    geometries : sequence
        What stands under "geometry" in each feature, whatever that is.
    frame : FileFrame
        In which they are; by default that of the slide.
    """
    polygons = [
        number
        for number, each in enumerate(geometries)
        if isinstance(each, dict) and each.get("type") == "Polygon"
    ]
    found: dict[int, Shape] = {}
    for start in range(0, len(polygons), _AT_ONCE):
        numbers = polygons[start : start + _AT_ONCE]
        kept = _plain_polygons([geometries[number] for number in numbers], frame)
        found |= {
            number: Shape(each)
            for number, each in zip(numbers, kept, strict=True)
            if each is not None
        }
    return [
        found[number] if number in found else _shape(each, frame)
        for number, each in enumerate(geometries)
    ]


def _plain_polygons(
    geometries: Sequence[dict[str, Any]], frame: FileFrame
) -> list[BaseGeometry | None]:
    """Return those that need no mending; None for all others."""
    none: list[BaseGeometry | None] = [None] * len(geometries)
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
        return none
    if points.ndim != _PLANE or points.shape[1] < _PLANE or not len(points):
        return none
    points = np.round(frame.to_slide(points[:, :_PLANE]), 2) + 0.0
    length, owner = np.array(lengths), np.array(owners)
    usable = _usable(points, length)
    bad = np.ones(len(geometries), bool)
    bad[owner] = False
    bad[owner[~usable]] = True
    mine = ~bad[owner]
    rings = shapely.linearrings(
        points[np.repeat(mine, length)],
        indices=np.repeat(np.arange(mine.sum()), length[mine]),
    )
    _, index = np.unique(owner[mine], return_inverse=True)
    polygons = shapely.polygons(rings, indices=index) if len(rings) else []
    good = shapely.is_valid(polygons) & (shapely.area(polygons) > 0)
    tidy = shapely.remove_repeated_points(polygons)
    for number, polygon, fine in zip(
        np.flatnonzero(~bad).tolist(), tidy, good, strict=True
    ):
        none[number] = polygon if fine else None
    return none


def _usable(points: NDArray[np.float64], length: NDArray[np.int64]) -> Any:
    """Tell which rings are closed, finite, on a slide and of a usual length."""
    ends = np.cumsum(length)
    usable = (length >= _CORNERS) & (length <= _LARGE)
    first, last = np.minimum(ends - length, len(points) - 1), ends - 1
    usable &= (points[first] == points[last]).all(axis=1)
    on_slide = (np.abs(points) <= FARTHEST_PX).all(axis=1)  # NaN is not
    off = np.concatenate([[0], np.cumsum(~on_slide)])
    usable &= off[ends] == off[ends - length]
    return usable


def _shape(geometry: Any, frame: FileFrame) -> Shape:
    """Return one shape, mended if need be."""
    said: list[str] = []
    try:
        build = _BUILDERS.get(str(geometry["type"]))
        if build is None:
            kind = f"{geometry['type']!s:.40}"
            return Shape(None, f"'{kind}' is no geometry that is known")
        built = build(geometry["coordinates"], frame, said)
        kept = as_kept(built)
    except _MISFITS as error:
        return Shape(None, _reason(error))
    return Shape(kept, mended="; ".join(dict.fromkeys(said)))


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it is not GeoJSON: it has no {error}"
    if type(error) in (ValueError, ShapelyError) or isinstance(error, ValueError):
        return f"{error!s:.200}"
    return f"it is not GeoJSON ({error!r:.200})"


def _positions(coordinates: Any, frame: FileFrame) -> NDArray[np.float64]:
    """Return positions, of any dimension, as (N, 2) on the slide."""
    try:
        points = np.array(coordinates, np.float64)
    except ValueError:  # some of three numbers, some of two
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
    coordinates: Any, frame: FileFrame, said: list[str]
) -> NDArray[np.float64] | None:
    """Return a closed ring; None if it is a line, a point or nothing."""
    points = _finite(_positions(coordinates, frame))
    few = points[:_LARGE]
    if len(np.unique(few, axis=0)) < _CORNERS - 1 > len(np.unique(points, axis=0)):
        return None
    if (points[0] != points[-1]).any():
        said.append("an outline was closed")
        points = np.concatenate([points, points[:1]])
    return points


def _polygon(coordinates: Any, frame: FileFrame, said: list[str]) -> BaseGeometry:
    rings = [_ring(each, frame, said) for each in coordinates]
    if not rings or rings[0] is None:
        message = "its outline encloses nothing"
        raise ValueError(message)
    holes = [each for each in rings[1:] if each is not None]
    if len(holes) < len(rings) - 1:
        said.append("a hole of nothing was left out")
    polygon = shapely.Polygon(rings[0], holes)
    refuse_tangled(polygon)
    if not polygon.is_valid:
        said.append("an outline that crosses or touches itself was made valid")
    return polygon


def _polygons(coordinates: Any, frame: FileFrame, said: list[str]) -> BaseGeometry:
    parts, problem = [], "its outline encloses nothing"
    for each in coordinates:
        try:
            part = as_kept(_polygon(each, frame, said))
        except ValueError as error:
            problem = str(error)
            said.append(f"a part was left out: {error}")
        else:
            parts += shapely.get_parts(part).tolist()
    if not parts:
        raise ValueError(problem)
    together = shapely.MultiPolygon(parts)
    if not together.is_valid:
        said.append("parts that overlap or touch were put together")
        return shapely.union_all(parts)
    return together


def _line(coordinates: Any, frame: FileFrame, _said: list[str]) -> BaseGeometry:
    points = _finite(_positions(coordinates, frame))
    if len(np.unique(np.round(points, 2), axis=0)) < _PLANE:
        message = "its points are all in one place"
        raise ValueError(message)
    return shapely.LineString(points)


def _lines(coordinates: Any, frame: FileFrame, said: list[str]) -> BaseGeometry:
    parts, problem = [], "it has no points"
    for each in coordinates:
        try:
            parts.append(_line(each, frame, said))
        except ValueError as error:
            problem = str(error)
            said.append(f"a part was left out: {error}")
    if not parts:
        raise ValueError(problem)
    return shapely.MultiLineString(parts)


def _point(coordinates: Any, frame: FileFrame, said: list[str]) -> BaseGeometry:
    return _points([coordinates], frame, said)


def _points(coordinates: Any, frame: FileFrame, said: list[str]) -> BaseGeometry:
    points = _positions(coordinates, frame)
    finite = points[np.isfinite(points).all(axis=1)]
    if len(finite) < len(points):
        said.append("points that are not finite were left out")
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
"""What makes a geometry of the coordinates, the frame and a list of what was done."""
