"""Overlay of features: scores of tiles, and what is computed from their vectors."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import panel_material_ui as pmui
from markupsafe import Markup

from workbench.app.panels.export_menu import ExportMenu
from workbench.app.panels.features.derived import (
    ALIKE,
    COMPONENTS,
    GROUPS,
    DerivedScores,
    TileLayer,
    derive,
    is_derived,
    is_of_one,
    layer_of_all,
)
from workbench.app.panels.features.other_slides import OtherSlides
from workbench.app.panels.features.outlined import OutlinedTiles
from workbench.app.panels.features.scaling import Scaling
from workbench.app.panels.features.strips import TileStrips
from workbench.app.panels.features.text_prompts import TextPrompts
from workbench.app.panels.features.tile_values import (
    colours_of,
    described,
    in_view,
    name_of,
    rows_of,
)
from workbench.app.panels.features.vector_map import VectorMap
from workbench.app.panels.overlays.card import OverlayCard
from workbench.app.url_state import FeaturesLook
from workbench.app.viewer.seen import seen_region
from workbench.app.widgets.controls import STYLE, note
from workbench.features.scores import TileScores
from workbench.geometry import Box
from workbench.layers.tile_scores import TileScoresLayer
from workbench.results.spherical_kmeans import MAX_CLUSTERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.app.panels.features.other_slides import Place, Retrieval
    from workbench.app.panels.features.source import TileSource
    from workbench.app.url_state import OverlayLook
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.features.features import Features
    from workbench.layers.layer import Pyramid

_USUAL: Final = 5
_AGAIN_S: Final = 2.0
"""Seconds between updates of groups and similarity while a run is active."""

_NONE: Final = TileScores(np.empty((0, 4)), ("",), np.empty((0, 1)))
_GROWN: Final = 1.0
"""Room around a tile that is gone to, as a share of its side."""


class FeaturesOverlay(OverlayCard):
    """Scores of tiles, or what is computed from vectors: colours, groups, similarity.

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
        What is shown first; an unknown one gives the first score, or the principal
        components as colours.
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
        self._derived = DerivedScores()
        self._known: object = None if self.features is None else source.version
        self._due = 0.0
        self._row: int | None = None
        self._coloured = _NONE
        self.outlined = OutlinedTiles(viewer, pyramid, lambda: self.select([]))
        self._scaling = Scaling(self._redraw)
        self.scaling = self._scaling.widget
        self.number = pmui.IntSlider(
            label="Groups", start=2, end=MAX_CLUSTERS, value=_USUAL, **STYLE
        )
        self._hint = note("Click a tile on the slide to see which others are like it.")
        self._facts = note(described(self.features))
        self.strips = TileStrips(background, viewer.slide, self.go_to)
        self.map = VectorMap(background)
        self.prompts = TextPrompts(background, self.features)
        self.others: OtherSlides | None = None
        self._others = pn.Column(sizing_mode="stretch_width", margin=0)
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

    @property
    def selected(self) -> NDArray[np.int64]:
        """Rows of the tiles that are outlined."""
        return self.outlined.rows

    def select(self, rows: NDArray[np.int64] | list[int]) -> None:
        """Outline tiles on the slide, and mark them in the map; none with []."""
        boxes = _NONE.boxes if self.features is None else self.features.boxes
        self.outlined.show(boxes, rows, visible=self.visible.value)
        self._describe_selection()
        self.map.mark(self.selected)
        self._show_others()

    def retrieve_with(
        self, retrieval: Retrieval, go_to: Callable[[Place, OverlayLook], object]
    ) -> None:
        """Offer tiles of other slides; a click calls `go_to` with how to show them."""
        if self.source.has_vectors:
            self.others = OtherSlides(
                self._background,
                retrieval,
                self.source.answers,
                lambda place: go_to(place, self.look),
            )
            self._others.objects = [self.others]
            self._show_others()

    def go_to(self, row: int) -> None:
        """Move the view to a tile, and outline it."""
        if self.features is not None:
            x0, y0, x1, y1 = self.features.boxes[row]
            room = _GROWN * max(x1 - x0, y1 - y0)
            edges = (x0 - room, y0 - room, x1 + room, y1 + room)
            self._viewer.go_to(Box(*(round(edge) for edge in edges)))
            self.select([row])

    # -- in an address

    @property
    def look(self) -> OverlayLook:
        """Display of the overlay, as an address has it."""
        if self.run is not None:
            return super().look
        return FeaturesLook(
            **dict(super().look),
            scaling=self.scaling.value,
            groups=self.number.value,
            row=self._row,
            given=tuple((k, f"{v}") for k, v in self.source.answers.items()),
        )

    def restore(self, look: OverlayLook) -> None:
        """Display the overlay as a look says; leave out what the file does not have."""
        if isinstance(look, FeaturesLook):
            self._row = look.row
            self.number.value = min(max(look.groups, self.number.start), MAX_CLUSTERS)
        super().restore(look)
        if isinstance(look, FeaturesLook):
            self._derive()
            if look.scaling in self.scaling.options:
                self.scaling.value = look.scaling

    def on_change(self, call: Callable[..., None]) -> None:
        """Call with the event whenever the user changes the display."""
        super().on_change(call)
        self.scaling.param.watch(call, "value")
        self.number.param.watch(call, "value_throttled")

    # -- what is shown

    def _channels(self) -> list[str]:
        vectors = [COMPONENTS, GROUPS, ALIKE] if self.source.has_vectors else []
        texts, scores = self._derived.text_channels, list(self.source.scores)
        both = (scores, vectors) if self.run is None else (vectors, scores)
        return [*texts, *both[0], *both[1]]

    def _first_channel(self) -> str:
        known = self._channels()
        return self._wanted if self._wanted in known else known[0]

    def _own_controls(self) -> list[Any]:
        return [self._facts, self._hint, self.number, self.scaling]

    def _folds(self) -> list[Any]:
        if not self.source.has_vectors:
            return [self.outlined, self.strips]
        texts = [self.prompts] if self.prompts.possible else []
        return [self.outlined, self.strips, self.map, *texts, self._others]

    def _exports(self) -> list[Any]:
        return [] if self.run is None else [self._export]

    @property
    def scores(self) -> TileScores | None:
        """What is shown, by tile; None: it is not computed yet."""
        shown = self.channel.value
        if is_derived(shown):
            return self._derived.get(shown)
        scores = None if self.features is None else self.features.scores
        if scores is None:
            return None
        return scores.only(shown)

    def _layer(self) -> TileLayer:
        scores, style = self.scores, self._style()
        if scores is None:
            self._coloured = replace(_NONE, names=(self.channel.value,))
            return TileScoresLayer(self._coloured, self._pyramid, style=style)
        if not self._is_of_one:
            self._coloured = scores
            return layer_of_all(self.channel.value, scores, self._pyramid)
        if not self._scaling.is_ranked:
            self._coloured = scores
            return TileScoresLayer(scores, self._pyramid, style=style)
        shown = self.channel.value
        key = (shown, self._known, id(self._derived.found.get(shown)))
        self._coloured = self._scaling.ranks(scores, key)
        return TileScoresLayer(
            self._coloured, self._pyramid, style=style, stored=scores
        )

    @property
    def _is_of_one(self) -> bool:
        return is_of_one(self.channel.value)

    def _offer(self) -> None:
        super()._offer()
        shown = self.channel.value
        self.number.visible = shown == GROUPS
        self.threshold.visible = self.scaling.visible = self._is_of_one
        self._hint.visible = shown == ALIKE

    def _in_view(self) -> Markup:
        if not len(self._coloured):
            return Markup()
        bounds = (self.window.start, self.window.end)
        return in_view(self._drawn, self._coloured, seen_region(self._viewer), bounds)

    def _redraw(self) -> None:
        self._fit()
        super()._redraw()
        self._describe_selection()
        self._show_tiles()

    def _fit(self) -> None:
        """Set scaling and range for values that were not shown before."""
        scores, shown = self.scores, self.channel.value
        if scores is not None and self._is_of_one:
            found = self._scaling.fit(scores, shown, alike=shown == ALIKE)
            if found is not None:
                self._range(*found, share=0.0)

    def _set_visible(self, visible: bool) -> None:  # noqa: FBT001 - from one widget
        super()._set_visible(visible)
        self.outlined.set_visible(visible)

    # -- what is computed

    def _derive(self) -> None:
        """Read new tiles of a run, and compute what is shown, in a thread."""
        shown, number, row = self.channel.value, self.number.value, self._row
        features, source = self.features, self.source
        stale = source.version != self._known

        def work() -> tuple[Features, TileScores | None]:
            found = source.load() if stale or features is None else features
            return found, derive(found, shown, number, row)

        known = shown == COMPONENTS and self._derived.get(shown) is not None
        if stale or (is_derived(shown) and not known):
            self._known = source.version
            self._due = time.monotonic() + _AGAIN_S
            self._background.do(
                work,
                lambda answer: self._computed(shown, *answer),
                slot=f"features {id(self)}",
            )

    def _computed(
        self, shown: str, features: Features, scores: TileScores | None
    ) -> None:
        if self.handle not in self._viewer.layers:
            return
        if features is not self.features:
            self.features = self.prompts.features = features
            self._facts.object = described(features)
            self._derived.found.pop(COMPONENTS, None)
        if scores is not None:
            self._derived.found[shown] = scores
        self._redraw()

    def _score_texts(self, scores: TileScores) -> None:
        """Offer the scores of texts, and show the first."""
        self._derived.texts = scores
        channels = self._channels()
        self.channel.param.update(options=channels, value=channels[0])
        self._redraw()

    def _connect(self) -> None:
        self.number.param.watch(lambda _: self._derive(), "value_throttled")
        self.channel.param.watch(lambda _: self._derive(), "value")
        self.prompts.param.watch(lambda event: self._score_texts(event.new), "scores")
        self.strips.param.watch(lambda _: self._show_tiles(), "opened")
        self.map.param.watch(lambda _: self._show_tiles(), "opened")
        self.map.param.watch(lambda event: self.select(event.new), "chosen")
        self._tapping = self._viewer.param.watch(self._tapped, "tap")

    def _tapped(self, event: Any) -> None:
        """Compare with the tile that was clicked, and mark it in the map."""
        compared = self.channel.value == ALIKE
        searched = self.others is not None and self.others.opened
        if self.features is None or not (compared or self.map.opened or searched):
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

    def _describe_selection(self) -> None:
        self.outlined.describe(self.scores if self._is_of_one else None)

    def _show_others(self) -> None:
        """Look for the one tile that is outlined in other slides."""
        if self.others is not None and self.features is not None:
            one = int(self.selected[0]) if len(self.selected) == 1 else None
            self.others.show(self.features, one)
