"""Region of a run: the view, a drawn box, an annotation or the whole slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn

from workbench.app.viewer.seen import seen_region
from workbench.app.widgets.controls import choice
from workbench.errors import OutOfBoundsError
from workbench.geometry import Box

if TYPE_CHECKING:
    from workbench.annotations.annotation import Annotation
    from workbench.app.viewer.viewer import Viewer
    from workbench.area import Area

_IN_VIEW: Final = "in view"
_DRAWN: Final = "drawn box"
_ANNOTATION: Final = "annotation"
_WHOLE: Final = "whole slide"


class RunRegion(pn.viewable.Viewer):
    """Lets the user choose the region that a model runs on."""

    def __init__(self) -> None:
        super().__init__()
        self._viewer: Viewer | None = None
        self._annotation: Annotation | None = None
        self._choice = choice("Where", [_IN_VIEW, _DRAWN, _ANNOTATION, _WHOLE], _WHOLE)

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._choice

    def attach(self, viewer: Viewer) -> None:
        """Choose regions of another slide from now on."""
        self._viewer = viewer

    def offer_annotation(self, annotation: Annotation | None) -> None:
        """Offer the annotation that is selected on the slide."""
        self._annotation = annotation

    def preset(self, kind: str) -> None:
        """Choose a kind of region; an unknown one changes nothing."""
        if kind in self._choice.options:
            self._choice.value = kind

    @property
    def region(self) -> Box | Area | None:
        """The region as it is now; None for the whole slide.

        Raises
        ------
        OutOfBoundsError
            If there is no box, view or annotation of the chosen kind on the slide.
        """
        kind, viewer = self._choice.value, self._viewer
        if kind == _WHOLE or viewer is None:
            return None
        if kind == _ANNOTATION and self._annotation is not None:
            return self._annotation.area
        found: Box | Area | None = None
        if kind == _IN_VIEW and viewer.viewport is not None:
            found = seen_region(viewer)
        elif kind == _DRAWN and viewer.selection is not None:
            found = viewer.selection.intersection(viewer.slide.box)
        if found is None or (isinstance(found, Box) and not found.area):
            message = f"There is no region '{kind}' on the slide."
            raise OutOfBoundsError(message, "Draw or choose it first, or take another.")
        return found
