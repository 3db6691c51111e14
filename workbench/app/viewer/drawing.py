"""Drawings over a slide: layers, arrays, tables and HoloViews elements."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakSet

import numpy as np

from workbench.errors import OutOfBoundsError
from workbench.geometry import Box
from workbench.layers.heatmap import HeatmapLayer, HeatmapStyle
from workbench.layers.layer import overlay_pyramid
from workbench.results.heatmap import Heatmap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workbench.app.viewer.layer_handle import LayerHandle
    from workbench.geometry import BoxLike
    from workbench.layers.layer import Layer
    from workbench.slide.slide import Slide

_LAYER_OPACITY: Final = 0.6


class Surface(Protocol):
    """A viewer of a slide, over which drawings can be placed."""

    slide: Slide
    figure: Any
    layers: list[LayerHandle]
    drawings: dict[Drawing, Placed]
    param: Any

    def add_layer(self, layer: Layer, *, opacity: float, visible: bool) -> LayerHandle:
        """Add a layer on top of the others."""

    def remove_layer(self, handle: LayerHandle) -> None:
        """Remove a layer."""

    def in_document(self, call: Callable[[], None]) -> None:
        """Call while the document of the page is locked."""


class Placed:
    """The parts of a drawing in one viewer: layers, or Bokeh renderers.

    Parameters
    ----------
    handles : list of LayerHandle
        A layer, and above it the contour lines of its values, if any.
    renderers : list of Bokeh renderers
    """

    def __init__(self, handles: list[LayerHandle], renderers: list[Any]) -> None:
        self.handles = handles
        self.renderers = renderers
        self._alphas = [alpha for each in renderers for alpha in _alphas_of(each)]

    def restyle(self, opacity: float, *, visible: bool) -> None:
        """Show or hide the parts, and scale their own opacity; lines stay opaque."""
        for handle in self.handles:
            handle.visible = visible
        for handle in self.handles[:1]:
            handle.opacity = opacity
        for each in self.renderers:
            each.visible = visible
        for glyph, name, own in self._alphas:
            setattr(glyph, name, own * opacity)


@dataclass(eq=False, repr=False, slots=True)
class Drawing:
    """Something drawn over a slide, in each viewer that shows the slide.

    `remove()` removes it; `visible` and `opacity` can be set. Thread-safe.
    """

    what: Any
    """Layer, Heatmap, array, DataFrame or HoloViews object."""

    origin: tuple[float, float] | None = None
    """Upper left corner of an array, in level-0 pixels."""

    box: BoxLike | None = None
    """Box that an array covers, in level-0 pixels; None: the whole slide."""

    cell: float | None = None
    """Side of a value of an array, in level-0 pixels; None: 1 from `origin`."""

    name: str = ""
    """Name of the values of an array, or class of a heatmap; empty: the first one."""

    smooth: bool = False
    """Whether values are interpolated between the centres of cells."""

    contours: tuple[float, ...] = ()
    """Values at which contour lines are drawn."""

    removed: bool = False
    """Whether it is not drawn any more."""

    _opacity: float | None = None
    _visible: bool = True
    _viewers: WeakSet[Surface] = field(default_factory=WeakSet)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def parts(self, size: tuple[int, int]) -> tuple[list[Layer], list[Any]]:
        """Return its layers, or its Bokeh renderers, new each time.

        The second layer, if any, has the contour lines of the first.

        Parameters
        ----------
        size : (int, int)
            Width and height of the slide in level-0 pixels.

        Raises
        ------
        OutOfBoundsError
            If it does not fit the slide.
        RecipeError
            If the contour lines cannot be drawn.
        """
        layer = self._layer(size)
        if layer is None:
            return [], _renderers_of(self.what)
        if self.contours and isinstance(layer, HeatmapLayer):
            return [layer, layer.contours(self.contours)], []
        return [layer], []

    def layers(self, size: tuple[int, int]) -> list[tuple[Layer, float]]:
        """Return its layers with their opacities, the lowest first; raises as `parts`.

        Parameters
        ----------
        size : (int, int)
            Width and height of the slide in level-0 pixels.
        """
        opacities = (self.opacity, 1.0)
        return list(zip(self.parts(size)[0], opacities, strict=False))

    @property
    def title(self) -> str:
        """Name in a list of layers: that given, of a layer, or of the kind."""
        what = self.what
        classes = getattr(what, "classes", ())
        own = getattr(what, "name", "") if _has_tiles(what) else ""
        label = getattr(what, "label", "")
        named = (self.name, own, *classes[:1], label if isinstance(label, str) else "")
        return next(filter(None, named), type(what).__name__)

    @property
    def visible(self) -> bool:
        """Whether it is shown."""
        return self._visible

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._visible = bool(visible)
        self._restyle()

    @property
    def opacity(self) -> float:
        """Opacity, 0 to 1; elements keep their own one as a factor."""
        if self._opacity is None:
            return _LAYER_OPACITY if self._is_layer else 1.0
        return self._opacity

    @opacity.setter
    def opacity(self, opacity: float) -> None:
        self._opacity = min(1.0, max(0.0, float(opacity)))
        self._restyle()

    def show(self, viewer: Surface) -> None:
        """Draw it in a viewer, once.

        Raises
        ------
        OutOfBoundsError
            If it does not fit the slide.
        """
        if viewer in self._viewers:
            return
        layers, renderers = self.parts(viewer.slide.size)
        with self._lock:
            self._viewers.add(viewer)
        viewer.in_document(lambda: self._place(viewer, layers, renderers))

    def remove(self) -> None:
        """Remove it from all viewers."""
        self.removed = True
        self._in_viewers(self._erase)

    def _place(
        self, viewer: Surface, layers: list[Layer], renderers: list[Any]
    ) -> None:
        if self.removed or self in viewer.drawings:
            return
        look: Any = {"opacity": self.opacity, "visible": self.visible}
        handles = [
            viewer.add_layer(layer, opacity=1.0, visible=False) for layer in layers
        ]
        viewer.drawings[self] = placed = Placed(handles, renderers)
        placed.restyle(**look)
        viewer.figure.renderers.extend(renderers)
        viewer.param.trigger("drawings")

    def _erase(self, viewer: Surface) -> None:
        placed = viewer.drawings.pop(self, None)
        if placed is None:
            return
        for handle in placed.handles:
            if handle in viewer.layers:
                viewer.remove_layer(handle)
        gone = placed.renderers
        kept = [each for each in viewer.figure.renderers if each not in gone]
        viewer.figure.renderers = kept
        viewer.param.trigger("drawings")

    def _restyle(self) -> None:
        def restyle(viewer: Surface) -> None:
            if self in viewer.drawings:
                placed = viewer.drawings[self]
                placed.restyle(self.opacity, visible=self.visible)
                viewer.param.trigger("drawings")

        self._in_viewers(restyle)

    def _in_viewers(self, call: Callable[[Surface], None]) -> None:
        """Call with each viewer that shows it, in the document of its page."""
        with self._lock:
            viewers = list(self._viewers)
        for viewer in viewers:
            viewer.in_document(partial(call, viewer))

    def __repr__(self) -> str:
        """Say what is drawn, for the output of a cell."""
        return f"<Drawing of {type(self.what).__name__}>"

    @property
    def _is_layer(self) -> bool:
        return isinstance(self.what, np.ndarray | Heatmap) or _has_tiles(self.what)

    def _layer(self, size: tuple[int, int]) -> Layer | None:
        what = self.what
        if isinstance(what, np.ndarray):
            covered = self._covered(what, size)
            values = _heatmap_of(what, covered, size, self.name)
            return self._shown(values, size, origin=covered[:2])
        if (self.origin, self.box, self.cell) != (None, None, None):
            message = f"A {type(what).__name__} has its own place on the slide."
            raise OutOfBoundsError(message, "Leave `origin`, `box` and `cell` out.")
        if _has_tiles(what):
            layer: Layer = what
            return layer
        if isinstance(what, Heatmap):
            return self._shown(what, size)
        return None

    def _shown(
        self,
        heatmap: Heatmap,
        size: tuple[int, int],
        *,
        origin: tuple[float, float] = (0.0, 0.0),
    ) -> HeatmapLayer:
        low, high = heatmap.value_range
        return HeatmapLayer(
            heatmap,
            overlay_pyramid(size),
            channel=self.name or None,
            style=HeatmapStyle(low=low, high=high, smooth=self.smooth),
            origin=origin,
        )

    def _covered(
        self, values: np.ndarray[Any, Any], size: tuple[int, int]
    ) -> tuple[float, float, float, float]:
        """Return x, y, width and height of what an array covers, in level-0 pixels."""
        if self.origin is None and self.cell is None:
            box = Box(0, 0, *size) if self.box is None else Box.of(self.box)
            return box.x0, box.y0, box.width, box.height
        if self.box is not None:
            given = "origin" if self.cell is None else "cell"
            value = getattr(self, given)
            message = f"Both {given} = {value} and box = {self.box} are given."
            raise OutOfBoundsError(message, "Leave one of them out.")
        x, y = self.origin or (0.0, 0.0)
        cell = 1.0 if self.cell is None else float(self.cell)
        height, width = values.shape[:2]
        return float(x), float(y), width * cell, height * cell


def _has_tiles(what: Any) -> bool:
    return hasattr(what, "tile") and hasattr(what, "pyramid")


def _alphas_of(renderer: Any) -> Iterator[tuple[Any, str, float]]:
    """Yield the opacities of a Bokeh renderer that are one number for all of it."""
    glyph = getattr(renderer, "glyph", None)
    for name in glyph.properties() if glyph is not None else ():
        own = getattr(glyph, name) if name.endswith("alpha") else None
        own = getattr(own, "value", own)
        if isinstance(own, int | float):
            yield glyph, name, float(own)


def _heatmap_of(
    values: np.ndarray[Any, Any],
    covered: tuple[float, float, float, float],
    size: tuple[int, int],
    name: str,
) -> Heatmap:
    """Return the values of an array that covers x, y, width and height."""
    x, y, width, height = covered
    if values.ndim != 2 or not values.size:  # noqa: PLR2004 - rows and columns
        message = f"An array of shape {values.shape} is not two-dimensional."
        raise OutOfBoundsError(message, "Give one of shape (rows, columns).")
    cell = width / values.shape[1]
    if not cell > 0 or abs(values.shape[0] * cell - height) >= cell:
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
    return Heatmap(shown[None], (name or "value",), cell, value_range=limits)


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
