"""Converts arrays, tables and HoloViews elements into layers and glyphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import OutOfBoundsError
from workbench.layers.heatmap import HeatmapLayer
from workbench.layers.layer import overlay_pyramid
from workbench.results.heatmap import Heatmap

if TYPE_CHECKING:
    from workbench.layers.layer import Layer


def layer_of(what: Any, size: tuple[int, int]) -> Layer | None:
    """Return a heatmap, array or layer as a layer; None for anything else.

    Parameters
    ----------
    what : Layer, Heatmap or array (rows, columns)
        An array covers the width of the slide, from its upper left corner; NaN is
        transparent.
    size : (int, int)
        Width and height of the slide in level-0 pixels.

    Raises
    ------
    OutOfBoundsError
        If an array is not two-dimensional, or not of the slide's proportions.
    """
    if hasattr(what, "tile") and hasattr(what, "pyramid"):
        layer: Layer = what
        return layer
    if isinstance(what, np.ndarray):
        what = _heatmap_of(what, size)
    if isinstance(what, Heatmap):
        return HeatmapLayer(what, overlay_pyramid(size))
    return None


def renderers_of(element: Any) -> list[Any]:
    """Return new Bokeh renderers of an element or a table.

    Parameters
    ----------
    element : HoloViews object or DataFrame
        Element in level-0 pixels; a table has points in columns `x` and `y`.

    Raises
    ------
    OutOfBoundsError
        If a table has no columns `x` and `y`.
    """
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


def _heatmap_of(values: np.ndarray[Any, Any], size: tuple[int, int]) -> Heatmap:
    if values.ndim != 2 or not values.size:  # noqa: PLR2004 - rows and columns
        message = f"An array of shape {values.shape} is not two-dimensional."
        raise OutOfBoundsError(message, "Give one of shape (rows, columns).")
    cell = size[0] / values.shape[1]
    if abs(values.shape[0] * cell - size[1]) > cell:
        message = f"An array of shape {values.shape} does not fit a slide of {size}."
        raise OutOfBoundsError(message, "Give one that covers the whole slide.")
    shown = np.asarray(values, np.float32)
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0, 1)
    limits = (low, high if high > low else low + 1)
    return Heatmap(shown[None], ("value",), cell, value_range=limits)
