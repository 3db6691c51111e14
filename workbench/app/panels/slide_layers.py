"""Layers of the open slide: its colours, and which layers the divider cuts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.app.panels.compare import COLOURS, OFF, OVERLAYS
from workbench.app.panels.stain.state import NORMALIZED, SCANNED, layer_of
from workbench.layers.slide import ChannelsLayer, SlideLayer, slide_layer

if TYPE_CHECKING:
    from workbench.app.panels.channels import ChannelPanel
    from workbench.app.panels.compare import ComparePanel
    from workbench.app.panels.focus import FocusPanel
    from workbench.app.panels.overlays.panel import OverlayPanel
    from workbench.app.panels.stain.panel import StainPanel
    from workbench.app.viewer.layer_handle import LayerHandle
    from workbench.app.viewer.viewer import Viewer
    from workbench.slide.slide import Slide


class SlideLayers:
    """Draws the slide as the stain panel and the divider say.

    The base layer is the slide as scanned, normalized, as the difference of both, or
    as one stain; of a slide with channels it is their composite; all in the focal
    plane that is chosen. With the divider
    between colours, a second layer below it shows the slide as scanned. With the
    divider between slide and overlays, the overlays are cut.

    Parameters
    ----------
    stain : StainPanel
    compare : ComparePanel
    overlays : OverlayPanel
    channels : ChannelPanel
    focus : FocusPanel
    """

    def __init__(
        self,
        stain: StainPanel,
        compare: ComparePanel,
        overlays: OverlayPanel,
        channels: ChannelPanel,
        focus: FocusPanel,
    ) -> None:
        self._stain = stain
        self._channels = channels
        self._focus = focus
        self._compare = compare
        self._overlays = overlays
        self._viewer: Viewer | None = None
        self._base: LayerHandle | None = None
        self._scanned: LayerHandle | None = None
        stain.param.watch(lambda _: self._draw(), ["fitted", "look"])
        compare.param.watch(lambda _: self._draw(), "swiped")
        channels.param.watch(lambda _: self._draw_channels(), "channels")
        focus.param.watch(lambda _: self._refocus(), "slide")
        overlays.param.watch(lambda _: self._cut_overlays(), "overlays")

    def attach(self, viewer: Viewer) -> None:
        """Draw the slide of another viewer from now on."""
        self._viewer = viewer
        layer = slide_layer(viewer.slide)
        name = "Values" if isinstance(layer, ChannelsLayer) else ""
        self._base, self._scanned = viewer.add_layer(layer, name=name), None

    def _slide_of(self, viewer: Viewer) -> Slide:
        """Return the slide of a viewer in the focal plane that is chosen."""
        chosen = self._focus.slide
        if chosen is None or chosen.id != viewer.slide.id:
            return viewer.slide
        return chosen

    def _refocus(self) -> None:
        """Draw another focal plane."""
        viewer, base = self._viewer, self._base
        if viewer is None or base is None:
            return
        plane = self._slide_of(viewer)
        if plane is not self._focus.slide:  # which is of the slide that follows
            return
        if plane.channels:
            base.layer = slide_layer(plane)
            self._draw_channels()
            return
        if self._scanned is not None:
            viewer.remove_layer(self._scanned)
            self._scanned = None
        self._draw(refocused=True)

    def _draw_channels(self) -> None:
        """Draw the channels as the panel says, from the values that are cached."""
        viewer, base, channels = self._viewer, self._base, self._channels.channels
        shown = None if base is None else base.layer
        if viewer is None or base is None or not isinstance(shown, ChannelsLayer):
            return
        names = [[each.name for each in some] for some in (channels, shown.channels)]
        if names[0] == names[1]:
            base.layer = ChannelsLayer(shown.tiles, channels)

    def _draw(self, *, refocused: bool = False) -> None:
        viewer, base = self._viewer, self._base
        if viewer is None or base is None or viewer.slide.channels:
            return
        slide, fitted, look = viewer.slide, self._stain.fitted, self._stain.look
        plane = self._slide_of(viewer)
        swiped = fitted is not None and self._compare.swiped == COLOURS
        if swiped and look == SCANNED:
            look = NORMALIZED
        if fitted is not None and fitted.slide is slide and look != SCANNED:
            base.layer = layer_of(replace(fitted, slide=plane), look)
        elif refocused or not isinstance(base.layer, SlideLayer):
            base.layer = SlideLayer(plane)
        self._draw_scanned(viewer, base, swiped=swiped)
        self._cut_overlays()

    def _draw_scanned(self, viewer: Viewer, base: LayerHandle, *, swiped: bool) -> None:
        """Show the slide as scanned left of the divider if that is between colours."""
        base.swiped = swiped
        if swiped and self._scanned is None:
            scanned = SlideLayer(self._slide_of(viewer))
            self._scanned = viewer.add_layer(scanned, under=base)
        elif not swiped and self._scanned is not None:
            viewer.remove_layer(self._scanned)
            self._scanned = None

    def _cut_overlays(self) -> None:
        swiped = self._compare.swiped
        for overlay in self._overlays.overlays:
            overlay.set_swiped(swiped == OVERLAYS)
        hints = {
            OFF: "",
            COLOURS: "" if self._stain.fitted else "Choose a stain method first.",
            OVERLAYS: "" if self._overlays.overlays else "Show a run first.",
        }
        self._compare.show_hint(hints[swiped])
