"""Overlay of one run on the slide, and the controls of its display."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import panel_material_ui as pmui

from workbench.annotations.summary import summarize
from workbench.app.panels.export_menu import ExportMenu
from workbench.app.panels.overlays.contours import Contours
from workbench.app.url_state import OverlayLook
from workbench.app.widgets.controls import (
    STYLE,
    stack,
    value_slider,
)
from workbench.app.widgets.debounce import Debounce
from workbench.app.widgets.histogram import histogram_of, shares_in, shares_of
from workbench.app.widgets.lazy import Fold
from workbench.app.widgets.text import Html
from workbench.layers.class_map import ClassMapLayer
from workbench.layers.colormaps import COLORMAPS, class_colour, hex_colour
from workbench.layers.heatmap import HeatmapLayer, HeatmapStyle

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.annotations.annotation import Annotation
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.layers.layer import Pyramid
    from workbench.models.card import ModelCard
    from workbench.results.run import Run

_OPACITY: Final = 0.55
_HIDDEN: Final = 0.1
"""Share of the range that is hidden at first, so that tissue without a finding is
visible."""

_WHOLE_FROM: Final = 100
"""Numbers from here on are shown without decimals."""

_OWN: Final = "class colour"
MOST_LIKELY: Final = "most likely class"
_SUMMARIES: Final = {"their mean": "mean", "the highest": "highest"}
_SMOOTH: Final = "smooth"
_MOST_COUNTED: Final = 200_000
"""Largest number of values in view that are counted; more are thinned evenly."""

_ALL_OF_IT: Final = 0.995
"""Share of an annotation from which it counts as computed completely."""


class Overlay(pn.viewable.Viewer):
    """One heatmap over the slide, with its controls.

    Controls change only how stored values are coloured; the model does not run again.

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
        super().__init__()
        self._background = background
        self.run = run
        self._viewer = viewer
        self._pyramid = pyramid
        self._counted: object = None
        self._resting = Debounce()
        low, high = run.heatmap.value_range
        channels = self._channels()
        self.visible = pmui.Switch(
            label=run.card.name, value=True, size="small", margin=(4, 0)
        )
        self._remove = pmui.IconButton(
            icon="close", size="small", description="Remove", margin=0
        )
        self.channel = pmui.Select(
            label="Class",
            options=channels,
            value=channel if channel in channels else self._first_channel(),
            visible=len(channels) > 1,
            **STYLE,
        )
        self.colormap = pmui.Select(
            label="Colours", options=[*COLORMAPS, _OWN], value=COLORMAPS[0], **STYLE
        )
        self.opacity = value_slider("Opacity", 0.0, 1.0, _OPACITY)
        self.threshold = value_slider(
            "Hide below", low, high, low + _HIDDEN * (high - low)
        )
        self.window = value_slider("Colours from, to", low, high, (low, high))
        self.summary = pmui.Select(
            label="Many cells as",
            options=list(_SUMMARIES),
            value=next(iter(_SUMMARIES)),
            description="What a pixel shows where many cells lie under it",
            **STYLE,
        )
        self.smooth = pmui.Switch(
            label="Smooth",
            description="Values between the centres of cells, in place of cells",
            size="small",
            margin=(4, 0),
        )
        self.contours = Contours(viewer, self._draw_contours)
        self._export = ExportMenu(background)
        self._export.show(run)
        self._seen = Html("", sizing_mode="stretch_width", margin=(4, 0))
        self._drawn = self._layer()
        self.handle = viewer.add_layer(self._drawn, opacity=self.opacity.value)
        self._offer()
        self._count()
        self._watch(remove)

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
            self._seen,
            *self._own_controls(),
            self.channel,
            self.opacity,
            Fold(
                "Colours and limits",
                stack(
                    *(self.smooth, self.contours.field, self.colormap),
                    *(self.threshold, self.window, self.summary),
                ),
            ),
            *self._exports(),
            variant="outlined",
            sizing_mode="stretch_width",
            margin=(4, 0),
            sx={"p": "6px 10px"},
        )

    @property
    def look(self) -> OverlayLook:
        """Display of the overlay, as an address has it."""
        return OverlayLook(
            run=self.run.path.name,
            channel=self.channel.value,
            colours=self.colormap.value,
            opacity=self.opacity.value,
            threshold=self.threshold.value,
            visible=self.visible.value,
            window=tuple(self.window.value),
            summary=_SUMMARIES[self.summary.value],
            cells=_SMOOTH if self.smooth.value else "",
            contours=self.contours.levels,
        )

    def restore(self, look: OverlayLook) -> None:
        """Display the overlay as a look says; leave out what the run does not have."""
        summary = next(
            (s for s, name in _SUMMARIES.items() if name == look.summary), ""
        )
        for widget, value in (
            (self.channel, look.channel),
            (self.colormap, look.colours),
            (self.summary, summary),
        ):
            if value in widget.options:
                widget.value = value
        low, high = self.threshold.start, self.threshold.end
        self.threshold.value = min(high, max(low, look.threshold))
        if look.window is not None and low <= look.window[0] < look.window[1] <= high:
            self.window.value = look.window
        self.opacity.value = look.opacity
        self.visible.value = look.visible
        self.smooth.value = look.cells == _SMOOTH
        self.contours.set(look.contours)
        self._redraw()

    def on_change(self, call: Callable[..., None]) -> None:
        """Call with the event whenever the user changes the display."""
        selects = (self.channel, self.colormap, self.summary)
        others = (self.opacity, self.visible, self.smooth, self.contours.field)
        for widget in (*selects, *others):
            widget.param.watch(call, "value")
        for slider in (self.threshold, self.window):
            slider.param.watch(call, "value_throttled")

    def refresh(self) -> None:
        """Show results that the run has added since."""
        self.handle.refresh()
        self.contours.refresh()
        self._count()

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

    def set_swiped(self, swiped: bool) -> None:  # noqa: FBT001 - of a divider
        """Draw the overlay right of the divider only, or on both sides."""
        self.handle.swiped = swiped
        self.contours.show_as(self.handle)

    def detach(self) -> None:
        """Take the overlay off the slide."""
        self._viewer.param.unwatch(self._following)
        self._viewer.remove_layer(self.handle)
        self.contours.detach()

    def _channels(self) -> list[str]:
        card = self.run.card
        return [*([MOST_LIKELY] if card.exclusive else []), *card.classes]

    def _first_channel(self) -> str:
        return channel_of(self.run.card)

    def _own_controls(self) -> list[Any]:
        """Return the controls that only this kind of overlay has."""
        return []

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

    def _threshold(self) -> float | None:
        threshold: float = self.threshold.value
        return threshold if threshold > self.threshold.start else None

    def _style(self) -> HeatmapStyle:
        low, high = self.window.value
        step = self.window.step
        return HeatmapStyle(
            colormap=self._colours(),
            low=low,
            high=max(high, low + step),
            threshold=self._threshold(),
            summary=_SUMMARIES[self.summary.value],  # type: ignore[arg-type] # of these
            smooth=self.smooth.value,
        )

    def _colours(self) -> str:
        if self.colormap.value != _OWN:
            return str(self.colormap.value)
        card = self.run.card
        if self.channel.value not in card.classes:
            return hex_colour(class_colour(0))
        return hex_colour(card.palette[card.classes.index(self.channel.value)])

    def _range(self, low: float, high: float) -> None:
        """Set the range of the sliders, and reset their values."""
        step = (high - low) / 100
        hidden = low + _HIDDEN * (high - low)
        digits = max(2, math.ceil(1 - math.log10(step)))
        bounds = {
            "start": low,
            "end": high,
            "step": step,
            "format": "0." + "0" * digits,
        }
        self.threshold.param.update(**bounds, value=hidden)
        self.window.param.update(**bounds, value=(low, high))

    def _redraw(self) -> None:
        self._drawn = layer = self._layer()
        self._offer()
        self.handle.layer = layer
        self._draw_contours()
        self._count()

    def _draw_contours(self) -> None:
        self.contours.follow(self._drawn, self.handle)

    def _offer(self) -> None:
        """Show the controls that apply to the layer."""
        of_one = isinstance(self._drawn, HeatmapLayer)
        for widget in (self.colormap, self.window, self.summary, self.smooth):
            widget.visible = of_one

    def _count(self) -> None:
        """Show the histogram of the values in view, if they have changed."""
        layer, view = self._drawn, self._viewer.viewport
        now = (layer, layer.version, view)
        if now == self._counted:
            return
        self._counted = now
        heatmap = layer.heatmap
        inside = heatmap.within(view or self._viewer.slide.box)
        if isinstance(layer, ClassMapLayer):
            self._seen.object = shares_of(shares_in(inside), layer.entries)
            return
        values = inside[heatmap.classes.index(layer.name)].ravel()
        values = values[:: max(1, len(values) // _MOST_COUNTED)]
        self._seen.object = histogram_of(
            values[~np.isnan(values)],
            layer.style,
            bounds=(self.window.start, self.window.end),
            title=layer.name,
            unit=heatmap.unit,
        )

    def _moved(self) -> None:
        """Count the values in view, once the view rests."""

        def rested() -> None:
            if self.handle in self._viewer.layers:
                self._count()

        self._resting(rested)

    def _watch(self, remove: Callable[[Overlay], None]) -> None:
        for widget in (self.channel, self.colormap, self.summary, self.smooth):
            widget.param.watch(lambda _: self._redraw(), "value")
        for slider in (self.threshold, self.window):
            slider.param.watch(lambda _: self._redraw(), "value_throttled")
        self.opacity.param.watch(lambda event: self._set_opacity(event.new), "value")
        self.visible.param.watch(lambda event: self._set_visible(event.new), "value")
        self._remove.on_click(lambda _: remove(self))
        self._following = self._viewer.param.watch(lambda _: self._moved(), "viewport")

    def _set_opacity(self, opacity: float) -> None:
        self.handle.opacity = opacity

    def _set_visible(self, visible: bool) -> None:  # noqa: FBT001 - from one widget
        self.handle.visible = visible
        self.contours.show_as(self.handle)


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
