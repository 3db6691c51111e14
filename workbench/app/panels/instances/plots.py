"""Plots of instances: a histogram to filter and a scatter plot to select with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import param
import shapely
from bokeh.events import SelectionGeometry
from bokeh.models import BoxSelectTool, ColumnDataSource, LassoSelectTool, Range1d
from bokeh.plotting import figure

from workbench.app.panels.instances.shown import noun_and_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS: Final = 40
_ACCENT: Final = "#7b68c8"
_CHOSEN: Final = "#e0a800"
_QUIET: Final = "#9a9aa5"
_DOTS: Final = 4000
"""Largest number of instances in the plot; selecting applies to all instances."""


class Histogram(pn.viewable.Viewer):
    """Histogram of one measure: all instances, those shown, those selected."""

    span = param.Parameter(default=None, doc="Range that the user drew, (low, high).")

    def __init__(self) -> None:
        super().__init__()
        empty: dict[str, list[float]] = {
            name: [] for name in ("left", "right", "all", "shown", "chosen")
        }
        self._source = ColumnDataSource(empty)
        self._tool = BoxSelectTool(dimensions="width", persistent=False)
        self._figure = figure(
            height=84,
            sizing_mode="stretch_width",
            tools=[self._tool],
            toolbar_location=None,
            active_drag=self._tool,
            x_range=Range1d(0, 1),
            y_range=Range1d(0, 1),
            min_border=0,
            outline_line_color=None,
            background_fill_alpha=0,
            border_fill_alpha=0,
        )
        self._figure.grid.visible = False
        self._figure.yaxis.visible = False
        self._figure.xaxis.update(
            axis_line_color=None,
            major_tick_line_color=None,
            minor_tick_line_color=None,
            major_label_text_font_size="10px",
        )
        for name, colour in (("all", _QUIET), ("shown", _ACCENT), ("chosen", _CHOSEN)):
            self._figure.quad(
                left="left",
                right="right",
                bottom=0,
                top=name,
                source=self._source,
                fill_color=colour,
                fill_alpha=0.35 if name == "all" else 0.9,
                line_color=None,
                nonselection_fill_alpha=0.35 if name == "all" else 0.9,
            )
        self._figure.on_event(SelectionGeometry, self._drawn)
        self._place = pn.Column(sizing_mode="stretch_width", height=84, margin=0)

    def __panel__(self) -> Any:
        """Return what Panel shows; empty until there is something to plot."""
        return self._place

    def show(
        self,
        values: NDArray[np.floating[Any]],
        ends: tuple[float, float],
        *,
        finite: NDArray[np.bool_],
        shown: NDArray[np.bool_],
        chosen: NDArray[np.bool_],
    ) -> None:
        """Show the distribution of values between two ends."""
        place_once(self._place, self._figure)
        edges = np.linspace(*ends, _BINS + 1)
        # Not np.histogram, which sorts: too slow for a million instances.
        steps = np.nan_to_num((values - ends[0]) * (_BINS / (ends[1] - ends[0])))
        bins = np.clip(steps, 0, _BINS - 1).astype(np.uint8)
        counts = {
            name: np.bincount(bins[finite & which], minlength=_BINS)
            for name, which in (("all", finite), ("shown", shown), ("chosen", chosen))
        }
        # A few instances among very many stay visible.
        heights = {name: np.sqrt(count) for name, count in counts.items()}
        self._source.data = {"left": edges[:-1], "right": edges[1:], **heights}
        self._figure.x_range.update(start=ends[0], end=ends[1])
        self._figure.y_range.end = max(1.0, float(heights["all"].max()))

    def _drawn(self, event: SelectionGeometry) -> None:
        if event.final and event.geometry["type"] == "rect":
            low, high = sorted((event.geometry["x0"], event.geometry["x1"]))
            if high > low:
                self.span = (low, high)
            self._source.selected.indices = []


class Scatter(pn.viewable.Viewer):
    """Scatter plot of two measures; a lasso or a box selects instances."""

    drawn = param.Parameter(
        default=None, doc="Area that the user drew, a shapely geometry."
    )

    def __init__(self) -> None:
        super().__init__()
        empty: dict[str, list[Any]] = {"x": [], "y": [], "colour": []}
        self._source = ColumnDataSource(empty)
        self._chosen = ColumnDataSource({"x": [], "y": []})
        lasso = LassoSelectTool(continuous=False, persistent=False)
        self._figure = figure(
            sizing_mode="stretch_both",
            tools=[
                lasso,
                BoxSelectTool(persistent=False),
                "pan",
                "wheel_zoom",
                "reset",
            ],
            active_drag=lasso,
            toolbar_location="right",
            min_border=4,
            outline_line_color=None,
            background_fill_alpha=0,
            border_fill_alpha=0,
        )
        self._figure.toolbar.logo = None
        self._figure.axis.major_label_text_font_size = "10px"
        self._figure.axis.axis_label_text_font_size = "11px"
        self._figure.grid.grid_line_alpha = 0.3
        dots = self._figure.scatter(
            "x", "y", source=self._source, size=3, color="colour", alpha=0.7
        )
        dots.nonselection_glyph = None
        self._figure.scatter(
            *("x", "y"),
            source=self._chosen,
            size=8,
            fill_color=_CHOSEN,
            line_color="#333333",
        )
        self._figure.on_event(SelectionGeometry, self._selected)
        self._place = pn.Column(sizing_mode="stretch_both", min_height=180, margin=0)

    def __panel__(self) -> Any:
        """Return what Panel shows; empty until there is something to plot."""
        return self._place

    def show(
        self,
        names: tuple[str, str],
        x: NDArray[np.floating[Any]],
        y: NDArray[np.floating[Any]],
        colours: list[str],
    ) -> None:
        """Show points in their colours."""
        place_once(self._place, self._figure)
        for axis, name in zip(
            (self._figure.xaxis, self._figure.yaxis), names, strict=True
        ):
            noun, unit = noun_and_unit(name)
            axis.axis_label = f"{noun} ({unit})" if unit else noun
        self._source.data = {"x": x, "y": y, "colour": colours}

    def mark(self, x: NDArray[Any], y: NDArray[Any]) -> None:
        """Highlight points."""
        self._chosen.data = {"x": x, "y": y}

    def _selected(self, event: SelectionGeometry) -> None:
        if not event.final:
            return
        found = event.geometry
        if found["type"] == "rect":
            corners = (found["x0"], found["y0"], found["x1"], found["y1"])
            self.drawn = shapely.box(*corners)
        elif found["type"] == "poly" and len(found["x"]) > 2:  # noqa: PLR2004 - an area
            ring = np.stack([found["x"], found["y"]], 1)
            self.drawn = shapely.make_valid(shapely.Polygon(ring))
        self._source.selected.indices = []


def place_once(place: pn.Column, plot: Any) -> None:
    """Put a plot into its place; Bokeh cannot lay out one that is never shown."""
    if not place.objects:
        place.append(pn.pane.Bokeh(plot, sizing_mode="stretch_both"))


def sample(which: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return at most `_DOTS` of the ids where `which` is true, evenly spread."""
    ids = np.flatnonzero(which)
    if len(ids) <= _DOTS:
        return ids
    rng = np.random.default_rng(0)
    return np.sort(rng.choice(ids, _DOTS, replace=False))
