"""Drawings over a slide: layers, arrays, tables and HoloViews elements."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

import numpy as np

from workbench.errors import OutOfBoundsError
from workbench.geometry import Box
from workbench.layers.heatmap import HeatmapLayer
from workbench.layers.layer import overlay_pyramid
from workbench.results.heatmap import Heatmap

if TYPE_CHECKING:
    from workbench.geometry import BoxLike
    from workbench.layers.layer import Layer
    from workbench.slide.slide import Slide


class Surface(Protocol):
    """A viewer of a slide, over which drawings can be placed."""

    slide: Slide

    def place(
        self, drawing: Drawing, layer: Layer | None, renderers: list[Any]
    ) -> None:
        """Draw the parts of a drawing, once."""

    def erase(self, drawing: Drawing) -> None:
        """Remove the parts of a drawing."""


@dataclass(eq=False, repr=False, slots=True)
class Drawing:
    """Something drawn over a slide, in each viewer that shows the slide.

    Thread-safe.
    """

    what: Any
    """Layer, Heatmap, array, DataFrame or HoloViews object."""

    origin: tuple[float, float] | None = None
    """Upper left corner of an array with a value for each level-0 pixel."""

    box: BoxLike | None = None
    """Box that an array covers, in level-0 pixels; None: the whole slide."""

    removed: bool = False
    """Whether it is not drawn any more."""

    _viewers: WeakSet[Surface] = field(default_factory=WeakSet)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def parts(self, size: tuple[int, int]) -> tuple[Layer | None, list[Any]]:
        """Return its layer, or its Bokeh renderers, new each time.

        Parameters
        ----------
        size : (int, int)
            Width and height of the slide in level-0 pixels.

        Raises
        ------
        OutOfBoundsError
            If it does not fit the slide.
        """
        layer = self._layer(size)
        return layer, [] if layer is not None else _renderers_of(self.what)

    def show(self, viewer: Surface) -> None:
        """Draw it in a viewer, once.

        Raises
        ------
        OutOfBoundsError
            If it does not fit the slide.
        """
        if viewer in self._viewers:
            return
        parts = self.parts(viewer.slide.size)
        with self._lock:
            self._viewers.add(viewer)
        viewer.place(self, *parts)

    def remove(self) -> None:
        """Remove it from all viewers."""
        with self._lock:
            self.removed = True
            viewers = list(self._viewers)
        for viewer in viewers:
            viewer.erase(self)

    def __repr__(self) -> str:
        """Say what is drawn, for the output of a cell."""
        return f"<Drawing of {type(self.what).__name__}>"

    def _layer(self, size: tuple[int, int]) -> Layer | None:
        what = self.what
        if isinstance(what, np.ndarray):
            return _array_layer(what, self._covered(what, size), size)
        if self.origin is not None or self.box is not None:
            message = f"A {type(what).__name__} has its own place on the slide."
            raise OutOfBoundsError(message, "Leave `origin` and `box` out.")
        if hasattr(what, "tile") and hasattr(what, "pyramid"):
            layer: Layer = what
            return layer
        if isinstance(what, Heatmap):
            return HeatmapLayer(what, overlay_pyramid(size))
        return None

    def _covered(
        self, values: np.ndarray[Any, Any], size: tuple[int, int]
    ) -> tuple[float, float, float, float]:
        """Return x, y, width and height of what an array covers, in level-0 pixels."""
        if self.origin is None:
            box = Box(0, 0, *size) if self.box is None else Box.of(self.box)
            return box.x0, box.y0, box.width, box.height
        if self.box is not None:
            message = f"Both origin = {self.origin} and box = {self.box} are given."
            raise OutOfBoundsError(message, "Leave one of them out.")
        x, y = self.origin
        height, width = values.shape[:2]
        return float(x), float(y), width, height


def _array_layer(
    values: np.ndarray[Any, Any],
    covered: tuple[float, float, float, float],
    size: tuple[int, int],
) -> Layer:
    x, y, width, height = covered
    if values.ndim != 2 or not values.size:  # noqa: PLR2004 - rows and columns
        message = f"An array of shape {values.shape} is not two-dimensional."
        raise OutOfBoundsError(message, "Give one of shape (rows, columns).")
    cell = width / values.shape[1]
    if not cell or abs(values.shape[0] * cell - height) >= cell:
        message = (
            f"An array of shape {values.shape} does not fit {width:g} x {height:g}"
            " level-0 pixels."
        )
        remedy = (
            "Name the part of the slide that it covers: box=(x0, y0, x1, y1), or"
            " origin=(x, y) for a value for each level-0 pixel."
        )
        raise OutOfBoundsError(message, remedy)
    if x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0:
        message = (
            f"An array at ({x:g}, {y:g}) of {width:g} x {height:g} level-0 pixels lies"
            f" outside the slide, {size[0]} x {size[1]}."
        )
        raise OutOfBoundsError(message, "Give a place on the slide.")
    shown = np.asarray(values, np.float32)
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0, 1)
    limits = (low, high if high > low else low + 1)
    heatmap = Heatmap(shown[None], ("value",), cell, value_range=limits)
    return HeatmapLayer(heatmap, overlay_pyramid(size), origin=(x, y))


def _renderers_of(element: Any) -> list[Any]:
    """Return the Bokeh renderers of an element or a table, new each time."""
    import holoviews as hv  # noqa: PLC0415 - slow, needed here only
    import pandas as pd  # noqa: PLC0415 - as above
    from holoviews.plotting.bokeh import BokehRenderer  # noqa: PLC0415 - as above

    if isinstance(element, pd.DataFrame):
        if not {"x", "y"} <= set(element.columns):
            message = f"The table has no columns 'x' and 'y': {list(element.columns)}."
            raise OutOfBoundsError(message, "Add them, in level-0 pixels.")
        element = hv.Points(element[["x", "y"]])
    renderers: list[Any] = BokehRenderer.get_plot(element).state.renderers
    return renderers
