"""The overlay of a run that finds objects: their density and, under way, outlines."""

from __future__ import annotations

from typing import Any

from workbench.app.overlay import Overlay
from workbench.layers.live_instances import LiveInstanceLayer
from workbench.objects import LiveObjects


class LiveOverlay(Overlay):
    """Density over the slide, with the outlines of what was found so far.

    Once the run has ended its objects are a file, which `InstancePanel` shows.

    Parameters
    ----------
    *parts, **more
        Of an `Overlay`.
    """

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self._outlines: Any = None
        found = self.run.instances
        if isinstance(found, LiveObjects):
            layer = LiveInstanceLayer(found, self.run.card.palette, self._pyramid)
            self._outlines = self._viewer.add_layer(layer)
        self.visible.param.watch(lambda _: self._show_outlines(), "value")

    def refresh(self) -> None:
        """Show what has been added to the run since."""
        super().refresh()
        if self._outlines is None:
            return
        if isinstance(self.run.instances, LiveObjects):
            self._outlines.refresh()
        else:
            self._drop_outlines()

    def detach(self) -> None:
        """Take the overlay off the slide."""
        self._drop_outlines()
        super().detach()

    def _show_outlines(self) -> None:
        if self._outlines is not None:
            self._outlines.visible = self.visible.value

    def _drop_outlines(self) -> None:
        if self._outlines is not None:
            self._viewer.remove_layer(self._outlines)
            self._outlines = None
