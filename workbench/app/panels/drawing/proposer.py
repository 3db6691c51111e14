"""Proposer: areas that are computed from the pixels of the slide while one draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui

from workbench.annotations.clicked import clicked_object
from workbench.annotations.wand import Wand
from workbench.app.catalog.click_models import (
    NO_CLICK_MODEL,
    click_models,
    load_click_model,
)
from workbench.app.panels.drawing.wire import parts_of
from workbench.app.widgets.controls import STYLE
from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    import param
    from shapely.geometry.base import BaseGeometry

    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.slide.slide import Slide

_MOST_CLICKS: Final = 100
_FARTHEST: Final = 1e6


class Proposer(pn.viewable.Viewer):
    """Answers the wand and clicks with outlines, which the browser shows and accepts.

    Pixels are read, and compared or given to the model, in a thread. For the wand that
    happens once for each press; another tolerance is quick. Where there are several
    models for clicks, it shows a choice.

    Parameters
    ----------
    background : Background
    """

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._wand: tuple[tuple[object, ...], Wand] | None = None
        self.choice = pmui.Select(label="Model for clicks", visible=False, **STYLE)

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self.choice

    def attach(self, viewer: Viewer) -> None:
        """Answer the tools of another viewer from now on."""
        self._wand = None
        slide, stage = viewer.slide, viewer.stage
        names = click_models()
        stage.annotation_unprompted = "" if names else NO_CLICK_MODEL
        chosen = self.choice.value if self.choice.value in names else None
        value = chosen or next(iter(names), None)
        self.choice.param.update(options=names, value=value, visible=len(names) > 1)

        def wanted(event: param.parameterized.Event) -> None:
            request, number = event.new, event.new["number"]

            def answer(area: BaseGeometry | None) -> None:
                parts = [] if area is None else parts_of(area)
                stage.annotation_proposed = {"number": number, "parts": parts}

            self._background.do(
                lambda: self.propose(slide, request),
                answer,
                slot="proposal",
                otherwise=lambda: answer(None),
            )

        stage.param.watch(wanted, "annotation_wanted")

    def propose(self, slide: Slide, request: dict[str, Any]) -> BaseGeometry | None:
        """Return the area that a tool asks for; None: there is none.

        Raises
        ------
        OutOfBoundsError
            If the request cannot be answered.
        SlideReadError
            If pixels cannot be read.
        """
        points = [float(number) for number in request["points"]]
        downsample = float(request["downsample"])
        few = 0 < len(points) <= 2 * _MOST_CLICKS and len(points) % 2 == 0
        if not few or not 0 < downsample < _FARTHEST:
            message = f"An area cannot be found for {len(points)} numbers."
            raise OutOfBoundsError(message, "Click again.")
        if request["tool"] == "prompt":
            clicks = list(zip(points[::2], points[1::2], strict=True))
            labels = [int(label) for label in request["labels"]]
            model = load_click_model(self.choice.value or "")
            return clicked_object(slide, model, clicks, labels, downsample=downsample)
        x, y = points[:2]
        wand = self._wand_at(slide, (x, y), downsample)
        return wand.region(float(request["tolerance"]))

    def _wand_at(
        self, slide: Slide, point: tuple[float, float], downsample: float
    ) -> Wand:
        key = (slide.id, point, downsample)
        if self._wand is None or self._wand[0] != key:
            self._wand = key, Wand.at(slide, point, downsample=downsample)
        return self._wand[1]
