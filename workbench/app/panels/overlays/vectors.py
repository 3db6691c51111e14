"""Overlay of an embedding: clusters of tiles, and similarity to one tile."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel_material_ui as pmui

from workbench.app.panels.overlays.overlay import Overlay
from workbench.app.widgets.controls import STYLE, note
from workbench.layers.class_map import ClassMapLayer
from workbench.layers.heatmap import HeatmapLayer
from workbench.results.spherical_kmeans import MAX_CLUSTERS

if TYPE_CHECKING:
    from workbench.app.widgets.background import Background
    from workbench.results.heatmap import Heatmap

GROUPS: Final = "groups of tiles"
ALIKE: Final = "like one tile"
_USUAL: Final = 5
_AGAIN_S: Final = 2.0
"""Seconds between updates of clusters and similarity while a run is active."""


class VectorOverlay(Overlay):
    """Clusters of the tiles by their vectors, or their similarity to one tile.

    Both are computed in a thread from the vectors so far; a click on the slide selects
    the tile to compare with.

    Parameters
    ----------
    background : Background
    *parts, **more
        Parameters of an `Overlay`.
    """

    def __init__(self, background: Background, *parts: Any, **more: Any) -> None:
        self._found: dict[str, Heatmap] = {}
        self._point: tuple[float, float] | None = None
        self._due = 0.0
        self._known: object = None
        self.number = pmui.IntSlider(
            label="Groups", start=2, end=MAX_CLUSTERS, value=_USUAL, **STYLE
        )
        self._hint = note("Click a tile on the slide to see which others are like it.")
        super().__init__(background, *parts, **more)
        self.channel.label = "Show"
        self.number.param.watch(lambda _: self._derive(), "value_throttled")
        self.channel.param.watch(lambda _: self._derive(), "value")
        self._tapping = self._viewer.param.watch(self._tapped, "tap")
        self._derive()

    def refresh(self) -> None:
        """Show results that the run has added since."""
        super().refresh()
        version = self.run.heatmap.version
        if version != self._known and time.monotonic() >= self._due:
            self._derive()

    def detach(self) -> None:
        """Take the overlay off the slide."""
        self._viewer.param.unwatch(self._tapping)
        super().detach()

    def _channels(self) -> list[str]:
        return [GROUPS, ALIKE, *super()._channels()]

    def _first_channel(self) -> str:
        return GROUPS

    def _own_controls(self) -> list[Any]:
        return [self._hint, self.number]

    def _layer(self) -> HeatmapLayer | ClassMapLayer:
        shown = self.channel.value
        self.number.visible = shown == GROUPS
        self._hint.visible = shown == ALIKE
        found = self._found.get(shown)
        if found is None:
            style = self._style()
            return HeatmapLayer(self.run, self._pyramid, style=style)
        if shown == GROUPS:
            return ClassMapLayer(found, self._pyramid, name=GROUPS.capitalize())
        return HeatmapLayer(found, self._pyramid, style=self._style())

    def _tapped(self, event: Any) -> None:
        self._point = event.new
        if self.channel.value == ALIKE:
            self._derive()

    def _derive(self) -> None:
        """Compute what is shown from the vectors so far, in a thread."""
        shown, run = self.channel.value, self.run
        number, point = self.number.value, self._point
        if shown not in (GROUPS, ALIKE):
            self._set_length_range()
            return

        def work() -> tuple[str, Heatmap] | None:
            vectors = run.embeddings
            if len(vectors) <= number:
                return None
            if shown == GROUPS:
                heatmap = vectors.clusters(number)
            else:
                x, y = point or tuple(vectors.boxes[len(vectors) // 2, :2] + 1)
                heatmap = vectors.similarity(vectors.nearest(x, y))
            return shown, replace(heatmap, selected=run.heatmap.selected)

        self._known = run.heatmap.version
        self._due = time.monotonic() + _AGAIN_S
        self._background.do(work, self._derived, slot=f"vectors {id(self)}")

    def _derived(self, answer: tuple[str, Heatmap] | None) -> None:
        if answer is None or self.handle not in self._viewer.layers:
            return
        shown, heatmap = answer
        first = shown not in self._found
        self._found[shown] = heatmap
        if shown != self.channel.value:
            return
        low, high = heatmap.value_range
        if shown == ALIKE and (first or (low, high) != self._bounds()):
            self._range(low, high)
        self._redraw()

    def _set_length_range(self) -> None:
        values = self.run.heatmap.values
        if np.isfinite(values).any():
            low, high = float(np.nanmin(values)), float(np.nanmax(values))
            self._range(low, max(high, low + 1e-6))
            self._redraw()

    def _bounds(self) -> tuple[float, float]:
        return self.window.start, self.window.end
