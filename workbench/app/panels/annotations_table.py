"""Table of the annotations of a slide, and annotations as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn

from workbench.annotations.classes import colour_of
from workbench.app.widgets.controls import note, stack
from workbench.app.widgets.lazy import Fold
from workbench.app.widgets.row_table import RowTable
from workbench.geometry import Box
from workbench.layers.colormaps import hex_colour

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.annotations.annotation import Annotation

_ROWS: Final = 2000
"""Largest number of rows, the newest annotations."""

_VIEW_ROOM: Final = 0.3
"""Margin of the view around an annotation, as a share of its size."""

_WHOLE_FROM: Final = 100
"""Numbers from here on are shown without decimals."""

_MM2_FROM: Final = 1e5


class AnnotationTable(pn.viewable.Viewer):
    """A folded table of annotations, which is filled only while it is open.

    Parameters
    ----------
    pick : callable
        Called with the id of an annotation whose row is clicked.
    """

    def __init__(self, pick: Callable[[str], None]) -> None:
        super().__init__()
        self._found: Sequence[Annotation] = ()
        self._mpp: float | None = None
        self._listed: tuple[object, ...] = ()
        self._note = note()
        self.table = RowTable(label="Annotations", sizing_mode="stretch_width")
        self.fold = Fold("Table of annotations", stack(self.table, self._note))
        self.fold.param.watch(lambda _: self._list(), "active")
        self.table.param.watch(lambda event: pick(event.new["id"]), "picked")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self.fold

    def show(
        self, found: Sequence[Annotation], chosen: str, *, mpp: float | None
    ) -> None:
        """List annotations, and mark the selected one.

        Parameters
        ----------
        found : sequence of Annotation
            The oldest first.
        chosen : str
            Id of the selected annotation; empty for none.
        mpp : float, optional
            Pixel size (µm); without it sizes are in level-0 pixels.
        """
        self._found, self._mpp = found, mpp
        self._list()
        self.table.value = chosen

    def _list(self) -> None:
        """Fill the table if it is open, and its contents have changed."""
        found = self._found[: -_ROWS - 1 : -1]
        now = (self._mpp, *found)
        if not self.fold.active or now == self._listed:
            return
        self._listed = now
        area, length = ("px²", "px") if self._mpp is None else ("mm²", "µm")
        names = ("Name", "Class", "Kind", f"Area {area}", f"Length {length}")
        columns = [{"label": name, "number": " " in name} for name in names]
        rows = [_row(each, self._mpp) for each in found]
        self.table.param.update(columns=columns, rows=rows)
        more = len(self._found) - len(found)
        text = "Click a row to go to it." if found else "Draw one on the slide."
        self._note.object = f"The newest {_ROWS:,}; {more:,} more." if more else text


def _row(annotation: Annotation, mpp: float | None) -> dict[str, Any]:
    measured = {
        name.partition(" ")[0]: value
        for name, value in annotation.measures(mpp).items()
    }
    area = measured.get("Area")
    if area is not None and mpp is not None:
        area /= 1e6  # to mm²
    colour = annotation.colour or colour_of(annotation.classification)
    cells = (
        *(annotation.name, annotation.classification, annotation.kind),
        *(area, measured.get("Length")),
    )
    return {"id": annotation.id, "colour": hex_colour(colour), "cells": list(cells)}


def line_of(annotation: Annotation) -> str:
    """Return the label of an annotation in a list; labels are unique by its id."""
    parts = [annotation.name, annotation.classification]
    title = ", ".join(filter(None, parts)) or annotation.kind.capitalize()
    return f"{title} ({annotation.id[:4]})"


def size_of(name: str, value: float) -> str:
    """Return a measure as text: name "Area µm^2" and a value as "area 0.24 mm²"."""
    noun, _, unit = name.lower().partition(" ")
    if unit == "µm^2" and value >= _MM2_FROM:
        unit, value = "mm^2", value / 1e6
    number = f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.3g}"
    return f"{noun} {number} {unit.replace('^2', '²')}".strip()


def place_of(annotation: Annotation) -> Box | tuple[float, float]:
    """Return where an annotation is seen with some room; a point of a small one."""
    x0, y0, x1, y1 = annotation.geometry.bounds
    if max(x1 - x0, y1 - y0) < 1:
        return x0, y0
    box = Box(round(x0), round(y0), round(x1), round(y1))
    return box.grow(round(_VIEW_ROOM * max(box.width, box.height)))
