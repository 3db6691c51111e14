"""Which instances are shown: classes and ranges of measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import panel_material_ui as pmui

from workbench.app.panels.instances.plots import Histogram
from workbench.app.panels.instances.shown import noun_and_unit, words_of
from workbench.app.widgets.controls import (
    STYLE,
    PromptRangeSlider,
    button,
    note,
    side_by_side,
    stack,
)
from workbench.progress import counted_noun

if TYPE_CHECKING:
    from workbench.app.panels.instances.shown import ShownInstances
    from workbench.app.url_state import InstancesLook
    from workbench.app.widgets.background import Background

_STEPS: Final = 200
"""Steps of the range slider."""


class InstanceFilter(pn.viewable.Viewer):
    """Filters instances by class and by the range of one measure after another.

    Parameters
    ----------
    background : Background
    """

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._shown: ShownInstances | None = None
        self._outside = 0
        self._filling = False
        self.classes = pmui.CheckBoxGroup(
            label="Classes", options=[], inline=True, size="small", margin=(8, 0, 0, 0)
        )
        self.measure = pmui.Select(label="Filter by", options=["score"], **STYLE)
        self.histogram = Histogram()
        self.range = PromptRangeSlider(
            label="Range",
            start=0,
            end=1,
            step=0.01,
            value=(0, 1),
            size="small",
            sizing_mode="stretch_width",
            margin=(2, 8),
        )
        self.number = note()
        self._left_out = note(visible=False)
        self._all = button("Show all", icon="filter_alt_off")
        self.classes.param.watch(lambda _: self._hide(), "value")
        self.measure.param.watch(lambda _: self._show_measure(), "value")
        self.range.param.watch(lambda _: self._limit(), "value")
        self.histogram.param.watch(lambda event: self._take_range(event.new), "span")
        self._all.on_click(lambda _: self._background.guard(self.show_all))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(
            self.classes,
            self.measure,
            self.histogram,
            self.range,
            side_by_side(self.number, self._all),
            self._left_out,
        )

    def show(self, shown: ShownInstances | None, outside: int = 0) -> None:
        """Filter other instances from now on.

        Parameters
        ----------
        shown : ShownInstances, optional
        outside : int
            Number of instances that the run has left out: outside its region.
        """
        self._shown, self._outside = shown, outside
        if shown is None:
            return
        self._filling = True
        try:
            options = words_of(shown.values)
            self.measure.param.update(options=options, value=shown.values[0])
        finally:
            self._filling = False
        shown.param.watch(lambda _: self._draw_histogram(), "chosen")
        self._show_measure()

    def describe(self) -> None:
        """Show how many instances pass the filter, and of which classes."""
        shown = self._shown
        if shown is None:
            return
        number, total = int(shown.shown.sum()), len(shown.now) - len(shown.now.gone)
        self.number.object = f"{number:,} of {counted_noun(total, 'instances')} shown"
        self._left_out.object = (
            f"{self._outside:,} more lie outside the region of the run: neither drawn"
            " nor counted."
        )
        self._left_out.visible = bool(self._outside)
        self._all.disabled = number == total
        self._filling = True
        try:
            names = list(shown.now.classes)
            visible = [name for name in names if name not in shown.style.hidden]
            self.classes.param.update(options=names, value=visible)
        finally:
            self._filling = False
        self._draw_histogram()

    def restore(self, look: InstancesLook) -> None:
        """Filter as a look says; leave out classes and measures that are not there."""
        shown = self._shown
        if shown is None:
            return
        shown.hide(name for name in look.hidden if name in shown.now.classes)
        for name, low, high in look.limits:
            if name in shown.values:
                shown.limit(name, low, high)
        self._show_measure()

    def show_all(self) -> None:
        """Remove all filters."""
        if self._shown is not None:
            self._shown.show_all()
            self._show_measure()

    def _hide(self) -> None:
        if self._shown is not None and not self._filling:
            visible = set(self.classes.value)
            self._shown.hide(c for c in self._shown.now.classes if c not in visible)

    def _show_measure(self) -> None:
        """Show range and histogram of the selected measure."""
        shown, name = self._shown, self.measure.value
        if shown is None or self._filling:
            return
        low, high = shown.range_of(name)
        limit = next((each for each in shown.style.limits if each.name == name), None)
        value = (low, high)
        if limit is not None:
            value = (max(low, limit.low), min(high, limit.high))
        self._filling = True
        try:
            noun, unit = noun_and_unit(name)
            self.range.param.update(
                start=low, end=high, step=(high - low) / _STEPS, value=value
            )
            self.range.label = f"{noun} {unit}".strip().capitalize()
        finally:
            self._filling = False
        self._draw_histogram()

    def _draw_histogram(self) -> None:
        shown, name = self._shown, self.measure.value
        if shown is None or name not in shown.values:
            return
        values = shown.now.columns([name])[name]
        finite = np.isfinite(values)
        finite[shown.now.gone] = False
        selected = np.zeros(len(values), bool)
        selected[shown.chosen] = True
        ends = shown.range_of(name)
        self.histogram.show(
            values, ends, finite=finite, shown=shown.shown, chosen=selected
        )

    def _limit(self) -> None:
        if self._shown is not None and not self._filling:
            self._shown.limit(self.measure.value, *self.range.value)

    def _take_range(self, span: tuple[float, float] | None) -> None:
        if span is not None and self._shown is not None:
            low, high = self.range.start, self.range.end
            self.range.value = (max(low, span[0]), min(high, span[1]))
