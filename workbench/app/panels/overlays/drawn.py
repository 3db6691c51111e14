"""Rows of *Results* for what is drawn from Python: arrays, frames, shapes, elements."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.widgets.controls import stack, value_slider

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.viewer.drawing import Drawing
    from workbench.app.viewer.viewer import Viewer


class DrawingRow(pn.viewable.Viewer):
    """One drawing: whether it is shown, its opacity, and its removal.

    Parameters
    ----------
    drawing : Drawing
    """

    def __init__(self, drawing: Drawing) -> None:
        super().__init__()
        self.drawing = drawing
        self.visible = pmui.Switch(label=drawing.title, size="small", margin=(4, 0))
        self.opacity = value_slider("Opacity", 0.0, 1.0, drawing.opacity)
        self._remove = pmui.IconButton(
            icon="close", size="small", description="Remove", margin=0
        )
        self.follow()
        self.visible.param.watch(self._set("visible"), "value")
        self.opacity.param.watch(self._set("opacity"), "value")
        self._remove.on_click(lambda _: drawing.remove())

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        head = pmui.Row(
            self.visible,
            pmui.Row(sizing_mode="stretch_width"),
            self._remove,
            sizing_mode="stretch_width",
            sx={"alignItems": "center"},
        )
        return pmui.Paper(
            head,
            self.opacity,
            variant="outlined",
            sizing_mode="stretch_width",
            margin=(4, 0),
            sx={"p": "6px 10px"},
        )

    def follow(self) -> None:
        """Show what a program has set."""
        self.visible.value = self.drawing.visible
        self.opacity.value = self.drawing.opacity

    def _set(self, name: str) -> Callable[[param.parameterized.Event], None]:
        def changed(event: param.parameterized.Event) -> None:
            if event.new != getattr(self.drawing, name):
                setattr(self.drawing, name, event.new)

        return changed


class DrawingList(pn.viewable.Viewer):
    """Lists what is drawn over the open slide, the latest first."""

    rows = param.List(default=[], doc="Each a `DrawingRow`.")

    def __init__(self) -> None:
        super().__init__()
        self._column = stack()
        self._unwatch: Callable[[], object] = lambda: None

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._column

    def attach(self, viewer: Viewer) -> None:
        """List the drawings of another viewer from now on."""
        self._unwatch()
        watcher = viewer.param.watch(lambda _: self._list(viewer), "drawings")
        self._unwatch = partial(viewer.param.unwatch, watcher)
        self._list(viewer)

    def _list(self, viewer: Viewer) -> None:
        known = {row.drawing: row for row in self.rows}
        drawn = reversed(viewer.drawings)
        rows = [known.get(each) or DrawingRow(each) for each in drawn]
        for row in rows:
            row.follow()
        if rows != self.rows:
            self.rows = rows
            self._column.objects = list(rows)
