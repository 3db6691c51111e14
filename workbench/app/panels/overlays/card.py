"""Card of one overlay on the slide: its layer, and the controls of its display."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.url_state import OverlayLook
from workbench.app.widgets.controls import STYLE, stack, value_slider
from workbench.app.widgets.debounce import Debounce
from workbench.app.widgets.lazy import Fold
from workbench.app.widgets.text import Html
from workbench.layers.colormaps import COLORMAPS
from workbench.layers.heatmap import HeatmapStyle

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

    from workbench.annotations.annotation import Annotation
    from workbench.app.viewer.layer_handle import LayerHandle
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.layers.layer import Layer, Pyramid
    from workbench.results.run import Run

_OPACITY: Final = 0.55
HIDDEN: Final = 0.1
"""Share of the range that is hidden at first, so that tissue without a finding is
visible."""

_SUMMARIES: Final = {"their mean": "mean", "the highest": "highest"}


class OverlayCard(pn.viewable.Viewer):
    """One overlay on the slide, with its controls.

    Controls change only how stored values are coloured; the model does not run again.
    Subclasses make the layer (`_layer`) and describe what is in view (`_in_view`).

    Parameters
    ----------
    background : Background
    viewer : Viewer
    pyramid : Pyramid
        Pyramid of the slide.
    title : str
    key : str
        Name of the source of the values, unique among the overlays of a slide.
    value_range : (float, float)
        Range of the sliders.
    remove : callable
        Removes this overlay from its panel.
    """

    run: Run | None = None
    """Run whose values are shown; None: they are of a file."""

    def __init__(
        self,
        background: Background,
        viewer: Viewer,
        pyramid: Pyramid,
        *,
        title: str,
        key: str,
        value_range: tuple[float, float],
        remove: Callable[[Any], None],
    ) -> None:
        super().__init__()
        self._background = background
        self._viewer = viewer
        self._pyramid = pyramid
        self.key = key
        self._counted: object = None
        self._resting = Debounce()
        low, high = value_range
        channels = self._channels()
        self.visible = pmui.Switch(label=title, value=True, size="small", margin=(4, 0))
        self._remove = pmui.IconButton(
            icon="close", size="small", description="Remove", margin=0
        )
        self.compare = pmui.IconButton(
            icon="view_column",
            size="small",
            description="Show it on the slide beside this one, to compare",
            margin=0,
        )
        self.beside: LayerHandle | None = None
        """Layer in a viewer beside, in place of the one over the slide."""
        self.channel = pmui.Select(
            label="Class",
            options=channels,
            value=self._first_channel(),
            visible=len(channels) > 1,
            **STYLE,
        )
        self.colormap = pmui.Select(
            label="Colours",
            options=list(COLORMAPS),
            value=COLORMAPS[0],
            **STYLE,
        )
        self.opacity = value_slider("Opacity", 0.0, 1.0, _OPACITY)
        self.threshold = value_slider(
            "Hide below", low, high, low + HIDDEN * (high - low)
        )
        self.window = value_slider("Colours from, to", low, high, (low, high))
        self.summary = pmui.Select(
            label="Many cells as",
            options=list(_SUMMARIES),
            value=next(iter(_SUMMARIES)),
            description="What a pixel shows where many cells lie under it",
            **STYLE,
        )
        self._seen = Html("", sizing_mode="stretch_width", margin=(4, 0))
        self._drawn: Any = self._layer()
        self.handle = viewer.add_layer(self._drawn, opacity=self.opacity.value)
        self._offer()
        self._count()
        self._watch(remove)

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        head = pmui.Row(
            self.visible,
            pmui.Row(sizing_mode="stretch_width"),
            self.compare,
            self._remove,
            sizing_mode="stretch_width",
            sx={"alignItems": "center"},
        )
        return pmui.Paper(
            head,
            self._seen,
            self.channel,
            *self._own_controls(),
            self.opacity,
            Fold(
                "Colours and limits",
                stack(
                    *(*self._limits(), self.colormap),
                    *(self.threshold, self.window, self.summary),
                ),
            ),
            *self._folds(),
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
            run=self.key,
            channel=self.channel.value,
            colours=self.colormap.value,
            opacity=self.opacity.value,
            threshold=self.threshold.value,
            visible=self.visible.value,
            window=tuple(self.window.value),
            summary=_SUMMARIES[self.summary.value],
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
        self._redraw()

    def on_change(self, call: Callable[..., None]) -> None:
        """Call with the event whenever the user changes the display."""
        selects = (self.channel, self.colormap, self.summary)
        for widget in (*selects, self.opacity, self.visible):
            widget.param.watch(call, "value")
        for slider in (self.threshold, self.window):
            slider.param.watch(call, "value_throttled")

    def refresh(self) -> None:
        """Show results that the run has added since."""
        for handle in filter(None, (self.handle, self.beside)):
            handle.refresh()
        self._count()

    def set_swiped(self, swiped: bool) -> None:  # noqa: FBT001 - of a divider
        """Draw the overlay right of the divider only, or on both sides."""
        self.handle.swiped = swiped

    def show_beside(self, handle: LayerHandle | None) -> None:
        """Show the overlay in a viewer beside only; with None over the slide again."""
        self.beside = handle
        self.compare.disabled = handle is not None
        self._set_visible(self.visible.value)

    def detach(self) -> None:
        """Take the overlay off the slide."""
        self._viewer.param.unwatch(self._following)
        self._viewer.remove_layer(self.handle)

    def reading(self, annotation: Annotation) -> str:
        """Return a summary of what is shown within an annotation, as text."""
        del annotation
        return ""

    def _channels(self) -> list[str]:
        """Return the names of what can be shown."""
        raise NotImplementedError

    def _first_channel(self) -> str:
        """Return the name of what is shown first."""
        return self._channels()[0]

    def _own_controls(self) -> list[Any]:
        """Return the controls that only this kind of overlay has."""
        return []

    def _limits(self) -> list[Any]:
        """Return further controls of colours and limits."""
        return []

    def _folds(self) -> list[Any]:
        """Return what unfolds below the controls."""
        return []

    def _exports(self) -> list[Any]:
        """Return what exports the values."""
        return []

    def _layer(self) -> Layer:
        raise NotImplementedError

    @property
    def _is_of_one(self) -> bool:
        """Whether the layer shows values through a colormap."""
        raise NotImplementedError

    def _in_view(self) -> Markup:
        """Return a description of the values in view."""
        raise NotImplementedError

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
        )

    def _colours(self) -> str:
        return str(self.colormap.value)

    def _range(self, low: float, high: float, *, share: float = HIDDEN) -> None:
        """Set the range of the sliders, and hide the lowest share of it."""
        step = (high - low) / 100
        hidden = low + share * (high - low)
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
        for handle in filter(None, (self.handle, self.beside)):
            handle.layer = layer
        self._count()

    def _offer(self) -> None:
        """Show the controls that apply to the layer."""
        of_one = self._is_of_one
        for widget in (self.colormap, self.window, self.summary):
            widget.visible = of_one

    def _count(self) -> None:
        """Describe the values in view, if they have changed."""
        layer, viewer = self._drawn, self._viewer
        now = (layer, layer.version, viewer.viewport, viewer.angle)
        if now != self._counted:
            self._counted = now
            self._seen.object = self._in_view()

    def _moved(self) -> None:
        """Count the values in view, once the view rests."""

        def rested() -> None:
            if self.handle in self._viewer.layers:
                self._count()

        self._resting(rested)

    def _watch(self, remove: Callable[[Any], None]) -> None:
        for widget in (self.channel, self.colormap, self.summary):
            widget.param.watch(lambda _: self._redraw(), "value")
        for slider in (self.threshold, self.window):
            slider.param.watch(lambda _: self._redraw(), "value_throttled")
        self.opacity.param.watch(lambda event: self._set_opacity(event.new), "value")
        self.visible.param.watch(lambda event: self._set_visible(event.new), "value")
        self._remove.on_click(lambda _: remove(self))
        self._following = self._viewer.param.watch(lambda _: self._moved(), "viewport")

    def _set_opacity(self, opacity: float) -> None:
        for handle in filter(None, (self.handle, self.beside)):
            handle.opacity = opacity

    def _set_visible(self, visible: bool) -> None:  # noqa: FBT001 - from one widget
        self.handle.visible = visible and self.beside is None
        if self.beside is not None:
            self.beside.visible = visible
