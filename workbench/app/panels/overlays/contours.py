"""Contour lines over a heatmap: the field for their values, and their layer."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import panel_material_ui as pmui

from workbench.app.widgets.controls import STYLE
from workbench.layers.contours import MAX_CONTOURS
from workbench.layers.heatmap import HeatmapLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.viewer.layer_handle import LayerHandle
    from workbench.app.viewer.viewer import Viewer
    from workbench.layers.class_map import ClassMapLayer
    from workbench.layers.contours import ContourLayer

_SEPARATORS: Final = re.compile(r"[\s,]+")


class Contours:
    """Draws contour lines of the heatmap of an overlay, at values that the user gives.

    Parameters
    ----------
    viewer : Viewer
    changed : callable
        Called when the user has given other values.
    """

    def __init__(self, viewer: Viewer, changed: Callable[[], None]) -> None:
        self._viewer = viewer
        self._handle: LayerHandle | None = None
        self.levels: tuple[float, ...] = ()
        """Values of the lines, in the order given; empty: no lines."""
        self.field = pmui.TextInput(
            label="Contour lines at",
            placeholder="such as 0.5, 0.8",
            description="Values at which a line is drawn, separated by commas",
            **STYLE,
        )
        self._changed = changed
        self.field.param.watch(lambda _: self._read(), "value")

    def set(self, levels: tuple[float, ...]) -> None:
        """Draw lines at other values."""
        self.field.value = ", ".join(f"{level:g}" for level in levels)

    def follow(self, layer: HeatmapLayer | ClassMapLayer, handle: LayerHandle) -> None:
        """Draw the lines of what an overlay shows now; a class map has none."""
        self.field.visible = isinstance(layer, HeatmapLayer)
        lines = None
        if isinstance(layer, HeatmapLayer) and self.levels:
            lines = layer.contours(self.levels)
        self._place(lines)
        self.show_as(handle)

    def show_as(self, handle: LayerHandle) -> None:
        """Show the lines where the layer of the overlay is shown."""
        if self._handle is not None:
            self._handle.visible = handle.visible
            self._handle.swiped = handle.swiped

    def refresh(self) -> None:
        """Draw what the run has added since."""
        if self._handle is not None:
            self._handle.refresh()

    def detach(self) -> None:
        """Take the lines off the slide."""
        self._place(None)

    def _place(self, lines: ContourLayer | None) -> None:
        if lines is None:
            if self._handle is not None:
                self._viewer.remove_layer(self._handle)
            self._handle = None
        elif self._handle is None:
            self._handle = self._viewer.add_layer(lines)
        else:
            self._handle.layer = lines

    def _read(self) -> None:
        """Take the values of the field, or say what is wrong with them."""
        try:
            self.levels = levels_of(self.field.value)
        except ValueError as error:
            self.field.param.update(error_state=True, helper_text=str(error))
            return
        self.field.param.update(error_state=False, helper_text="")
        self._changed()


def levels_of(text: str) -> tuple[float, ...]:
    """Return the numbers of a text such as "0.5, 0.8" or "0,5; 0,8", each once.

    Raises
    ------
    ValueError
        If one is not a number, or there are too many; the text is for the user.
    """
    if ";" in text:
        words = [word.strip().replace(",", ".") for word in text.split(";")]
    else:
        words = _SEPARATORS.split(text.strip())
    levels: dict[float, Any] = {}
    for word in filter(None, words):
        level = _number(word)
        if not math.isfinite(level):
            message = f"'{word}' is not a number. Write for example 0.5, 0.8."
            raise ValueError(message)
        levels[level] = None
    if len(levels) > MAX_CONTOURS:
        message = f"These are {len(levels)} lines; give at most {MAX_CONTOURS}."
        raise ValueError(message)
    return tuple(levels)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan
