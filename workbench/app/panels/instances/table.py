"""Table and scatter plot of instances, linked with the selection on the slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import panel_material_ui as pmui
import shapely

from workbench.app.panels.instances.plots import Scatter, sample
from workbench.app.panels.instances.shown import words_of
from workbench.app.widgets.connection import NOWHERE
from workbench.app.widgets.controls import STYLE, note, stack
from workbench.app.widgets.late_scripts import LateScripts
from workbench.layers.colormaps import hex_colour

if TYPE_CHECKING:
    import param

    from workbench.app.panels.instances.panel import InstancePanel
    from workbench.app.panels.instances.shown import ShownInstances

_ROWS: Final = 500
"""Largest number of rows of the table."""

_HEIGHT: Final = 270


class InstanceTable(pn.viewable.Viewer):
    """A scatter plot and a table under the slide, which can be hidden.

    The lasso, the table and the slide share one selection.

    Parameters
    ----------
    panel : InstancePanel
        Panel whose instances are listed.
    """

    def __init__(self, panel: InstancePanel) -> None:
        super().__init__()
        self._shown: ShownInstances | None = None
        self._filling = False
        self.switch = pmui.Switch(
            label="Table and plot", value=False, size="small", margin=(4, 0)
        )
        self._x = pmui.Select(label="Across", options=[], **STYLE)
        self._y = pmui.Select(label="Up", options=[], **STYLE)
        self._said = note()
        self.scatter = Scatter()
        self.table = pn.widgets.Tabulator(
            None,
            disabled=True,
            selectable="checkbox",
            pagination=None,
            layout="fit_data_table",
            height=_HEIGHT - 44,
            sizing_mode="stretch_width",
            show_index=True,
            theme="simple",
            stylesheets=[_COMPACT],
        )
        self._scripts = LateScripts(**NOWHERE)
        self._listed = pn.Column(sizing_mode="stretch_both", scroll=True)
        self._dock = pmui.Paper(
            stack(self._x, self._y, self._said, width=150, sizing_mode=None),
            pn.Column(self.scatter, width=380, sizing_mode="stretch_height"),
            self._listed,
            self._scripts,
            direction="row",
            height=_HEIGHT,
            sizing_mode="stretch_width",
            square=True,
            visible=False,
            margin=0,
            sx={"p": "6px 10px", "gap": "10px"},
        )
        panel.param.watch(lambda event: self._show(event.new), "shown")
        self.switch.param.watch(lambda _: self._fill(), "value")
        self._scripts.param.watch(lambda _: self._place_table(), "loaded")
        for widget in (self._x, self._y):
            widget.param.watch(lambda _: self._plot(), "value")
        self.scatter.param.watch(lambda event: self._drawn(event.new), "drawn")
        self.table.param.watch(self._picked, "selection")
        self.table.on_click(lambda event: self._go_to(event.row))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return self._dock

    def _show(self, shown: ShownInstances | None) -> None:
        self._shown = shown
        if shown is not None:
            names = shown.values
            self._filling = True
            measures = [name for name in names if name != "score"] or names
            options = words_of(names)
            self._x.param.update(options=options, value=measures[0])
            self._y.param.update(options=options, value=names[0])
            self._filling = False
            shown.param.watch(lambda _: self._plot(), ["style", "version"])
            shown.param.watch(lambda _: self._list(), ["chosen", "version"])
        self._fill()

    def _place_table(self) -> None:
        self._listed.objects = [self.table]

    def _fill(self) -> None:
        self._dock.visible = self._open
        if self._open and not self._scripts.urls:
            self._scripts.urls = _table_scripts()
        self._plot()
        self._list()

    @property
    def _open(self) -> bool:
        return bool(self.switch.value) and self._shown is not None

    def _plot(self) -> None:
        """Draw a sample of the instances that pass the filter."""
        shown = self._shown
        if shown is None or not self._open or self._filling:
            return
        names = (self._x.value, self._y.value)
        ids = sample(shown.shown)
        values = shown.now.columns([*names, "class"])
        palette = [hex_colour(colour) for colour in shown.now.palette]
        colours = [palette[i] for i in values["class"][ids].tolist()]
        self.scatter.show(names, values[names[0]][ids], values[names[1]][ids], colours)
        self._mark()

    def _mark(self) -> None:
        shown = self._shown
        if shown is not None:
            ids = shown.chosen[:_ROWS]
            values = shown.now.columns([self._x.value, self._y.value])
            self.scatter.mark(values[self._x.value][ids], values[self._y.value][ids])

    def _list(self) -> None:
        """List the selected instances; without a selection, the first ones shown."""
        shown = self._shown
        if shown is None or not self._open:
            return
        chosen = shown.chosen
        ids = chosen if len(chosen) else np.flatnonzero(shown.shown)
        rows = shown.now.rows(ids[:_ROWS])
        self._filling = True
        try:
            self.table.value = rows.round(3)
            picked = range(len(rows)) if len(chosen) else []
            self.table.selection = list(picked)
        finally:
            self._filling = False
        some = f"first {_ROWS} of " if len(ids) > _ROWS else ""
        what = "chosen" if len(chosen) else "shown"
        self._said.object = f"Table: {some}{len(ids):,} {what}."
        self._mark()

    def _drawn(self, area: Any) -> None:
        """Select all shown instances within the lasso, also those not in the sample."""
        shown = self._shown
        if shown is None or area is None:
            return
        values = shown.now.columns([self._x.value, self._y.value])
        x, y = values[self._x.value], values[self._y.value]
        x0, y0, x1, y1 = area.bounds
        near = shown.shown & (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
        ids = np.flatnonzero(near)
        shapely.prepare(area)
        shown.choose(ids[shapely.contains_xy(area, x[ids], y[ids])])

    def _picked(self, event: param.parameterized.Event) -> None:
        """Select the instances that are ticked in the table."""
        if self._filling or self._shown is None:
            return
        self._shown.choose(self.table.value.index[event.new].to_numpy())

    def _go_to(self, row: int) -> None:
        shown = self._shown
        if shown is not None and row is not None:
            key = int(self.table.value.index[row])
            shown.choose([key])
            shown.go_to(key)


def _table_scripts() -> list[str]:
    """Return the URLs of the scripts of the table, relative to the page."""
    from panel.models.tabulator import DataTabulator  # noqa: PLC0415 - as Panel does

    return [str(url) for url in DataTabulator.__javascript__]


_COMPACT: Final = """
.tabulator { font-size: 12px; }
.tabulator .tabulator-row, .tabulator .tabulator-row .tabulator-cell {
  min-height: 22px; height: 24px !important;
}
.tabulator .tabulator-row .tabulator-cell { padding: 3px 8px !important; }
.tabulator .tabulator-header .tabulator-col .tabulator-col-content {
  padding: 4px 8px !important;
}
"""
