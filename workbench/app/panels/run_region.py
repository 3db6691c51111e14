"""Region of a run: the view, a drawn box, an annotation or the whole slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import shapely

from workbench.app.widgets.controls import choice
from workbench.area import Area
from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from workbench.annotations.annotation import Annotation
    from workbench.app.viewer.viewer import Viewer
    from workbench.geometry import Box

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
        boxes: dict[str, Box | None] = {
            _IN_VIEW: viewer.viewport,
            _DRAWN: viewer.selection,
        }
        box = boxes.get(kind)
        if box is not None:
            box = box.intersection(viewer.slide.box)
        if box is None or not box.area:
            message = f"There is no region '{kind}' on the slide."
            raise OutOfBoundsError(message, "Draw or choose it first, or take another.")
        corners = viewer.seen_corners
        if kind == _IN_VIEW and corners is not None and viewer.angle % 90:
            seen = shapely.Polygon(corners)
            return Area.of(
                seen.intersection(shapely.box(box.x0, box.y0, box.x1, box.y1))
            )
        return box
