"""Comparison: a divider between layers, and other slides beside this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.panels.alignment import Alignment
from workbench.app.viewer.viewer import Viewer
from workbench.app.widgets.controls import (
    STYLE,
    button,
    choice,
    note,
    side_by_side,
    stack,
)
from workbench.app.widgets.text import Text
from workbench.layers.slide import slide_layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.app.catalog.slides import SlideLibrary
    from workbench.app.panels.overlays.card import OverlayCard
    from workbench.app.url_state import Address
    from workbench.app.widgets.background import Background
    from workbench.slide.slide import Slide

OFF: Final = "off"
COLOURS: Final = "raw | normalized"
OVERLAYS: Final = "slide | overlays"
_LOCK: Final = "together"
_MOST: Final = 3
"""Largest number of slides beside the open one."""


class Beside(pn.viewable.Viewer):
    """A slide beside the open one, labelled with its name."""

    def __init__(
        self, name: str, slide: Slide, remove: Callable[[Beside], None]
    ) -> None:
        super().__init__(name=name)
        self.slide = slide
        self.overlay: OverlayCard | None = None
        """Overlay that is shown here in place of over the open slide."""
        self.viewer = Viewer(slide, keys="page")
        self.viewer.add_layer(slide_layer(slide))
        self._close = pmui.IconButton(
            icon="close", size="small", description=f"Close {slide.name}", margin=0
        )
        self._close.on_click(lambda _: remove(self))

    @property
    def _place(self) -> dict[str, str]:
        """Where the name stands: below the viewer's own objectives, or its legend."""
        return {"top": "56px"} if self.overlay is None else {"bottom": "48px"}

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return pn.Column(
            self.viewer,
            pmui.Paper(
                Text(self.slide.name, variant="caption", margin=(0, 4), sx=_CLIPPED),
                self._close,
                direction="row",
                elevation=2,
                margin=0,
                styles={
                    "position": "absolute",
                    **self._place,
                    "left": "12px",
                    "max-width": "calc(100% - 72px)",
                    "width": "auto",
                    "z-index": "5",
                },
                sx={"alignItems": "center", "pl": "6px"},
            ),
            sizing_mode="stretch_both",
            min_width=160,
            styles={"position": "relative"},
        )


_CLIPPED: Final = {
    "overflow": "hidden",
    "textOverflow": "ellipsis",
    "whiteSpace": "nowrap",
}


class ComparePanel(pn.viewable.Viewer):
    """Lets the user compare layers with a divider, and slides side by side."""

    swiped = param.Selector(
        default=OFF,
        objects=[OFF, COLOURS, OVERLAYS],
        doc="What the divider separates.",
    )
    beside = param.List(
        default=[], doc="The slides beside the open one, each a `Beside`."
    )
    together = param.Boolean(
        default=True, doc="Whether slides side by side move together."
    )
    divided_at = param.Number(
        default=0.5, bounds=(0, 1), doc="Position of the divider, as a share of width."
    )

    def __init__(
        self,
        library: SlideLibrary,
        background: Background,
        folder: Path | None = None,
        **params: Any,
    ) -> None:
        super().__init__(**params)
        self._library = library
        self.alignment = Alignment(background, folder)
        self._background = background
        self._viewer: Viewer | None = None
        self._swipe = choice("Divider", [OFF, COLOURS, OVERLAYS], OFF)
        self._hint = note(visible=False)
        self._slide = pmui.Select(label="Slide beside this one", options=[], **STYLE)
        self._add = button("Show beside", icon="view_column")
        self._together = pmui.Switch(
            label="Move together", value=True, size="small", visible=False, margin=4
        )
        self._together.link(self, value="together", bidirectional=True)
        self._swipe.link(self, value="swiped", bidirectional=True)
        self._add.on_click(lambda _: self.add(self._slide.value))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(
            self._swipe,
            self._hint,
            self._slide,
            side_by_side(self._add, self._together),
            self.alignment,
        )

    def offer(self, names: list[str]) -> None:
        """Offer the slides of these names."""
        self._slide.options = names
        if self._slide.value not in names:
            self._slide.value = next(iter(names), None)

    def attach(self, viewer: Viewer) -> None:
        """Compare with another viewer from now on; overlays beside are closed."""
        self.keep([])
        self._viewer = viewer
        viewer.swipe = None if self.swiped == OFF else 0.5
        viewer.param.watch(self._divider_moved, "swipe")
        self._lock()
        self._align()

    def address(self) -> dict[str, Any]:
        """Return the divider and the slides beside this one, as an address has them."""
        return {
            "divider": "" if self.swiped == OFF else self.swiped,
            "divided_at": self.divided_at,
            "beside": tuple(
                other.name for other in self.beside if other.overlay is None
            ),
            "alone": not self.together,
        }

    def restore(self, address: Address) -> None:
        """Place the divider and open slides beside this one as an address says."""
        kinds = self.param.swiped.objects
        self.swiped = address.divider if address.divider in kinds else OFF
        if self.swiped != OFF and self._viewer is not None:
            self._viewer.swipe = address.divided_at
        self.together = not address.alone
        shown = [other.name for other in self.beside]
        for name in address.beside:
            if name not in shown:
                self.add(name)

    def on_address_change(self, call: Callable[..., None]) -> None:
        """Call whenever the divider or the slides beside this one change."""
        self.param.watch(call, ["swiped", "beside", "together", "divided_at"])

    def show_hint(self, hint: str) -> None:
        """Show what the divider needs before it shows a difference; empty hides it."""
        self._hint.object = hint
        self._hint.visible = bool(hint)

    def add(self, name: str | None) -> None:
        """Show a slide beside the one that is open."""
        if not name or self._viewer is None or len(self.beside) >= _MOST:
            return
        self._add.loading = True
        self._background.do(
            lambda: self._library.open(name),
            lambda slide: self._opened(name, slide),
            otherwise=lambda: self._add.param.update(loading=False),
        )

    def show_overlay(self, overlay: OverlayCard) -> None:
        """Show an overlay on the same slide beside this one, in place of here."""
        main = self._viewer
        if main is None or len(self.beside) >= _MOST:
            return
        beside = Beside(main.slide.name, main.slide, self.remove)
        beside.overlay = overlay
        handle = beside.viewer.add_layer(
            overlay.handle.layer, opacity=overlay.handle.opacity
        )
        overlay.show_beside(handle)
        if main.view is not None:
            beside.viewer.view = main.view
        self.beside = [*self.beside, beside]
        self._update_controls()
        self._align()

    def remove(self, beside: Beside) -> None:
        """Remove a slide; an overlay that was shown there is shown here again."""
        if beside.overlay is not None:
            beside.overlay.show_beside(None)
        self.beside = [other for other in self.beside if other is not beside]
        beside.viewer.clear()
        self._update_controls()
        self._align()

    def keep(self, overlays: list[OverlayCard]) -> None:
        """Close the copies of the slide whose overlay was removed."""
        for beside in list(self.beside):
            if beside.overlay is not None and beside.overlay not in overlays:
                self.remove(beside)

    def close(self) -> None:
        """Stop serving tiles of the slides beside this one."""
        for beside in self.beside:
            beside.viewer.close()

    def _opened(self, name: str, slide: Slide) -> None:
        self._add.loading = False
        main = self._viewer
        if main is None:
            return
        beside = Beside(name, slide, self.remove)
        if main.view is not None and slide.size == main.slide.size:
            # Slides of equal size are mostly one section, stained or scanned again.
            beside.viewer.view = main.view
        self.beside = [*self.beside, beside]
        self._update_controls()
        self._align()

    def _align(self) -> None:
        """Show the same tissue in the slides that are registered already."""
        others = [other.viewer for other in self.beside if other.overlay is None]
        copies = [other.viewer for other in self.beside if other.overlay is not None]
        self.alignment.attach(self._viewer, others, copies)

    def _divider_moved(self, event: param.parameterized.Event) -> None:
        self.divided_at = 0.5 if event.new is None else event.new

    def _update_controls(self) -> None:
        self._together.visible = bool(self.beside)
        self._add.disabled = len(self.beside) >= _MOST
        self._lock()

    @param.depends("together", watch=True)
    def _lock(self) -> None:
        together = _LOCK if self.together and self.beside else ""
        for viewer in [self._viewer, *(other.viewer for other in self.beside)]:
            if viewer is not None:
                viewer.lock = together

    @param.depends("swiped", watch=True)
    def _swiped(self) -> None:
        if self._viewer is not None:
            position = self._viewer.swipe
            off = self.swiped == OFF
            self._viewer.swipe = None if off else 0.5 if position is None else position
