"""Tissue panel: shows the tissue found, and lets the user correct it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.app.panels.slide_tissue import tissue_of_slide
from workbench.app.widgets.controls import (
    STYLE,
    button,
    choice,
    note,
    side_by_side,
    stack,
)
from workbench.app.widgets.lazy import Fold
from workbench.area import Area
from workbench.errors import OutOfBoundsError
from workbench.layers.layer import overlay_pyramid
from workbench.layers.tissue import TissueLayer
from workbench.recipe import Recipe
from workbench.tissue import TissueChoice

if TYPE_CHECKING:
    from workbench.annotations.annotation import Annotation
    from workbench.app.viewer.layer_handle import LayerHandle
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.slide.slide import Slide
    from workbench.tissue import Tissue


_NOTHING_CHOSEN: Final = (
    "Draw around a place on the slide, or click an annotation there, to say what it is."
)


class TissuePanel(pn.viewable.Viewer):
    """Shows the tissue of the slide, and lets the user correct it.

    Parameters
    ----------
    background : Background
    """

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._annotation: Annotation | None = None
        self._slide: Slide | None = None
        self._viewer: Viewer | None = None
        self._handle: LayerHandle | None = None
        self._tissue_in: Area | None = None
        self._no_tissue_in: Area | None = None
        self._shown = pmui.Switch(
            label="Show where tissue is", value=False, size="small", margin=(4, 0)
        )
        self._threshold = pmui.FloatSlider(
            label="Threshold (0: chosen for the slide)",
            value=0.0,
            start=0.0,
            end=0.5,
            step=0.01,
            description=Recipe.model_fields["tissue_threshold"].description,
            **STYLE,
        )
        self._ink = choice("Ink", ["remove", "keep"], "remove")
        self._is_tissue = button("This is tissue")
        self._is_ink = button("This is ink")
        self._of = note()
        self._reset = button("Forget both", visible=False)
        self._facts = note()
        self.offer_annotation(None)
        self._is_tissue.on_click(lambda _: self._guarded(tissue=True))
        self._is_ink.on_click(lambda _: self._guarded(tissue=False))
        self._reset.on_click(lambda _: self.forget())
        self._shown.param.watch(lambda _: self._find(), "value")
        self._threshold.param.watch(lambda _: self._find(), "value_throttled")
        self._ink.param.watch(lambda _: self._find(), "value")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        inner = stack(
            self._shown,
            self._facts,
            self._threshold,
            self._ink,
            self._of,
            side_by_side(self._is_tissue, self._is_ink),
            self._reset,
        )
        return Fold("Tissue", inner)

    def offer_annotation(self, annotation: Annotation | None) -> None:
        """Offer the annotation selected on the slide as tissue or ink."""
        area = annotation is not None and annotation.kind == "area"
        self._annotation = chosen = annotation if area else None
        text = _NOTHING_CHOSEN if chosen is None else f"'{chosen.title}' is chosen:"
        self._of.object = text
        for widget in (self._is_tissue, self._is_ink):
            widget.disabled = chosen is None
            widget.description = _NOTHING_CHOSEN if chosen is None else ""

    @property
    def options(self) -> dict[str, Any]:
        """Options of a recipe: threshold, ink, and areas marked by the user."""
        return {
            "tissue_threshold": self._threshold.value or None,
            "ink": self._ink.value,
            "tissue_in": self._tissue_in,
            "no_tissue_in": self._no_tissue_in,
        }

    def attach(self, viewer: Viewer) -> None:
        """Find the tissue of another slide from now on; marks of the last one go."""
        slide = viewer.slide
        if self._slide is None or self._slide.id != slide.id:
            self._tissue_in = self._no_tissue_in = None
            self._reset.visible = False
        self._slide, self._viewer, self._handle = slide, viewer, None
        self._find()

    def mark(self, *, tissue: bool) -> None:
        """Mark the selected annotation as tissue, or as ink.

        Raises
        ------
        OutOfBoundsError
            If no annotation with an area is chosen.
        """
        annotation = self._annotation
        if annotation is None:
            message = "No annotation is chosen."
            raise OutOfBoundsError(message, "Draw around the place, or choose one.")
        area = Area.of(annotation.area)
        if tissue:
            self._tissue_in = _united(self._tissue_in, area)
        else:
            self._no_tissue_in = _united(self._no_tissue_in, area)
        self._reset.visible = True
        if self._shown.value:
            self._find()
        else:
            self._shown.value = True

    def forget(self) -> None:
        """Remove all marks of tissue and ink."""
        self._tissue_in = self._no_tissue_in = None
        self._reset.visible = False
        self._find()

    def _guarded(self, *, tissue: bool) -> None:
        self._background.guard(lambda: self.mark(tissue=tissue))

    def _find(self) -> None:
        slide, viewer = self._slide, self._viewer
        if slide is None or viewer is None:
            return
        if not self._shown.value:
            self._background.forget("tissue")
            self._facts.object = ""
            if self._handle is not None:
                viewer.remove_layer(self._handle)
                self._handle = None
            return
        self._facts.object = "Finding tissue …"
        choice = TissueChoice.of(Recipe.of(**self.options))
        self._background.do(
            lambda: tissue_of_slide(slide, choice), self._found, slot="tissue"
        )

    def _found(self, tissue: Tissue) -> None:
        slide, viewer = self._slide, self._viewer
        if slide is None or viewer is None:
            return
        layer = TissueLayer(tissue, overlay_pyramid(slide.size))
        if self._handle is None:
            self._handle = viewer.add_layer(layer)
        else:
            self._handle.layer = layer
        self._facts.object = _facts(tissue, slide)


def _united(one: Area | None, other: Area) -> Area:
    return other if one is None else Area.of([one, other])


def _facts(tissue: Tissue, slide: Slide) -> str:
    if not tissue.mask.any():
        return "No tissue is found."
    if slide.mpp is None:
        return f"{tissue.mask.mean():.1%} of the slide is tissue."
    return f"{tissue.area_mm2(slide.mpp):,.3g} mm² of tissue."
