"""Instances: which are shown, in which colours, and how that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.panels.edit_history import EditHistory
from workbench.app.panels.instances.counts import CountCard
from workbench.app.panels.instances.plots import Histogram
from workbench.app.panels.instances.selected import SelectedInstanceCard
from workbench.app.panels.instances.shown import ShownInstances, noun_and_unit, store_of
from workbench.app.url_state import InstancesLook
from workbench.app.widgets.background import explain_damage
from workbench.app.widgets.controls import (
    STYLE,
    PromptRangeSlider,
    PromptSlider,
    button,
    note,
    side_by_side,
    stack,
)
from workbench.app.widgets.html_snippets import legend_of
from workbench.app.widgets.text import Html
from workbench.layers.colormaps import COLORMAPS
from workbench.results.instances import INSTANCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.catalog.runs import SavedRun
    from workbench.app.panels.annotations_drawn import AnnotationEditor
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.instances.store import InstanceStore
    from workbench.layers.layer import Pyramid
    from workbench.results.run import Run
    from workbench.slide.slide import Slide

_POLL_MS: Final = 2000
_OPACITY: Final = 0.8
_STEPS: Final = 200


class InstancePanel(pn.viewable.Viewer):
    """Lets the user look through the instances of a run, filter and edit them.

    Parameters
    ----------
    background : Background
    author : callable
        Returns who edits.
    editor : callable
        Returns the annotation editor of the slide, which draws outlines; None
        before it is ready.
    history : EditHistory, optional
        Of the session.
    """

    shown = param.Parameter(default=None, doc="The `ShownInstances`, or None.")
    look = param.Parameter(default=None, doc="The `InstancesLook`; None: as at first.")

    def __init__(
        self,
        background: Background,
        *,
        author: Callable[[], str],
        editor: Callable[[], AnnotationEditor | None],
        history: EditHistory | None = None,
    ) -> None:
        super().__init__()
        self._history = history or EditHistory()
        self._background = background
        self._author = author
        self._slide: Slide | None = None
        self._viewer: Viewer | None = None
        self._pyramid: Pyramid | None = None
        self._runs: dict[str, SavedRun] = {}
        self._filling = False
        self._awaited: InstancesLook | None = None
        self._stop_polling: Callable[[], None] = lambda: None
        self.chosen = SelectedInstanceCard(background, editor)
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
        self._opacity = _slider(PromptSlider, "Opacity", start=0, end=1, value=_OPACITY)
        self._by = pmui.Select(label="Colour by", options=["class"], **STYLE)
        self._colormap = pmui.Select(label="Colours", options=[*COLORMAPS], **STYLE)
        self._legend = Html("", sizing_mode="stretch_width", margin=(4, 0))
        self._classes = pmui.CheckBoxGroup(
            label="Classes", options=[], inline=True, size="small", margin=(0, 0)
        )
        self._measure = pmui.Select(label="Filter by", options=["score"], **STYLE)
        self.histogram = Histogram()
        self._range = _slider(PromptRangeSlider, "Range", start=0, end=1, value=(0, 1))
        self._number = note()
        self._left_out = note(visible=False)
        self._all = button("Show all", icon="filter_alt_off")

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
            self._left_out,
            self.chosen,
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

    @property
    def run(self) -> Run | None:
        """The run whose objects are shown, None while there is none."""
        saved = self._runs.get(self._choice.value)
        return None if saved is None or self.shown is None else saved.run

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
            each.line: each for each in runs if (each.run.path / INSTANCES).is_file()
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

    def restore(self, look: InstancesLook | None) -> None:
        """Show objects as a look says, once their run is open; None changes nothing."""
        self._awaited = look
        if look is None:
            return
        lines = [
            line for line, each in self._runs.items() if each.run.path.name == look.run
        ]
        if lines and lines[0] != self._choice.value:
            self._choice.value = lines[0]  # which opens it
        elif lines and self.shown is not None:
            self._resume()

    def poll(self) -> None:
        """Show what others have edited since."""
        if self.shown is not None:
            self.shown.refresh()

    def _open(self) -> None:
        """Show the objects of the run that is chosen."""
        saved, viewer = self._runs.get(self._choice.value), self._viewer
        if saved is None or viewer is None or self._filling:
            return
        self._background.do(lambda: store_of(saved.run), self._opened, slot="instances")

    def _opened(self, store: InstanceStore) -> None:
        viewer, pyramid = self._viewer, self._pyramid
        if viewer is None or pyramid is None:
            return
        self.close()
        shown = ShownInstances(
            store, viewer, pyramid, author=self._author, history=self._history
        )
        self._stop_polling = self._background.every(_POLL_MS, self.poll)
        self.shown = shown
        shown.param.watch(lambda _: self._describe_soon(), ["style", "version"])
        shown.param.watch(lambda _: self._draw_histogram(), "chosen")
        self._fill()
        self._look()
        self._resume()
        if damage := explain_damage("object edits", shown.edits.damaged):
            self._background.say(damage)

    def _resume(self) -> None:
        """Show objects as they were when somebody kept the address."""
        look, self._awaited = self._awaited, None
        saved, shown = self._runs.get(self._choice.value), self.shown
        if look is None or saved is None or saved.run.path.name != look.run:
            return
        self._visible.value, self._opacity.value = look.visible, look.opacity
        self._by.value = look.by if look.by in self._by.options else "class"
        if look.colours in COLORMAPS:
            self._colormap.value = look.colours
        shown.hide(name for name in look.hidden if name in shown.now.classes)
        for name, low, high in look.limits:
            if name in shown.values:
                shown.limit(name, low, high)
        self._show_measure()

    def _tell_look(self) -> None:
        """Say how objects are shown, if that is not how they were at first."""
        shown, saved = self.shown, self._runs.get(self._choice.value)
        if shown is None or saved is None:
            self.look = None
            return
        style = shown.style
        look = InstancesLook(
            run=saved.run.path.name,
            by=style.by,
            colours=style.colormap,
            opacity=self._opacity.value,
            visible=self._visible.value,
            hidden=tuple(sorted(style.hidden)),
            limits=tuple((each.name, each.low, each.high) for each in style.limits),
        )
        newest = next(iter(self._runs.values()))
        plain = InstancesLook(run=newest.run.path.name, opacity=_OPACITY)
        self.look = None if look == plain else look

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
        self._all.on_click(lambda _: self._background.guard(self._show_all))

    def _fill(self) -> None:
        """Show what there is to choose from."""
        shown = self.shown
        self._empty.visible = shown is None
        if hasattr(self, "_rest"):
            self._rest.visible = shown is not None
        if shown is None:
            self.chosen.show(None)
            self.counts.show(None)
            self._tell_look()
            return
        self._filling = True
        try:
            self._by.param.update(options=["class", *shown.values], value="class")
            self._measure.param.update(options=shown.values, value=shown.values[0])
            self._colormap.visible = False
        finally:
            self._filling = False
        self.chosen.show(shown)
        self.counts.show(shown, self.run)
        self._show_measure()
        self._describe()

    def _describe_soon(self) -> None:
        """Say it after the picture has changed, and once for many moves of a slider."""
        self._background.settled(self._describe, slot="description")

    def _describe(self) -> None:
        """Say which objects are shown, and in which colours."""
        shown = self.shown
        if shown is None:
            return
        legend = shown.handle.layer.legend
        self._legend.object = legend_of(legend) if legend else ""
        number, total = int(shown.shown.sum()), len(shown.now) - len(shown.now.gone)
        self._number.object = f"{number:,} of {total:,} objects shown"
        outside = self._outside()
        self._left_out.object = (
            f"{outside:,} more lie outside the region of the run: neither drawn nor"
            " counted."
        )
        self._left_out.visible = bool(outside)
        self._all.disabled = number == total
        self._filling = True
        try:
            names = list(shown.now.classes)
            visible = [name for name in names if name not in shown.style.hidden]
            self._classes.param.update(options=names, value=visible)
        finally:
            self._filling = False
        self._draw_histogram()
        self._tell_look()

    def _outside(self) -> int:
        """Return how many objects the run has left out, as they lie outside."""
        run, shown = self.run, self.shown
        if run is None or shown is None:
            return 0
        of_older_versions = len(shown.now.store.gone)
        return of_older_versions or int(run.record.get("objects", {}).get("outside", 0))

    def _look(self) -> None:
        if self.shown is not None:
            self.shown.handle.visible = self._visible.value
            self.shown.handle.opacity = self._opacity.value
            self._tell_look()

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


def _slider(kind: Any, label: str, **more: Any) -> Any:
    return kind(
        label=label,
        step=0.01,
        size="small",
        sizing_mode="stretch_width",
        margin=(2, 8),
        **more,
    )
