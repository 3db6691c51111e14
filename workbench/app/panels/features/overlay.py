"""Overlay of features: scores of tiles, groups of vectors, similarity to one tile."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel_material_ui as pmui
from markupsafe import Markup

from workbench.app.panels.export_menu import ExportMenu
from workbench.app.panels.features.strips import TileStrips
from workbench.app.panels.features.tile_values import (
    colours_of,
    in_view,
    is_spread,
    name_of,
    range_of,
    rows_of,
)
from workbench.app.panels.features.vector_map import VectorMap
from workbench.app.panels.overlays.card import OverlayCard
from workbench.app.widgets.controls import STYLE, choice, note, side_by_side
from workbench.features.scores import TileScores
from workbench.geometry import Box
from workbench.layers.tile_outlines import TileOutlineLayer
from workbench.layers.tile_scores import TileClassLayer, TileScoresLayer
from workbench.results.spherical_kmeans import MAX_CLUSTERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.app.panels.features.source import TileSource
    from workbench.app.viewer.layer_handle import LayerHandle
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.features.features import Features
    from workbench.layers.layer import Pyramid

GROUPS: Final = "groups of tiles"
ALIKE: Final = "like one tile"
RANKED: Final = "percentiles"
LINEAR: Final = "values"
_USUAL: Final = 5
_AGAIN_S: Final = 2.0
"""Seconds between updates of groups and similarity while a run is active."""

_NONE: Final = TileScores(np.empty((0, 4)), ("",), np.empty((0, 1)))
_GROWN: Final = 1.0
"""Room around a tile that is gone to, as a share of its side."""


class FeaturesOverlay(OverlayCard):
    """Scores of tiles, groups of tiles by their vectors, or similarity to one tile.

    What needs the vectors is computed in a thread; a click on the slide selects the
    tile to compare with.

    Parameters
    ----------
    background : Background
    source : TileSource
    viewer : Viewer
    pyramid : Pyramid
        Pyramid of the slide.
    channel : str
        What is shown first; an unknown one gives the first score, or groups.
    remove : callable
        Removes this overlay from its panel.
    """

    def __init__(
        self,
        background: Background,
        source: TileSource,
        viewer: Viewer,
        pyramid: Pyramid,
        *,
        channel: str,
        remove: Callable[[FeaturesOverlay], None],
    ) -> None:
        self.run = source.run
        self.source = source
        self._wanted = channel
        self.features: Features | None = None if source.run else source.load()
        self._found: dict[str, TileScores] = {}
        self._known: object = None if self.features is None else source.version
        self._due = 0.0
        self._row: int | None = None
        self._fitted: tuple[object, ...] = ("", "", 0)
        self._fitting = False
        self._coloured = _NONE
        self._ranked: tuple[object, TileScores] = ((), _NONE)
        self._outlines: LayerHandle | None = None
        self.selected = np.empty(0, np.int64)
        """Rows of the tiles that are outlined."""
        self.scaling = choice("Colours by", [RANKED, LINEAR], LINEAR)
        self.number = pmui.IntSlider(
            label="Groups", start=2, end=MAX_CLUSTERS, value=_USUAL, **STYLE
        )
        self._hint = note("Click a tile on the slide to see which others are like it.")
        self._facts = note(self._description())
        self._chosen = note("", visible=False)
        self._clear = pmui.IconButton(
            icon="deselect", size="small", margin=0, visible=False
        )
        self._clear.description = "Clear the outlines"
        self.strips = TileStrips(background, viewer.slide, self.go_to)
        self.map = VectorMap(background)
        super().__init__(
            *(background, viewer, pyramid),
            title=source.title,
            key=source.key,
            value_range=(0.0, 1.0),
            remove=remove,
        )
        self.channel.label = "Show"
        self.summary.label = "Many tiles as"
        self._export = ExportMenu(background)
        self._export.show(source.run)
        self._range(0.0, 1.0, share=0.0)
        self._connect()
        self._redraw()
        self._derive()

    def refresh(self) -> None:
        """Show results that the run has added since."""
        super().refresh()
        if self.source.version != self._known and time.monotonic() >= self._due:
            self._derive()

    def detach(self) -> None:
        """Take the overlay off the slide."""
        self._viewer.param.unwatch(self._tapping)
        self.select([])
        super().detach()

    def select(self, rows: NDArray[np.int64] | list[int]) -> None:
        """Outline tiles on the slide, and mark them in the map; none with []."""
        self.selected = np.asarray(rows, np.int64)
        count = len(self.selected)
        if self._outlines is not None:
            self._viewer.remove_layer(self._outlines)
            self._outlines = None
        if count and self.features is not None:
            layer = TileOutlineLayer(self.features.boxes[self.selected], self._pyramid)
            self._outlines = self._viewer.add_layer(layer, visible=self.visible.value)
        self._chosen.param.update(object=self._selection(), visible=bool(count))
        self._clear.visible = bool(count)
        self.map.mark(self.selected)

    def go_to(self, row: int) -> None:
        """Move the view to a tile, and outline it."""
        if self.features is not None:
            x0, y0, x1, y1 = self.features.boxes[row]
            room = _GROWN * max(x1 - x0, y1 - y0)
            edges = (x0 - room, y0 - room, x1 + room, y1 + room)
            self._viewer.go_to(Box(*(round(edge) for edge in edges)))
            self.select([row])

    # -- what is shown

    def _channels(self) -> list[str]:
        vectors = [GROUPS, ALIKE] if self.source.has_vectors else []
        scores = list(self.source.scores)
        return [*scores, *vectors] if self.run is None else [*vectors, *scores]

    def _first_channel(self) -> str:
        known = self._channels()
        return self._wanted if self._wanted in known else known[0]

    def _own_controls(self) -> list[Any]:
        return [self._facts, self._hint, self.number, self.scaling]

    def _folds(self) -> list[Any]:
        picked = side_by_side(self._chosen, self._clear)
        maps = [self.map] if self.source.has_vectors else []
        return [picked, self.strips, *maps]

    def _exports(self) -> list[Any]:
        return [] if self.run is None else [self._export]

    @property
    def scores(self) -> TileScores | None:
        """What is shown, by tile; None: it is not computed yet."""
        shown = self.channel.value
        if shown in (GROUPS, ALIKE):
            return self._found.get(shown)
        scores = None if self.features is None else self.features.scores
        if scores is None:
            return None
        return scores.only(shown)

    def _layer(self) -> TileScoresLayer | TileClassLayer:
        scores, style = self.scores, self._style()
        if scores is None:
            self._coloured = replace(_NONE, names=(self.channel.value,))
            return TileScoresLayer(self._coloured, self._pyramid, style=style)
        if self.channel.value == GROUPS:
            self._coloured = scores
            return TileClassLayer(scores, self._pyramid, name=GROUPS.capitalize())
        if self.scaling.value == LINEAR:
            self._coloured = scores
            return TileScoresLayer(scores, self._pyramid, style=style)
        self._coloured = self._ranks(scores)
        return TileScoresLayer(
            self._coloured, self._pyramid, style=style, stored=scores
        )

    def _ranks(self, scores: TileScores) -> TileScores:
        """Return percentiles, computed once for each channel and version."""
        shown = self.channel.value
        key = (shown, self._known, id(self._found.get(shown)))
        if key != self._ranked[0]:
            self._ranked = (key, scores.percentiles())
        return self._ranked[1]

    @property
    def _is_of_one(self) -> bool:
        return bool(self.channel.value != GROUPS)

    def _offer(self) -> None:
        super()._offer()
        shown = self.channel.value
        self.number.visible = shown == GROUPS
        self.threshold.visible = self.scaling.visible = shown != GROUPS
        self._hint.visible = shown == ALIKE

    def _in_view(self) -> Markup:
        if not len(self._coloured):
            return Markup()
        view = self._viewer.viewport or self._viewer.slide.box
        bounds = (self.window.start, self.window.end)
        return in_view(self._drawn, self._coloured, view, bounds)

    def _redraw(self) -> None:
        self._fit()
        super()._redraw()
        self._chosen.object = self._selection()
        self._show_tiles()

    def _fit(self) -> None:
        """Set scaling and range for values that were not shown before."""
        scores, shown = self.scores, self.channel.value
        if scores is None or shown == GROUPS:
            return
        values = scores.values[np.isfinite(scores.values)]
        if self._fitted[0] != shown:
            self._fitting = True
            self.scaling.value = (
                LINEAR if is_spread(values, alike=shown == ALIKE) else RANKED
            )
            self._fitting = False
        now = (shown, self.scaling.value, id(scores) if shown == ALIKE else 0)
        if now != self._fitted:
            self._fitted = now
            ranked = self.scaling.value == RANKED
            low, high = (
                (0.0, 100.0) if ranked else range_of(values, alike=shown == ALIKE)
            )
            self._range(low, high, share=0.0)

    def _set_visible(self, visible: bool) -> None:  # noqa: FBT001 - from one widget
        super()._set_visible(visible)
        if self._outlines is not None:
            self._outlines.visible = visible

    # -- what is computed

    def _derive(self) -> None:
        """Read new tiles of a run, and compute what is shown, in a thread."""
        shown, number, row = self.channel.value, self.number.value, self._row
        features, source = self.features, self.source
        stale = source.version != self._known

        def work() -> tuple[Features, TileScores | None]:
            found = source.load() if stale or features is None else features
            if shown == GROUPS and found.vectors.shape[0] > number:
                return found, found.clusters(number)
            if shown == ALIKE and row is not None:
                return found, found.similarity(row)
            return found, None

        if stale or (shown == GROUPS) or (shown == ALIKE and row is not None):
            self._known = source.version
            self._due = time.monotonic() + _AGAIN_S
            self._background.do(
                work,
                lambda answer: self._derived(shown, *answer),
                slot=f"features {id(self)}",
            )

    def _derived(
        self, shown: str, features: Features, scores: TileScores | None
    ) -> None:
        if self.handle not in self._viewer.layers:
            return
        if features is not self.features:
            self.features = features
            self._facts.object = self._description()
        if scores is not None:
            self._found[shown] = scores
        self._redraw()

    def _connect(self) -> None:
        self.number.param.watch(lambda _: self._derive(), "value_throttled")
        self.channel.param.watch(lambda _: self._derive(), "value")
        self.scaling.param.watch(lambda _: self._rescaled(), "value")
        self._clear.on_click(lambda _: self.select([]))
        self.strips.param.watch(lambda _: self._show_tiles(), "opened")
        self.map.param.watch(lambda _: self._show_tiles(), "opened")
        self.map.param.watch(lambda event: self.select(event.new), "chosen")
        self._tapping = self._viewer.param.watch(self._tapped, "tap")

    def _rescaled(self) -> None:
        if not self._fitting:
            self._redraw()

    def _tapped(self, event: Any) -> None:
        """Compare with the tile that was clicked, and mark it in the map."""
        compared = self.channel.value == ALIKE
        if self.features is None or not (compared or self.map.opened):
            return
        if not len(self.features):
            return
        x, y = event.new
        row = self.features.nearest(x, y)
        x0, y0, x1, y1 = self.features.boxes[row]
        if x0 <= x < x1 and y0 <= y < y1:
            self.select([row])
            if compared:
                self._row = row
                self._derive()

    # -- tiles in strips and in the map

    def _show_tiles(self) -> None:
        """Show the tiles of what is drawn in the strips and in the map, if open."""
        scores, features = self.scores, self.features
        if features is None:
            return
        if self.strips.opened:
            rows = (
                {}
                if scores is None
                else rows_of(scores, alike=self.channel.value == ALIKE)
            )
            self.strips.show(features.boxes, rows, partial(name_of, scores, rows))
        if self.map.opened:
            colours = colours_of(self._drawn, self._coloured, len(features))
            self.map.show(features, colours, self.selected)

    def _selection(self) -> str:
        """Return how many tiles are outlined, and the mean of what is shown there."""
        count, scores = len(self.selected), self.scores
        text = f"{count:,} {'tile' if count == 1 else 'tiles'} outlined"
        if scores is None or self.channel.value == GROUPS or not count:
            return text
        values = scores.values[self.selected, 0]
        known = values[np.isfinite(values)]
        mean = "mean " if count > 1 else ""
        return (
            f"{text}: {mean}{scores.names[0]} {known.mean():.4g}"
            if len(known)
            else text
        )

    def _description(self) -> str:
        """Return what the features hold, and what is unusual in them."""
        if self.features is None:
            return ""
        facts = self.features.description()
        facts.pop("Scores", None)
        return " ".join([f"{', '.join(facts.values())}.", *self.features.notes])
