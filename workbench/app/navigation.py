"""Getting around: objectives, the whole slide, and what dragging does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.controls import floating
from workbench.geometry import mpp_of_objective

if TYPE_CHECKING:
    from workbench.app.viewer import Viewer

_OBJECTIVES: Final = (1, 2.5, 5, 10, 20, 40)
_SMALL: Final[dict[str, Any]] = {
    "size": "small",
    "variant": "text",
    "margin": 0,
    "sx": {"minWidth": "38px", "px": "6px"},
}


class NavigationBar(pn.viewable.Viewer):
    """A row of buttons over the slide."""

    def __init__(self) -> None:
        super().__init__()
        self._viewer: Viewer | None = None
        self._fit = pmui.Button(label="Fit", description="The whole slide", **_SMALL)
        self._objectives = {
            power: pmui.Button(
                label=f"{power:g}x", description=f"As at {power:g}x", **_SMALL
            )
            for power in _OBJECTIVES
        }
        self._draw = pmui.Button(
            label="Draw a box", icon="crop_free", description="Then drag", **_SMALL
        )
        self._clear = pmui.Button(label="Clear box", visible=False, **_SMALL)
        self._fit.on_click(lambda _: self.fit())
        for power, widget in self._objectives.items():
            widget.on_click(lambda _, power=power: self.magnify(power))
        self._draw.on_click(lambda _: self._drag(draw=not self._is_drawing))
        self._clear.on_click(lambda _: self._forget())

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return pmui.Paper(
            self._fit,
            *self._objectives.values(),
            pmui.Divider(orientation="vertical", sx={"height": "20px", "mx": "4px"}),
            self._draw,
            self._clear,
            direction="row",
            elevation=2,
            margin=0,
            styles=floating(top=12, right=12),
            sx={"alignItems": "center", "px": "4px"},
        )

    def attach(self, viewer: Viewer) -> None:
        """Move another viewer from now on."""
        self._viewer = viewer
        self._drag(draw=False)
        known = viewer.slide.mpp is not None
        for widget in self._objectives.values():
            widget.disabled = not known
        viewer.param.watch(lambda event: self._drawn(event.new), "selection")
        self._clear.visible = False

    def fit(self) -> None:
        """Show the whole slide."""
        if self._viewer is not None:
            self._viewer.go_to("slide")

    def magnify(self, power: float) -> None:
        """Show the centre of the view as through an objective."""
        viewer = self._viewer
        if viewer is None or viewer.view is None:
            return
        downsample = mpp_of_objective(power) / viewer.slide.require_mpp()
        viewer.go_to((viewer.view.x, viewer.view.y), downsample=downsample)

    @property
    def _is_drawing(self) -> bool:
        return self._viewer is not None and self._viewer.mode == "select"

    def _drag(self, *, draw: bool) -> None:
        if self._viewer is not None:
            self._viewer.mode = "select" if draw else "pan"
        self._draw.variant = "contained" if draw else "text"

    def _drawn(self, box: object) -> None:
        self._clear.visible = box is not None
        if box is not None:
            self._drag(draw=False)

    def _forget(self) -> None:
        if self._viewer is not None:
            self._viewer.selection = None
