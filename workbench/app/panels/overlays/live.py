"""Overlay of a run that finds instances: density, and outlines when near."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workbench.app.panels.overlays.overlay import Overlay
from workbench.layers.instances import NEAREST
from workbench.layers.live_instances import LiveInstanceLayer

if TYPE_CHECKING:
    from workbench.layers.heatmap import HeatmapStyle


class LiveOverlay(Overlay):
    """Density over the slide and, when near, the outlines of instances so far.

    Once the run has ended, `InstancePanel` shows its file of instances.

    Parameters
    ----------
    *parts, **more
        Parameters of an `Overlay`.
    """

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self._outlines: Any = None
        found = self.run.instances
        if not found.final:
            layer = LiveInstanceLayer(found, self.run.card.palette, self._pyramid)
            self._outlines = self._viewer.add_layer(layer)
        self.visible.param.watch(lambda _: self._show_outlines(), "value")

    def refresh(self) -> None:
        """Show results that the run has added since."""
        super().refresh()
        if self._outlines is None:
            return
        if self.run.instances.final:
            self._drop_outlines()
        else:
            self._outlines.refresh()

    def detach(self) -> None:
        """Take the overlay off the slide."""
        self._drop_outlines()
        super().detach()

    def _exports(self) -> list[Any]:
        """Return no menu: `InstancePanel` exports the run, with its instances."""
        return []

    def _style(self) -> HeatmapStyle:
        """Return a style that is not drawn where outlines are."""
        return replace(super()._style(), nearest=NEAREST)

    def _show_outlines(self) -> None:
        if self._outlines is not None:
            self._outlines.visible = self.visible.value

    def _drop_outlines(self) -> None:
        if self._outlines is not None:
            self._viewer.remove_layer(self._outlines)
            self._outlines = None
