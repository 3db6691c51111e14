"""Focus panel: which focal plane of a slide is shown, and run on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.widgets.controls import STYLE, note, stack

if TYPE_CHECKING:
    from workbench.app.viewer.viewer import Viewer
    from workbench.slide.slide import Slide


class FocusPanel(pn.viewable.Viewer):
    """Chooses the focal plane of the open slide; hidden for a slide with one."""

    slide: Slide | None = param.Parameter(
        default=None, doc="The open slide, in the focal plane that is chosen."
    )

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.number = pmui.IntSlider(label="Focal plane", start=1, end=2, **STYLE)
        self._place = note()
        self._body = stack(self.number, self._place, visible=False)
        self.number.param.watch(lambda _: self._choose(), "value")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._body

    def attach(self, viewer: Viewer) -> None:
        """Choose among the focal planes of another slide from now on."""
        slide = viewer.slide
        self.slide = slide
        self._body.visible = slide.depth > 1
        # Both at once: a value that is out of the bounds would be refused.
        self.number.param.update(end=max(2, slide.depth), value=slide.plane + 1)
        self._describe()

    def _choose(self) -> None:
        slide, plane = self.slide, self.number.value - 1
        if slide is not None and plane < slide.depth and plane != slide.plane:
            self.slide = slide.at_plane(plane)
            self._describe()

    def _describe(self) -> None:
        slide = self.slide
        if slide is None:
            return
        height = slide.planes[slide.plane]
        above = "" if height is None else f", {height:g} µm above the first"
        self._place.object = (
            f"{slide.plane + 1} of {slide.depth}{above}. Runs use the plane that is"
            " shown."
        )
