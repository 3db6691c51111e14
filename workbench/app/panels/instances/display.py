"""How instances are drawn: visibility, opacity, colours and their legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.panels.instances.shown import words_of
from workbench.app.widgets.controls import STYLE, PromptSlider, side_by_side, stack
from workbench.app.widgets.html_snippets import legend_of
from workbench.app.widgets.text import Html
from workbench.layers.colormaps import COLORMAPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.panels.instances.shown import ShownInstances
    from workbench.app.url_state import InstancesLook

OPACITY: Final = 0.8
"""Opacity of instances at first."""

_BY_CLASS: Final = "class"


class InstanceDisplay(pn.viewable.Viewer):
    """Controls for the drawing of instances.

    Parameters
    ----------
    changed : callable
        Called when visibility or opacity have changed; colours are part of the
        `style` of `ShownInstances`.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed
        self._shown: ShownInstances | None = None
        self._filling = False
        self.visible = pmui.Switch(
            label="Show", value=True, size="small", margin=(4, 0)
        )
        self.opacity = PromptSlider(
            label="Opacity",
            start=0,
            end=1,
            step=0.01,
            value=OPACITY,
            size="small",
            sizing_mode="stretch_width",
            margin=(2, 8),
        )
        self.by = pmui.Select(label="Colour by", options=[_BY_CLASS], **STYLE)
        self.colormap = pmui.Select(label="Colours", options=[*COLORMAPS], **STYLE)
        self.legend = Html("", sizing_mode="stretch_width", margin=(4, 0))
        for widget in (self.visible, self.opacity):
            widget.param.watch(lambda _: self.apply(), "value")
        for widget in (self.by, self.colormap):
            widget.param.watch(lambda _: self._recolour(), "value")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(side_by_side(self.by, self.colormap), self.opacity)

    @property
    def switches(self) -> Any:
        """Return the switch of the layer, and the legend of its colours."""
        return stack(self.visible, self.legend)

    def show(self, shown: ShownInstances | None) -> None:
        """Control other instances from now on, coloured by class at first."""
        self._shown = shown
        if shown is None:
            return
        self._filling = True
        try:
            options = {_BY_CLASS: _BY_CLASS, **words_of(shown.values)}
            self.by.param.update(options=options, value=_BY_CLASS)
            self.colormap.visible = False
        finally:
            self._filling = False

    def describe(self) -> None:
        """Show the legend of the colours."""
        if self._shown is not None:
            legend = self._shown.handle.layer.legend
            self.legend.object = legend_of(legend) if legend else ""

    def restore(self, look: InstancesLook) -> None:
        """Draw instances as a look says; colour by class where it has no such value."""
        self.visible.value, self.opacity.value = look.visible, look.opacity
        known = () if self._shown is None else self._shown.values
        self.by.value = look.by if look.by in known else _BY_CLASS
        if look.colours in COLORMAPS:
            self.colormap.value = look.colours

    def apply(self) -> None:
        """Give the layer its visibility and its opacity."""
        if self._shown is not None:
            self._shown.handle.visible = self.visible.value
            self._shown.handle.opacity = self.opacity.value
            self._changed()

    def _recolour(self) -> None:
        if self._shown is None or self._filling:
            return
        self.colormap.visible = self.by.value != _BY_CLASS
        self._shown.colour_by(self.by.value, self.colormap.value)
