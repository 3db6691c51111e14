"""Overlay of one run on the slide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel_material_ui as pmui

from workbench.annotations.summary import summarize
from workbench.app.catalog.runs import key_of
from workbench.app.panels.export_menu import ExportMenu
from workbench.app.panels.overlays.card import OverlayCard
from workbench.app.panels.overlays.contours import Contours
from workbench.app.viewer.seen import seen_region
from workbench.app.widgets.histogram import histogram_of, shares_in, shares_of
from workbench.layers.class_map import ClassMapLayer
from workbench.layers.colormaps import COLORMAPS, class_colour, hex_colour
from workbench.layers.heatmap import HeatmapLayer, HeatmapStyle

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

    from workbench.annotations.annotation import Annotation
    from workbench.app.url_state import OverlayLook
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.layers.layer import Pyramid
    from workbench.models.card import ModelCard
    from workbench.results.run import Run

_WHOLE_FROM: Final = 100
"""Numbers from here on are shown without decimals."""

_OWN: Final = "class colour"
MOST_LIKELY: Final = "most likely class"
_SMOOTH: Final = "smooth"
_MOST_COUNTED: Final = 200_000
"""Largest number of values in view that are counted; more are thinned evenly."""

_ALL_OF_IT: Final = 0.995
"""Share of an annotation from which it counts as computed completely."""


class Overlay(OverlayCard):
    """One heatmap of a run over the slide, with its controls.

    Parameters
    ----------
    background : Background
    run : Run
        Run whose heatmap is shown; it may still be active.
    viewer : Viewer
    pyramid : Pyramid
        Pyramid of the slide.
    channel : str
        Class shown first; an unknown one gives that of `channel_of`.
    remove : callable
        Removes this overlay from its panel.
    """

    run: Run

    def __init__(
        self,
        background: Background,
        run: Run,
        viewer: Viewer,
        pyramid: Pyramid,
        *,
        channel: str,
        remove: Callable[[Overlay], None],
    ) -> None:
        self.run = run
        self._wanted = channel
        self.smooth = pmui.Switch(
            label="Smooth",
            description="Values between the centres of cells, in place of cells",
            size="small",
            margin=(4, 0),
        )
        self.contours = Contours(viewer, self._draw_contours)
        super().__init__(
            *(background, viewer, pyramid),
            title=run.card.name,
            key=key_of(run),
            value_range=run.heatmap.value_range,
            remove=remove,
        )
        self.colormap.options = [*COLORMAPS, _OWN]
        self._export = ExportMenu(background)
        self._export.show(run)
        self.smooth.param.watch(lambda _: self._redraw(), "value")

    @property
    def look(self) -> OverlayLook:
        """Display of the overlay, as an address has it."""
        cells = _SMOOTH if self.smooth.value else ""
        more = {"cells": cells, "contours": self.contours.levels}
        return super().look.model_copy(update=more)

    def restore(self, look: OverlayLook) -> None:
        """Display the overlay as a look says; leave out what the run does not have."""
        self.smooth.value = look.cells == _SMOOTH
        self.contours.set(look.contours)
        super().restore(look)

    def on_change(self, call: Callable[..., None]) -> None:
        """Call with the event whenever the user changes the display."""
        super().on_change(call)
        for widget in (self.smooth, self.contours.field):
            widget.param.watch(call, "value")

    def refresh(self) -> None:
        """Show results that the run has added since."""
        self.contours.refresh()
        super().refresh()

    def set_swiped(self, swiped: bool) -> None:  # noqa: FBT001 - of a divider
        """Draw the overlay right of the divider only, or on both sides."""
        super().set_swiped(swiped)
        self.contours.show_as(self.handle)

    def detach(self) -> None:
        """Take the overlay off the slide."""
        super().detach()
        self.contours.detach()

    def reading(self, annotation: Annotation) -> str:
        """Return a summary of the shown class within an annotation, as text."""
        record, channel = self.run.record, self.channel.value
        if channel not in self.run.heatmap.classes:
            return ""
        table = summarize(
            self.run.heatmap,
            [annotation],
            threshold=self.threshold.value,
            mpp=record["slide"]["mpp"],
        )
        if table.empty:
            return ""
        row = table[table["class"] == channel].iloc[0]
        if not row["cells"]:
            return f"{channel}: not computed here."
        part = row["computed"] < _ALL_OF_IT
        what = f"what was computed ({row['computed']:.0%} of it)" if part else "it"
        return (
            f"{channel}: mean {_number(row['mean'])}, {row['above']:.0%} of {what} at"
            f" {_number(self.threshold.value)} or more."
        )

    def _channels(self) -> list[str]:
        card = self.run.card
        return [*([MOST_LIKELY] if card.exclusive else []), *card.classes]

    def _first_channel(self) -> str:
        known = self._wanted in self._channels()
        return self._wanted if known else channel_of(self.run.card)

    def _limits(self) -> list[Any]:
        return [self.smooth, self.contours.field]

    def _exports(self) -> list[Any]:
        return [self._export]

    def _layer(self) -> HeatmapLayer | ClassMapLayer:
        if self.channel.value == MOST_LIKELY:
            return ClassMapLayer(
                self.run,
                self._pyramid,
                colours=self.run.card.palette,
                threshold=self._threshold(),
            )
        return HeatmapLayer(
            self.run, self._pyramid, channel=self.channel.value, style=self._style()
        )

    def _style(self) -> HeatmapStyle:
        return replace(super()._style(), smooth=self.smooth.value)

    def _redraw(self) -> None:
        super()._redraw()
        self._draw_contours()

    def _draw_contours(self) -> None:
        self.contours.follow(self._drawn, self.handle)

    def _offer(self) -> None:
        super()._offer()
        self.smooth.visible = self._is_of_one

    def _set_visible(self, visible: bool) -> None:  # noqa: FBT001 - from one widget
        super()._set_visible(visible)
        self.contours.show_as(self.handle)

    def _colours(self) -> str:
        if self.colormap.value != _OWN:
            return str(self.colormap.value)
        card = self.run.card
        if self.channel.value not in card.classes:
            return hex_colour(class_colour(0))
        return hex_colour(card.palette[card.classes.index(self.channel.value)])

    @property
    def _is_of_one(self) -> bool:
        return isinstance(self._drawn, HeatmapLayer)

    def _in_view(self) -> Markup:
        """Return the histogram of the values in view, or the share of each class."""
        layer = self._drawn
        heatmap = layer.heatmap
        inside = heatmap.within(seen_region(self._viewer))
        if isinstance(layer, ClassMapLayer):
            return shares_of(shares_in(inside), layer.entries)
        values = inside[heatmap.classes.index(layer.name)].ravel()
        values = values[:: max(1, len(values) // _MOST_COUNTED)]
        return histogram_of(
            values[~np.isnan(values)],
            layer.style,
            bounds=(self.window.start, self.window.end),
            title=layer.name,
            unit=heatmap.unit,
        )


def channel_of(card: ModelCard) -> str:
    """Return the channel shown first: for exclusive classes, the most likely class.

    Otherwise a tumour class if there is one, else the first class.
    """
    if card.exclusive and card.activation == "softmax":
        return MOST_LIKELY
    wanted = ("tumour", "tumor", "cancer", "malignant")
    named = (c for c in card.classes if any(word in c.lower() for word in wanted))
    return next(named, card.classes[0])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.3g}"
