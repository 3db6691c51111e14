"""Shaper: areas painted in the browser, filled, simplified and combined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from workbench.annotations.annotation import Annotation
from workbench.annotations.shaping import (
    Operation,
    combined,
    erased,
    filled,
    painted,
    simplified,
    stroke,
)
from workbench.app.panels.drawing.wire import geometry_of, key_of, title_of
from workbench.errors import AnnotationError, OutOfBoundsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shapely.geometry.base import BaseGeometry

    from workbench.app.panels.annotations_drawn import AnnotationEditor

SHAPINGS: Final = ("paint", "fill", "simplify", "combine")
"""Kinds of edits that `Shaper.do` applies."""

_MOST_POINTS: Final = 20_000
"""Largest number of points of one stroke."""

_SIMPLE: Final = 1.5
"""Tolerance of `simplify`, in pixels of the screen."""

_OPERATIONS: Final = ("union", "difference", "intersection")


class Shaper:
    """Changes areas by other areas, each in one step that can be undone.

    Parameters
    ----------
    editor : AnnotationEditor
        Saves and shows the results.
    """

    def __init__(self, editor: AnnotationEditor) -> None:
        self._editor = editor

    def do(self, edit: dict[str, Any]) -> None:
        """Apply an edit of the browser, one of `SHAPINGS`.

        Raises
        ------
        AnnotationError
            If it cannot be applied to these annotations.
        """
        match edit["do"]:
            case "paint":
                self.paint(edit)
            case "fill":
                self.fill(edit["ids"])
            case "simplify":
                self.simplify(edit["ids"], float(edit["downsample"]))
            case "combine":
                self.combine(edit["ids"], edit["operation"])

    def paint(self, edit: dict[str, Any]) -> None:
        """Add an area to an annotation, or take it away; without one make a new one.

        Raises
        ------
        AnnotationError
            If the annotation is locked, encloses nothing, or is not there any more.
        """
        shape = _shape_of(edit)
        erase, key = bool(edit.get("erase")), str(edit.get("id") or "")
        if not key:
            key = key_of(edit)
            old = self._editor.edits.annotations.get(key)
            if old is None:
                if not erase:
                    self._add(key, shape)
                return
        area = self._area(key)
        if not erase:
            self._put(area, painted(area.geometry, shape))
            return
        speck = float(edit.get("downsample") or 1.0) ** 2
        left = erased(area.geometry, shape, speck=speck)
        if left is None:
            self._editor.delete(key)
        else:
            self._put(area, left)

    def fill(self, ids: Iterable[str]) -> None:
        """Fill the holes of areas."""
        for key in ids:
            area = self._area(key)
            self._put(area, filled(area.geometry))

    def simplify(self, ids: Iterable[str], downsample: float) -> None:
        """Leave out points of outlines that are not seen at a downsample."""
        for key in ids:
            old = self._changeable(key)
            if old.kind != "point":
                self._put(old, simplified(old.geometry, _SIMPLE * downsample))

    def combine(self, ids: list[str], operation: str) -> None:
        """Put the union, difference or intersection of areas in place of them.

        The first area keeps its name and class; a difference keeps the others.

        Raises
        ------
        AnnotationError
            If there are fewer than two areas, one is locked, or nothing would be left.
        """
        if operation not in _OPERATIONS:
            message = f"'{operation}' is none of {', '.join(_OPERATIONS)}."
            raise OutOfBoundsError(message)
        areas = [self._area(key) for key in dict.fromkeys(ids)]
        found = combined(
            [each.geometry for each in areas], cast("Operation", operation)
        )
        first, *rest = areas
        gone = [] if operation == "difference" else [each.id for each in rest]
        changed = first.replace(geometry=found)
        self._editor.edits.replace(gone, changed)
        self._editor.record(f"{title_of(first)}: {operation} of {len(areas)} areas")
        self._editor.show([first.id, *gone])

    def _add(self, key: str, shape: BaseGeometry) -> None:
        editor = self._editor
        editor.put(
            Annotation(
                id=key, geometry=shape, classification=editor.new_classification()
            )
        )
        editor.chosen = key

    def _put(self, old: Annotation, geometry: BaseGeometry) -> None:
        changed = old.replace(geometry=geometry)
        if changed.geometry.equals_exact(old.geometry):
            self._editor.show([old.id])
            return
        self._editor.put(changed)

    def _changeable(self, key: str) -> Annotation:
        found = self._editor.edits.annotations.get(key)
        if found is None:
            raise AnnotationError(key, "another user has deleted it")
        if found.locked:
            raise AnnotationError(found.title, "it is locked", "Unlock it first.")
        return found

    def _area(self, key: str) -> Annotation:
        found = self._changeable(key)
        if found.kind != "area":
            reason = f"it is a {found.kind}, which encloses nothing"
            raise AnnotationError(found.title, reason, "Choose an area.")
        return found


def _shape_of(edit: dict[str, Any]) -> BaseGeometry:
    """Return the area of an edit: a stroke of a brush, or polygons."""
    if edit.get("parts"):
        return geometry_of({"kind": "area", "parts": edit["parts"]})
    try:
        points = [float(number) for number in edit["points"]]
        radius = float(edit["radius"])
    except (KeyError, TypeError, ValueError) as error:
        message = f"The stroke cannot be read: {error!r}."
        raise OutOfBoundsError(message, "Paint it again.") from error
    if len(points) > 2 * _MOST_POINTS or len(points) % 2:
        message = f"A stroke of {len(points) / 2:,g} points cannot be used."
        raise OutOfBoundsError(message, "Paint it in several strokes.")
    return stroke(points, radius)
