"""Instances: which are shown and in which colours, what is known of them, and edits."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.controls import STYLE, button, note, side_by_side, stack
from workbench.app.instance_counts import CountCard
from workbench.app.instance_plots import Histogram
from workbench.app.shown_instances import ShownInstances, facts_of, noun_and_unit
from workbench.app.swatch import legend_of
from workbench.durable import disk_errors
from workbench.instances.store import open_instances
from workbench.layers.colour import COLORMAPS
from workbench.objects import OBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

    from workbench.app.background import Background
    from workbench.app.marking import Marking
    from workbench.app.runs import SavedRun
    from workbench.app.viewer import Viewer
    from workbench.instances.store import InstanceStore
    from workbench.layers.layer import Pyramid
    from workbench.slide.slide import Slide

_POLL_MS: Final = 2000
_STEPS: Final = 200


class InstancePanel(pn.viewable.Viewer):
    """Lets the user look through the instances of a run, filter and edit them.

    Parameters
    ----------
    background : Background
    author : callable
        Returns who edits.
    marking : callable
        Returns the marking of the slide, None while there is none: it draws.
    """

    shown = param.Parameter(default=None, doc="The `ShownInstances`, or None.")

    def __init__(
        self,
        background: Background,
        *,
        author: Callable[[], str],
        marking: Callable[[], Marking | None],
    ) -> None:
        super().__init__()
        self._background = background
        self._author = author
        self._marking = marking
        self._slide: Slide | None = None
        self._viewer: Viewer | None = None
        self._pyramid: Pyramid | None = None
        self._runs: dict[str, SavedRun] = {}
        self._filling = False
        self._stop_polling: Callable[[], None] = lambda: None
        self.counts = CountCard(background)
        self._build()
        self._watch()
        self._fill()

    def _build(self) -> None:
        self._empty = note("Run a model that finds objects.")
        self._choice = pmui.Select(label="Run", options=[], **STYLE)
        self._visible = pmui.Switch(
            label="Show", value=True, size="small", margin=(4, 0)
        )
        self._opacity = _slider(pmui.FloatSlider, "Opacity", start=0, end=1, value=0.8)
        self._by = pmui.Select(label="Colour by", options=["class"], **STYLE)
        self._colormap = pmui.Select(label="Colours", options=[*COLORMAPS], **STYLE)
        self._legend = pn.pane.HTML("", sizing_mode="stretch_width", margin=(4, 0))
        self._classes = pmui.CheckBoxGroup(
            label="Classes", options=[], inline=True, size="small", margin=(0, 0)
        )
        self._measure = pmui.Select(label="Filter by", options=["score"], **STYLE)
        self.histogram = Histogram()
        self._range = _slider(pmui.RangeSlider, "Range", start=0, end=1, value=(0, 1))
        self._number = note()
        self._all = button("Show all", icon="filter_alt_off")
        self._facts = pn.pane.HTML("", sizing_mode="stretch_width", margin=(2, 0))
        self._class = pmui.AutocompleteInput(
            label="Class of the chosen", options=[], restrict=False, **STYLE
        )
        self._delete = button("Delete object", icon="delete")
        self._draw = button("Draw object", icon="draw")
        self._undo = button("Undo", icon="undo")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(self._empty, self._body)

    @property
    def _body(self) -> Any:
        self._rest = stack(
            self._choice,
            self._visible,
            self._legend,
            side_by_side(self._by, self._colormap),
            self._opacity,
            self._classes,
            self._measure,
            self.histogram,
            self._range,
            side_by_side(self._number, self._all),
            self._facts,
            self._class,
            side_by_side(self._delete, self._draw, self._undo),
            self.counts,
            visible=self.shown is not None,
        )
        return self._rest

    def attach(self, slide: Slide, viewer: Viewer, pyramid: Pyramid) -> None:
        """Show instances of another slide from now on."""
        self.close()
        self._slide, self._viewer, self._pyramid = slide, viewer, pyramid
        self.counts.attach(slide)
        self.offer([])

    def close(self) -> None:
        """Follow no longer what others do."""
        self._stop_polling()
        self._stop_polling = lambda: None
        self._background.forget("instances")
        if self.shown is not None:
            self.shown.detach()
            self.shown = None
        self._fill()

    def offer(self, runs: list[SavedRun]) -> None:
        """Offer the runs among these that have found objects; show the newest."""
        self._runs = {
            each.line: each for each in runs if (each.run.path / OBJECTS).is_file()
        }
        self._filling = True
        self._choice.options = list(self._runs)
        self._filling = False
        if self._choice.value not in self._runs:
            self._choice.value = next(iter(self._runs), None)
        if self._choice.value is None and self.shown is not None:
            self.close()
        if self.shown is None:
            self._open()

    def poll(self) -> None:
        """Show what others have edited since."""
        if self.shown is not None:
            self.shown.refresh()

    def _open(self) -> None:
        """Show the objects of the run that is chosen."""
        saved, viewer = self._runs.get(self._choice.value), self._viewer
        if saved is None or viewer is None or self._filling:
            return
        self._background.do(
            lambda: _store(saved.run.path / OBJECTS), self._opened, slot="instances"
        )

    def _opened(self, store: InstanceStore) -> None:
        viewer, pyramid = self._viewer, self._pyramid
        if viewer is None or pyramid is None:
            return
        self.close()
        shown = ShownInstances(store, viewer, pyramid, author=self._author)
        self._stop_polling = self._background.every(_POLL_MS, self.poll)
        self.shown = shown
        shown.param.watch(lambda _: self._describe(), ["style", "version"])
        shown.param.watch(lambda _: self._tell_chosen(), ["chosen", "version"])
        self._fill()

    def _watch(self) -> None:
        self._choice.param.watch(lambda _: self._open(), "value")
        self._visible.param.watch(lambda _: self._look(), "value")
        self._opacity.param.watch(lambda _: self._look(), "value")
        for widget in (self._by, self._colormap):
            widget.param.watch(lambda _: self._recolour(), "value")
        self._classes.param.watch(lambda _: self._hide(), "value")
        self._measure.param.watch(lambda _: self._show_measure(), "value")
        self._range.param.watch(lambda _: self._limit(), "value")
        self.histogram.param.watch(lambda event: self._take_range(event.new), "span")
        self._class.param.watch(lambda _: self._reclassify(), "value")
        for widget, act in (
            (self._delete, self._delete_chosen),
            (self._undo, self._undo_edit),
            (self._all, self._show_all),
            (self._draw, self._begin_drawing),
        ):
            widget.on_click(lambda _, act=act: self._background.guard(act))

    def _fill(self) -> None:
        """Show what there is to choose from."""
        shown = self.shown
        self._empty.visible = shown is None
        if hasattr(self, "_rest"):
            self._rest.visible = shown is not None
        if shown is None:
            self.counts.show(None)
            return
        self._filling = True
        try:
            self._by.param.update(options=["class", *shown.values], value="class")
            self._measure.param.update(options=shown.values, value=shown.values[0])
            self._colormap.visible = False
        finally:
            self._filling = False
        self.counts.show(shown)
        self._show_measure()
        self._describe()
        self._tell_chosen()

    def _describe(self) -> None:
        """Say which objects are shown, and in which colours."""
        shown = self.shown
        if shown is None:
            return
        legend = shown.handle.layer.legend
        self._legend.object = legend_of(legend) if legend else ""
        number, total = int(shown.shown.sum()), len(shown.now) - len(shown.now.gone)
        self._number.object = f"{number:,} of {total:,} objects shown"
        self._all.disabled = number == total
        self._filling = True
        try:
            names = list(shown.now.classes)
            visible = [name for name in names if name not in shown.style.hidden]
            self._classes.param.update(options=names, value=visible)
            self._class.options = names
        finally:
            self._filling = False
        self._draw_histogram()

    def _tell_chosen(self) -> None:
        """Say what is known of the objects that are chosen."""
        shown = self.shown
        if shown is None:
            return
        number = len(shown.chosen)
        self._delete.disabled = self._class.disabled = not number
        name = ""
        if number == 1:
            rows = shown.rows(1)
            facts, name = facts_of(rows), str(rows["class"].iloc[0])
            self._facts.object = _table(facts)
        elif number:
            self._facts.object = _quiet(f"{number:,} objects are chosen.")
        else:
            self._facts.object = _quiet("Click an object to choose it.")
        self._filling = True
        self._class.value = name
        self._filling = False

    def _look(self) -> None:
        if self.shown is not None:
            self.shown.handle.visible = self._visible.value
            self.shown.handle.opacity = self._opacity.value

    def _recolour(self) -> None:
        if self.shown is None or self._filling:
            return
        self._colormap.visible = self._by.value != "class"
        self.shown.colour_by(self._by.value, self._colormap.value)

    def _hide(self) -> None:
        if self.shown is not None and not self._filling:
            wanted = set(self._classes.value)
            self.shown.hide(c for c in self.shown.now.classes if c not in wanted)

    def _show_measure(self) -> None:
        """Let the slider and the histogram speak of the measure that is chosen."""
        shown, name = self.shown, self._measure.value
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
            self._range.param.update(
                start=low, end=high, step=(high - low) / _STEPS, value=value
            )
            self._range.label = f"{noun} {unit}".strip().capitalize()
        finally:
            self._filling = False
        self._draw_histogram()

    def _draw_histogram(self) -> None:
        shown, name = self.shown, self._measure.value
        if shown is None or name not in shown.values:
            return
        values = shown.now.columns([name])[name]
        there = np.isfinite(values)
        there[shown.now.gone] = False
        picked = np.zeros(len(values), bool)
        picked[shown.chosen] = True
        ends = shown.range_of(name)
        self.histogram.show(values, ends, there=there, shown=shown.shown, chosen=picked)

    def _limit(self) -> None:
        if self.shown is not None and not self._filling:
            self.shown.limit(self._measure.value, *self._range.value)

    def _take_range(self, span: tuple[float, float] | None) -> None:
        if span is not None and self.shown is not None:
            low, high = self._range.start, self._range.end
            self._range.value = (max(low, span[0]), min(high, span[1]))

    def _show_all(self) -> None:
        self.shown.show_all()
        self._show_measure()

    def _reclassify(self) -> None:
        name = self._class.value
        if (
            self.shown is None
            or self._filling
            or not name
            or not len(self.shown.chosen)
        ):
            return
        self._background.guard(self.shown.reclassify, name)

    def _delete_chosen(self) -> None:
        self.shown.delete()

    def _undo_edit(self) -> None:
        self.shown.undo()

    def _begin_drawing(self) -> None:
        marking = self._marking()
        if marking is not None and self.shown is not None:
            marking.draw_for(self._drawn)

    def _drawn(self, geometry: BaseGeometry) -> None:
        shown = self.shown
        if shown is not None:
            name = self._class.value or shown.now.classes[0]
            shown.add(geometry, name)


def _store(path: Path) -> InstanceStore:
    """Return the store of a file, the same for all sessions while it is the same."""
    with disk_errors(path):
        stamp = path.stat().st_mtime_ns
    return _opened(path, stamp)


@lru_cache(maxsize=8)
def _opened(path: Path, stamp: int) -> InstanceStore:
    del stamp  # tells files apart that follow each other under one name
    store = open_instances(path)
    # What the first look needs, so that nothing waits for it on the event loop.
    store.columns(["x", "y", "class", "score", "size_px"])
    return store


def _quiet(text: str) -> str:
    return f"<div style='font-size:12px;opacity:.7'>{text}</div>"


def _table(facts: list[tuple[str, str]]) -> str:
    from html import escape  # noqa: PLC0415 - a name that means something else here

    rows = "".join(
        f"<tr><td style='opacity:.65;padding-right:12px'>{escape(name)}</td>"
        f"<td>{escape(value)}</td></tr>"
        for name, value in facts
    )
    return f"<table style='font-size:12px;line-height:1.5'>{rows}</table>"


def _slider(kind: Any, label: str, **more: Any) -> Any:
    return kind(
        label=label,
        step=0.01,
        size="small",
        sizing_mode="stretch_width",
        margin=(2, 8),
        **more,
    )
