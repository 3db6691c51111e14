"""The selected instances: their values and their edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import panel_material_ui as pmui

from workbench.app.panels.instances.shown import facts_of
from workbench.app.widgets.controls import STYLE, button, side_by_side, stack
from workbench.app.widgets.html_snippets import facts_table
from workbench.app.widgets.text import Html
from workbench.markup import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup
    from shapely.geometry.base import BaseGeometry

    from workbench.app.panels.annotations_drawn import AnnotationEditor
    from workbench.app.panels.instances.shown import ShownInstances
    from workbench.app.widgets.background import Background


_HOW: Final = "Click an instance to select it; Shift+click and Shift+drag select more."


class SelectedInstanceCard(pn.viewable.Viewer):
    """Shows the values of selected instances; lets the user edit and add instances.

    Parameters
    ----------
    background : Background
    editor : callable
        Returns the annotation editor of the slide, which draws outlines; None
        before it is ready.
    """

    def __init__(
        self, background: Background, editor: Callable[[], AnnotationEditor | None]
    ) -> None:
        super().__init__()
        self._background = background
        self._editor = editor
        self._shown: ShownInstances | None = None
        self._filling = False
        self._facts = Html("", sizing_mode="stretch_width", margin=(2, 0))
        self._class = pmui.AutocompleteInput(
            label="Class of the selected", options=[], restrict=False, **STYLE
        )
        self._delete = button("Delete instance", icon="delete")
        self._draw = button("Draw instance", icon="draw")
        self._undo = button("Undo edit", icon="undo")
        self._class.param.watch(lambda _: self._reclassify(), "value")
        for widget, act in (
            (self._delete, self.delete),
            (self._undo, self._undo_edit),
            (self._draw, self._begin_drawing),
        ):
            widget.on_click(lambda _, act=act: background.guard(act))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        edits = side_by_side(self._delete, self._draw, self._undo)
        return stack(self._facts, self._class, edits)

    def show(self, shown: ShownInstances | None) -> None:
        """Show the selection among other instances from now on."""
        self._shown = shown
        if shown is not None:
            shown.param.watch(lambda _: self._show_selection(), ["chosen", "version"])
            self._show_selection()

    def _show_selection(self) -> None:
        shown = self._shown
        if shown is None:
            return
        number = len(shown.chosen)
        self._delete.disabled = self._class.disabled = not number
        name = ""
        if number == 1:
            rows = shown.rows(1)
            name = str(rows["class"].iloc[0])
            self._facts.object = facts_table(facts_of(rows))
        elif number:
            self._facts.object = _quiet(_counted(shown))
        else:
            self._facts.object = _quiet(_HOW)
        self._delete.label = f"Delete {number:,}" if number > 1 else "Delete instance"
        self._filling = True
        try:
            self._class.options = list(shown.now.classes)
            self._class.value = ""
            self._class.value = name
        finally:
            self._filling = False

    def _reclassify(self) -> None:
        shown, name = self._shown, self._class.value
        if shown is None or self._filling or not name or not len(shown.chosen):
            return
        self._background.guard(shown.reclassify, name)
        # The browser empties the field when its text becomes a new option.
        self._background.later(self._show_selection)

    def delete(self) -> None:
        """Delete the selected instances, and name them in a toast on the slide."""
        shown = self._shown
        if shown is None or not len(shown.chosen):
            return
        what, editor = shown.delete(), self._editor()
        if editor is not None:
            editor.show_toast(f"{what}.", undo=True)

    def _undo_edit(self) -> None:
        if self._shown is not None:
            self._shown.undo()

    def _begin_drawing(self) -> None:
        editor = self._editor()
        if editor is not None and self._shown is not None:
            editor.draw_for(self._drawn)

    def _drawn(self, geometry: BaseGeometry) -> None:
        shown = self._shown
        if shown is not None:
            shown.add(geometry, self._class.value or shown.now.classes[0])


def _counted(shown: ShownInstances) -> str:
    """Return how many instances are selected, in all and of each class, as text."""
    classes = shown.now.columns(["class"])["class"][shown.chosen]
    counts = np.bincount(classes, minlength=len(shown.now.classes))
    named = [
        f"{count:,} {name}"
        for name, count in zip(shown.now.classes, counts.tolist(), strict=True)
        if count
    ]
    return f"{len(shown.chosen):,} instances are selected: {', '.join(named)}."


def _quiet(text: str) -> Markup:
    return render("quiet", text=text)
