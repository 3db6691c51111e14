"""The overlays: what has been found, over the slide, each in its own colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui
import param

from workbench.annotations.summary import summarise
from workbench.app.address import OverlayLook
from workbench.app.controls import (
    STYLE,
    button,
    floating,
    note,
    side_by_side,
    stack,
)
from workbench.app.swatch import legend_of
from workbench.layers.colour import COLORMAPS, class_colour, hex_colour
from workbench.layers.heatmap import HeatmapLayer, HeatmapStyle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workbench.annotations.annotation import Annotation
    from workbench.app.layer_handle import LayerHandle
    from workbench.app.runs import SavedRun
    from workbench.app.viewer import Viewer
    from workbench.layers.layer import Pyramid
    from workbench.store import Run

_OPACITY: Final = 0.55
_HIDDEN: Final = 0.1
"""Share of the range that is hidden at first, so that tissue is seen where nothing
was found."""

_WHOLE_FROM: Final = 100
"""Numbers from which on digits after the point say nothing."""

_OWN: Final = "class colour"


class Overlay(pn.viewable.Viewer):
    """One heatmap over the slide, with its controls.

    Parameters
    ----------
    run : Run
        Its heatmap may still be growing.
    viewer : Viewer
    pyramid : Pyramid
        Of the slide.
    channel : str
        The class to show first; the run's first one if it has none of that name.
    remove : callable
        Takes this overlay when its user wants it no more.
    """

    def __init__(
        self,
        run: Run,
        viewer: Viewer,
        pyramid: Pyramid,
        *,
        channel: str,
        remove: Callable[[Overlay], None],
    ) -> None:
        super().__init__()
        self.run = run
        self._viewer = viewer
        self._pyramid = pyramid
        heatmap = run.heatmap
        low, high = heatmap.value_range
        classes = list(heatmap.classes)
        self.visible = pmui.Switch(
            label=run.card.name, value=True, size="small", margin=(4, 0)
        )
        self._remove = pmui.IconButton(
            icon="close", size="small", description="Remove", margin=0
        )
        self.channel = pmui.Select(
            label="Class",
            options=classes,
            value=channel if channel in classes else classes[0],
            visible=len(classes) > 1,
            **STYLE,
        )
        self.colormap = pmui.Select(
            label="Colours", options=[*COLORMAPS, _OWN], value=COLORMAPS[0], **STYLE
        )
        self.opacity = _slider("Opacity", 0.0, 1.0, _OPACITY)
        self.threshold = _slider("Hide below", low, high, low + _HIDDEN * (high - low))
        self._legend = pn.pane.HTML("", sizing_mode="stretch_width", margin=(4, 0))
        self.handle = self._add()
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
            self._legend,
            side_by_side(self.channel, self.colormap),
            self.opacity,
            self.threshold,
            variant="outlined",
            sizing_mode="stretch_width",
            margin=(4, 0),
            sx={"p": "6px 10px"},
        )

    @property
    def look(self) -> OverlayLook:
        """How it is shown, as an address has it."""
        return OverlayLook(
            run=self.run.path.name,
            channel=self.channel.value,
            colours=self.colormap.value,
            opacity=self.opacity.value,
            threshold=self.threshold.value,
            visible=self.visible.value,
        )

    def restore(self, look: OverlayLook) -> None:
        """Show it as it was; what the run does not have stays as it is."""
        for widget, value in (
            (self.channel, look.channel),
            (self.colormap, look.colours),
        ):
            if value in widget.options:
                widget.value = value
        low, high = self.threshold.start, self.threshold.end
        self.threshold.value = min(high, max(low, look.threshold))
        self.opacity.value = look.opacity
        self.visible.value = look.visible
        self._redraw()

    def on_change(self, call: Callable[..., None]) -> None:
        """Call with what has changed whenever the user changes how it is shown."""
        for widget in (self.channel, self.colormap, self.opacity, self.visible):
            widget.param.watch(call, "value")
        self.threshold.param.watch(call, "value_throttled")

    def refresh(self) -> None:
        """Show what has been added to the run since."""
        self.handle.refresh()

    def reading(self, annotation: Annotation) -> str:
        """Return what the shown class is like within an annotation."""
        record, channel = self.run.record, self.channel.value
        table = summarise(
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
        return (
            f"{channel}: mean {_number(row['mean'])}, {row['above']:.0%} of it at"
            f" {_number(self.threshold.value)} or more."
        )

    def detach(self) -> None:
        """Take the overlay off the slide."""
        self._viewer.remove_layer(self.handle)

    def _layer(self) -> HeatmapLayer:
        low, high = self.run.heatmap.value_range
        threshold = self.threshold.value
        style = HeatmapStyle(
            colormap=self._colours(),
            low=low,
            high=high,
            threshold=threshold if threshold > low else None,
        )
        return HeatmapLayer(
            self.run, self._pyramid, channel=self.channel.value, style=style
        )

    def _colours(self) -> str:
        if self.colormap.value != _OWN:
            return str(self.colormap.value)
        card = self.run.card
        number = card.classes.index(self.channel.value)
        return hex_colour(
            card.colours[number] if card.colours else class_colour(number)
        )

    def _add(self) -> LayerHandle:
        layer = self._layer()
        self._describe(layer)
        return self._viewer.add_layer(layer, opacity=self.opacity.value)

    def _describe(self, layer: HeatmapLayer) -> None:
        self._legend.object = legend_of(layer.legend) if layer.legend else ""

    def _redraw(self) -> None:
        layer = self._layer()
        self._describe(layer)
        self.handle.layer = layer

    def _watch(self, remove: Callable[[Overlay], None]) -> None:
        for widget in (self.channel, self.colormap):
            widget.param.watch(lambda _: self._redraw(), "value")
        self.threshold.param.watch(lambda _: self._redraw(), "value_throttled")
        self.opacity.param.watch(lambda event: self._set_opacity(event.new), "value")
        self.visible.param.watch(lambda event: self._set_visible(event.new), "value")
        self._remove.on_click(lambda _: remove(self))

    def _set_opacity(self, opacity: float) -> None:
        self.handle.opacity = opacity

    def _set_visible(self, visible: bool) -> None:  # noqa: FBT001 - from one widget
        self.handle.visible = visible


class OverlayPanel(pn.viewable.Viewer):
    """All overlays of the slide, and the saved runs that can become one.

    Parameters
    ----------
    resume : callable
        Takes a saved run that is to go on.
    """

    overlays = param.List(default=[], doc="What lies over the slide, of `Overlay`.")

    def __init__(self, resume: Callable[[Run], None]) -> None:
        super().__init__()
        self._viewer: Viewer | None = None
        self._pyramid: Pyramid | None = None
        self._saved: dict[str, SavedRun] = {}
        self._rows = stack()
        self._empty = note("Run a model, or show a saved run.")
        self._choice = pmui.Select(label="Saved runs", options=[], **STYLE)
        self._show = button("Show", icon="layers")
        self._resume = button("Resume", icon="play_arrow", visible=False)
        self._shelf = stack(
            self._choice, side_by_side(self._show, self._resume), visible=False
        )
        self._offer = button("", icon="layers", main=True, sizing_mode=None, margin=0)
        self._offer.param.update(visible=False, styles=floating(top=12, left=12))
        self._offer.on_click(lambda _: self._show_saved())
        self._choice.param.watch(lambda _: self._chosen(), "value")
        self._show.on_click(lambda _: self._show_saved())
        self._resume.on_click(lambda _: resume(self._saved[self._choice.value].run))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(self._empty, self._rows, self._shelf)

    @property
    def offered(self) -> Any:
        """What floats over the slide while a saved run could be shown on it."""
        return self._offer

    def attach(self, viewer: Viewer, pyramid: Pyramid) -> None:
        """Lay overlays over another slide from now on; those of the last one go."""
        self.overlays = []
        self._viewer, self._pyramid = viewer, pyramid
        self._changed()
        self.offer([])

    def show(self, run: Run, channel: str = "") -> Overlay | None:
        """Lay a run over the slide; if it is there already, bring it up to date."""
        if self._viewer is None or self._pyramid is None:
            return None
        overlay: Overlay
        for overlay in self.overlays:
            if overlay.run.path == run.path:
                overlay.refresh()
                return overlay
        overlay = Overlay(
            run, self._viewer, self._pyramid, channel=channel, remove=self.remove
        )
        self.overlays = [*self.overlays, overlay]
        self._changed()
        return overlay

    def restore(self, looks: Iterable[OverlayLook]) -> None:
        """Show those of the saved runs that are named here, as they were shown."""
        saved = {each.run.path.name: each.run for each in self._saved.values()}
        for look in looks:
            overlay = self.show(saved[look.run]) if look.run in saved else None
            if overlay is not None:
                overlay.restore(look)

    def reading(self, annotation: Annotation) -> str:
        """Return what the overlays that are shown say within an annotation."""
        shown = (each for each in self.overlays if each.visible.value)
        return " ".join(each.reading(annotation) for each in shown)

    def refresh(self) -> None:
        """Show what has been added to the runs since."""
        for overlay in self.overlays:
            overlay.refresh()

    def remove(self, overlay: Overlay) -> None:
        """Take an overlay off the slide; its run stays saved."""
        overlay.detach()
        self.overlays = [other for other in self.overlays if other is not overlay]
        self._changed()

    def offer(self, runs: list[SavedRun]) -> None:
        """Offer saved runs, newest first."""
        self._saved = {saved.line: saved for saved in runs}
        self._shelf.visible = bool(runs)
        chosen = self._choice.value
        self._choice.options = list(self._saved)
        if chosen not in self._saved:
            self._choice.value = next(iter(self._saved), None)
        self._chosen()

    def _chosen(self) -> None:
        saved = self._saved.get(self._choice.value)
        self._resume.visible = saved is not None and saved.unfinished
        self._offer.visible = saved is not None and not self.overlays
        if saved is not None:
            self._offer.label = f"Show the saved run: {saved.run.card.name}"

    def _show_saved(self) -> None:
        saved = self._saved.get(self._choice.value)
        if saved is not None:
            self.show(saved.run)

    def _changed(self) -> None:
        self._rows.objects = list(self.overlays)
        self._empty.visible = not self.overlays
        self._chosen()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.3g}"


def _slider(label: str, start: float, end: float, value: float) -> Any:
    return pmui.FloatSlider(
        label=label,
        start=start,
        end=end,
        step=(end - start) / 100,
        value=value,
        size="small",
        sizing_mode="stretch_width",
        margin=(2, 8),
    )
