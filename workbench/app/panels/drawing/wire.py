"""Annotations between Python and the browser: outlines as flat numbers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from shapely.errors import ShapelyError

from workbench.annotations.classes import colour_of
from workbench.errors import AnnotationError
from workbench.layers.colormaps import hex_colour

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from workbench.annotations.annotation import Annotation

_MOST_POINTS: Final = 100_000
"""Largest number of points of one drawing."""

_TOO_MANY: Final = f"it has over {_MOST_POINTS:,} points"


def title_of(annotation: Annotation) -> str:
    """Return the name of an annotation for the beginning of a sentence."""
    if annotation.name or annotation.classification:
        return f"Annotation '{annotation.title}'"
    return f"{annotation.kind.capitalize()} annotation"


def mark_of(annotation: Annotation) -> dict[str, Any]:
    """Return an annotation as `mark.js` reads it: flat coordinates and style."""
    colour = annotation.colour or colour_of(annotation.classification)
    return {
        "id": annotation.id,
        "kind": annotation.kind,
        "parts": parts_of(annotation.geometry),
        "colour": hex_colour(colour),
        "label": annotation.name,
        "locked": annotation.locked,
    }


def parts_of(geometry: BaseGeometry) -> list[list[list[float]]]:
    """Return a geometry as `Parts`: polygons, lines or points of flat rings."""
    parts = shapely.get_parts(geometry)
    return [[_flat(ring) for ring in _rings(part)] for part in parts]


def key_of(edit: dict[str, Any]) -> str:
    """Return the id that the browser gave, or a new one if it is not valid."""
    try:
        return str(uuid.UUID(edit["key"]))
    except (KeyError, ValueError, TypeError, AttributeError):
        return str(uuid.uuid4())


def geometry_of(edit: dict[str, Any]) -> BaseGeometry:
    """Return the geometry of a drawing of the browser.

    Raises
    ------
    AnnotationError
        If it is no valid geometry, or has over 100,000 points.
    """
    try:
        parts = [
            [np.reshape(np.asarray(ring, np.float64), (-1, 2)) for ring in rings]
            for rings in edit["parts"]
        ]
        if sum(len(ring) for rings in parts for ring in rings) > _MOST_POINTS:
            raise _damaged(_TOO_MANY)
        make = {"point": _point, "line": _line, "area": _area}[edit["kind"]]
        made = [make(rings) for rings in parts]
    except (KeyError, TypeError, ValueError, IndexError, ShapelyError) as error:
        raise _damaged(repr(error)) from error
    return made[0] if len(made) == 1 else shapely.union_all(made)


def _point(rings: list[Any]) -> BaseGeometry:
    return shapely.Point(rings[0][0])


def _line(rings: list[Any]) -> BaseGeometry:
    return shapely.LineString(rings[0])


def _area(rings: list[Any]) -> BaseGeometry:
    return shapely.Polygon(rings[0], rings[1:])


def _rings(part: Any) -> list[BaseGeometry]:
    if part.geom_type != "Polygon":
        return [part]
    return [part.exterior, *part.interiors]


def _flat(line: BaseGeometry) -> list[float]:
    numbers: list[float] = shapely.get_coordinates(line).ravel().tolist()
    return numbers


def _damaged(why: str) -> AnnotationError:
    message = f"it cannot be read: {why}"
    return AnnotationError("the drawing", message, "Draw it again.")
