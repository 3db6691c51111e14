"""Overlay panel: results on the slide, and the saved runs to show."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.catalog.runs import key_of
from workbench.app.panels.features.overlay import FeaturesOverlay
from workbench.app.panels.features.source import RunSource
from workbench.app.panels.learning.overlay import KEY, LearntOverlay
from workbench.app.panels.overlays.drawn import DrawingList
from workbench.app.panels.overlays.live import LiveOverlay
from workbench.app.panels.overlays.overlay import Overlay
from workbench.app.widgets.controls import (
    STYLE,
    button,
    floating,
    note,
    side_by_side,
    stack,
)
from workbench.layers.layer import overlay_pyramid

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.annotations.annotation import Annotation
    from workbench.app.catalog.runs import SavedRun
    from workbench.app.panels.features.source import TileSource
    from workbench.app.panels.overlays.card import OverlayCard
    from workbench.app.url_state import Address
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.features.scores import TileScores
    from workbench.layers.layer import Pyramid
    from workbench.results.run import Run


class OverlayPanel(pn.viewable.Viewer):
    """Lists the overlays of the slide, and offers saved runs.

    Parameters
    ----------
    background : Background
    resume : callable
        Continues a saved run.
    """

    overlays = param.List(
        default=[], doc="Overlays of the slide, each an `OverlayCard`."
    )

    def __init__(self, background: Background, resume: Callable[[Run], None]) -> None:
        super().__init__()
        self._background = background
        self._viewer: Viewer | None = None
        self._pyramid: Pyramid | None = None
        self._saved: dict[str, SavedRun] = {}
        self._rows = stack()
        self.drawn = DrawingList()
        self.drawn.param.watch(lambda _: self._changed(), "rows")
        self._empty = note("Run a model, or show a saved run.")
        self.opened: Callable[[], object] = lambda: None
        """Called when the user has asked for a result."""
        self.made_features: Callable[[FeaturesOverlay], object] = lambda _: None
        """Called with a new overlay of features."""
        self.compare: Callable[[OverlayCard], object] = lambda _: None
        """Called with an overlay that is to be shown beside the slide."""
        self._choice = pmui.Select(label="Saved runs", options=[], **STYLE)
        self._show = button("Show", icon="layers")
        self._resume = button("Resume", icon="play_arrow", visible=False)
        self._saved_runs = stack(
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
        return stack(self._empty, self._rows, self.drawn, self._saved_runs)

    @property
    def offered(self) -> Any:
        """Button over the slide that shows a saved run."""
        return self._offer

    def attach(self, viewer: Viewer) -> None:
        """Show overlays on another slide from now on; those of the last one go."""
        self.overlays = []
        self._viewer, self._pyramid = viewer, overlay_pyramid(viewer.slide.size)
        self._changed()
        self.drawn.attach(viewer)
        self.offer([])

    def show(self, run: Run, channel: str = "") -> OverlayCard | None:
        """Show a run as an overlay; refresh the overlay if there is one."""
        if run.card.dimensions:
            return self.show_features(RunSource(run))
        kind = LiveOverlay if run.card.task == "instances" else Overlay
        return self._add(key_of(run), partial(kind, self._background, run), channel)

    def show_features(
        self, source: TileSource, channel: str = ""
    ) -> OverlayCard | None:
        """Show features as an overlay; refresh the overlay if there is one."""
        make = partial(FeaturesOverlay, self._background, source)
        overlay = self._add(source.key, make, channel)
        if isinstance(overlay, FeaturesOverlay) and overlay.others is None:
            self.made_features(overlay)
        return overlay

    def show_learnt(self, scores: TileScores) -> OverlayCard | None:
        """Show the probabilities of a fit, in place of those of an earlier one."""
        overlay = next((o for o in self.overlays if isinstance(o, LearntOverlay)), None)
        if overlay is not None:
            overlay.show(scores)
            return overlay
        return self._add(KEY, partial(LearntOverlay, self._background, scores), "")

    def _add(
        self, key: str, make: Callable[..., OverlayCard], channel: str
    ) -> OverlayCard | None:
        if self._viewer is None or self._pyramid is None:
            return None
        overlay: OverlayCard
        for overlay in self.overlays:
            if overlay.key == key:
                overlay.refresh()
                return overlay
        overlay = make(self._viewer, self._pyramid, channel=channel, remove=self.remove)
        overlay.compare.on_click(lambda _: self.compare(overlay))
        self.overlays = [*self.overlays, overlay]
        self._changed()
        return overlay

    def address(self) -> dict[str, Any]:
        """Return how overlays are shown, as an address has it."""
        saved = (overlay for overlay in self.overlays if overlay.run is not None)
        files = (o for o in self.overlays if isinstance(o, FeaturesOverlay))
        return {
            "overlays": tuple(overlay.look for overlay in saved),
            "features": tuple(o.look for o in files if o.source.is_served),
        }

    def restore(self, address: Address) -> None:
        """Show the saved runs of an address as overlays, as they were shown."""
        saved = {key_of(each.run): each.run for each in self._saved.values()}
        for look in address.overlays:
            overlay = self.show(saved[look.run]) if look.run in saved else None
            if overlay is not None:
                overlay.restore(look)

    def on_address_change(self, call: Callable[..., None]) -> None:
        """Call whenever an overlay is added, removed or displayed otherwise."""

        def changed(event: param.parameterized.Event) -> None:
            for overlay in event.new:
                if overlay not in event.old:
                    overlay.on_change(call)
            call()

        self.param.watch(changed, "overlays")

    def reading(self, annotation: Annotation) -> str:
        """Return summaries of the visible overlays within an annotation, as text."""
        shown = (each for each in self.overlays if each.visible.value)
        return " ".join(each.reading(annotation) for each in shown)

    def refresh(self) -> None:
        """Show results that the runs have added since."""
        for overlay in self.overlays:
            overlay.refresh()

    def remove(self, overlay: OverlayCard) -> None:
        """Remove an overlay; its run stays saved."""
        overlay.detach()
        self.overlays = [other for other in self.overlays if other is not overlay]
        self._changed()

    def offer(self, runs: list[SavedRun]) -> None:
        """Offer saved runs, newest first."""
        self._saved = {saved.line: saved for saved in runs}
        self._saved_runs.visible = bool(runs)
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
            self.opened()

    def _changed(self) -> None:
        self._rows.objects = list(self.overlays)
        self._empty.visible = not (self.overlays or self.drawn.rows)
        self._chosen()
