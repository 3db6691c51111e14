"""Map of vectors: principal components or UMAP as a plot, linked to the slide."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import panel as pn
import param
import shapely

from workbench.app.panels.instances.plots import Scatter, sample
from workbench.app.widgets.controls import choice, note, stack
from workbench.app.widgets.lazy import Fold
from workbench.layers.colormaps import hex_colour

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.app.widgets.background import Background
    from workbench.features.features import Features

PCA: Final = "principal components"
UMAP: Final = "UMAP"
_METHODS: Final[dict[str, Literal["pca", "umap"]]] = {PCA: "pca", UMAP: "umap"}
_AXES: Final = {PCA: ("component 1", "component 2"), UMAP: ("UMAP 1", "UMAP 2")}
_HEIGHT: Final = 260
_HINT: Final = (
    "A lasso or a box outlines its tiles on the slide; a click on the slide marks its"
    " tile here."
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
        self._drawn_of: tuple[Features, str] | None = None
        self._last: tuple[Features, NDArray[np.uint8], NDArray[np.int64]] | None = None
        self.points = np.empty((0, 2))
        """Place of each tile, float64 (N, 2); NaN for a vector that is not finite."""
        self.scatter = Scatter()
        self.scatter.param.watch(self._drawn, "drawn")
        methods = [PCA, UMAP] if find_spec("umap") else [PCA]
        self.method = choice("Map", methods, PCA)
        self.method.visible = len(methods) > 1
        self.method.param.watch(lambda _: self._again(), "value")
        self._shown = note(_HINT)
        self._body = stack(
            self._shown,
            self.method,
            pn.Column(self.scatter, height=_HEIGHT, sizing_mode="stretch_width"),
        )
        self._fold = Fold("Map of the vectors", self._body)
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
        method = self.method.value
        self._last = features, colours, marked

        def draw(points: NDArray[np.float64]) -> None:
            self._drawn_of, self.points = (features, method), points
            known = np.asarray(np.isfinite(points).all(axis=1))
            rows = sample(known)
            x, y = points[rows].T
            shades = [hex_colour(each) for each in colours[rows]]
            self.scatter.show(_AXES[method], x, y, shades)
            self.mark(marked)
            self._body.loading = False
            few = "" if known.all() else f" of {known.sum():,} of {len(known):,} tiles"
            name = method[0].upper() + method[1:]
            self._shown.object = f"{name}{few}. {_HINT}"

        def failed() -> None:
            self._body.loading = False

        if self._drawn_of == (features, method):
            draw(self.points)
            return
        self._body.loading = True
        self._background.do(
            lambda: features.projection(_METHODS[method]),
            draw,
            slot=f"map {id(self)}",
            otherwise=failed,
        )

    def mark(self, rows: NDArray[np.int64]) -> None:
        """Highlight tiles."""
        known = rows[rows < len(self.points)]
        x, y = self.points[known].T
        self.scatter.mark(x, y)

    def _drawn(self, event: param.parameterized.Event) -> None:
        if event.new is not None:
            inside = shapely.contains_xy(event.new, *self.points.T)
            self.chosen = np.flatnonzero(inside)

    def _again(self) -> None:
        """Show the same tiles by the other method."""
        if self._last is not None:
            self.show(*self._last)

    def _unfolded(self, event: param.parameterized.Event) -> None:
        self.opened = bool(event.new)
