"""Map of vectors: a scatter plot of their principal components, linked to the slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import param
import shapely

from workbench.app.panels.instances.plots import Scatter, sample
from workbench.app.widgets.controls import note, stack
from workbench.app.widgets.lazy import Fold
from workbench.layers.colormaps import hex_colour

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.app.widgets.background import Background
    from workbench.features.features import Features

_AXES: Final = ("component 1", "component 2")
_HEIGHT: Final = 260
_HINT: Final = (
    "Principal components. A lasso or a box outlines its tiles on the slide; a click on"
    " the slide marks its tile here."
)


class VectorMap(pn.viewable.Viewer):
    """A part that unfolds, with each tile as a point in its colour on the slide.

    Parameters
    ----------
    background : Background
    """

    opened = param.Boolean(doc="Whether it is unfolded.")
    chosen = param.Array(doc="Rows of the tiles in the area that the user drew.")

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._features: Features | None = None
        self.points = np.empty((0, 2))
        """Place of each tile, float64 (N, 2); NaN for a vector that is not finite."""
        self.scatter = Scatter()
        self.scatter.param.watch(self._drawn, "drawn")
        body = stack(
            note(_HINT),
            pn.Column(self.scatter, height=_HEIGHT, sizing_mode="stretch_width"),
        )
        self._fold = Fold("Map of the vectors", body)
        self._fold.param.watch(self._unfolded, "active")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._fold

    def show(
        self,
        features: Features,
        colours: NDArray[np.uint8],
        marked: NDArray[np.int64],
    ) -> None:
        """Show the vectors of tiles in colours, uint8 (N, 3)."""

        def draw(points: NDArray[np.float64]) -> None:
            self._features, self.points = features, points
            rows = sample(np.asarray(np.isfinite(points).all(axis=1)))
            x, y = points[rows].T
            self.scatter.show(_AXES, x, y, [hex_colour(each) for each in colours[rows]])
            self.mark(marked)

        if features is self._features:
            draw(self.points)
        else:
            self._background.do(features.projection, draw, slot=f"map {id(self)}")

    def mark(self, rows: NDArray[np.int64]) -> None:
        """Highlight tiles."""
        known = rows[rows < len(self.points)]
        x, y = self.points[known].T
        self.scatter.mark(x, y)

    def _drawn(self, event: param.parameterized.Event) -> None:
        if event.new is not None:
            inside = shapely.contains_xy(event.new, *self.points.T)
            self.chosen = np.flatnonzero(inside)

    def _unfolded(self, event: param.parameterized.Event) -> None:
        self.opened = bool(event.new)
