"""Instances of a run on the slide: choosing the run, and what its parts share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel as pn
import panel_material_ui as pmui
import param

from workbench.app.catalog.runs import key_of
from workbench.app.panels.edit_history import EditHistory
from workbench.app.panels.export_menu import ExportMenu
from workbench.app.panels.instances.counts import CountCard
from workbench.app.panels.instances.display import OPACITY, InstanceDisplay
from workbench.app.panels.instances.filter import InstanceFilter
from workbench.app.panels.instances.selected import SelectedInstanceCard
from workbench.app.panels.instances.shown import ShownInstances, store_of
from workbench.app.url_state import InstancesLook
from workbench.app.widgets.background import explain_damage
from workbench.app.widgets.controls import STYLE, note, stack
from workbench.app.widgets.lazy import Fold
from workbench.layers.layer import overlay_pyramid
from workbench.results.instances import INSTANCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.catalog.runs import SavedRun
    from workbench.app.panels.annotations_drawn import AnnotationEditor
    from workbench.app.url_state import Address
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.instances.store import InstanceStore
    from workbench.results.run import Run

_POLL_MS: Final = 2000


class InstancePanel(pn.viewable.Viewer):
    """Shows the instances of a run, and lets the user filter and edit them.

    Parameters
    ----------
    background : Background
    author : callable
        Returns the name of the user, saved with edits.
    editor : callable
        Returns the annotation editor of the slide, which draws outlines; None
        before it is ready.
    history : EditHistory, optional
        History of the session.
    """

    shown = param.Parameter(default=None, doc="The `ShownInstances`, or None.")
    look = param.Parameter(
        default=None, doc="The `InstancesLook`; None while it is the default."
    )

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
        self._viewer: Viewer | None = None
        self._runs: dict[str, SavedRun] = {}
        self._filling = False
        self._awaited: InstancesLook | None = None
        self._stop_polling: Callable[[], None] = lambda: None
        self._empty = note("Run a model that predicts instances.")
        self._choice = pmui.Select(label="Run", options=[], **STYLE)
        self.display = InstanceDisplay(self._update_look)
        self.filter = InstanceFilter(background)
        self.chosen = SelectedInstanceCard(background, editor)
        self.counts = CountCard(background)
        self.exports = ExportMenu(background)
        self._body = stack(
            self._choice,
            self.display.switches,
            self.counts,
            self.filter,
            self.chosen,
            Fold("Colours of instances", self.display),
            self.exports,
            visible=False,
        )
        self._choice.param.watch(lambda _: self._open(), "value")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(self._empty, self._body)

    @property
    def run(self) -> Run | None:
        """The run whose instances are shown, or None."""
        saved = self._runs.get(self._choice.value)
        return None if saved is None or self.shown is None else saved.run

    def attach(self, viewer: Viewer) -> None:
        """Show instances of another slide from now on."""
        self.close()
        self._viewer = viewer
        self.counts.attach(viewer.slide)
        self.offer([])

    def close(self) -> None:
        """Take the instances off the slide, and stop polling for edits of others."""
        self._stop_polling()
        self._stop_polling = lambda: None
        self._background.forget("instances")
        if self.shown is not None:
            self.shown.detach()
        self._show(None)

    def offer(self, runs: list[SavedRun]) -> None:
        """Offer the runs among these that have found instances; show the newest."""
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

    def address(self) -> dict[str, Any]:
        """Return how instances are shown, as an address has it."""
        return {"objects": self.look}

    def restore(self, address: Address) -> None:
        """Show instances as an address says, once their run is open."""
        look = self._awaited = address.objects
        if look is None:
            return
        lines = [
            line for line, each in self._runs.items() if key_of(each.run) == look.run
        ]
        if lines and lines[0] != self._choice.value:
            self._choice.value = lines[0]  # which opens it
        elif lines and self.shown is not None:
            self._restore_look()

    def on_address_change(self, call: Callable[..., None]) -> None:
        """Call whenever instances are shown otherwise."""
        self.param.watch(call, "look")

    def poll(self) -> None:
        """Show the edits that others have made since."""
        if self.shown is not None:
            self.shown.refresh()

    def _open(self) -> None:
        """Read the instances of the chosen run in a thread, then show them."""
        saved = self._runs.get(self._choice.value)
        if saved is None or self._viewer is None or self._filling:
            return
        self._background.do(lambda: store_of(saved.run), self._opened, slot="instances")

    def _opened(self, store: InstanceStore) -> None:
        viewer = self._viewer
        if viewer is None:
            return
        self.close()
        shown = ShownInstances(
            store,
            viewer,
            overlay_pyramid(viewer.slide.size),
            author=self._author,
            history=self._history,
        )
        self._stop_polling = self._background.every(_POLL_MS, self.poll)
        shown.param.watch(lambda _: self._describe_soon(), ["style", "version"])
        self._show(shown)
        self.display.apply()
        self._restore_look()
        if damage := explain_damage("instance edits", shown.edits.damaged):
            self._background.notify(damage)

    def _show(self, shown: ShownInstances | None) -> None:
        """Hand other instances, or none, to all parts of the panel."""
        self.shown = shown
        self._empty.visible = shown is None
        self._body.visible = shown is not None
        self.display.show(shown)
        self.chosen.show(shown)
        self.counts.show(shown, self.run)
        self.exports.show(self.run)
        self.filter.show(shown, self._outside())
        self._describe()

    def _restore_look(self) -> None:
        """Show instances as the address said that is being restored, if any."""
        look, self._awaited = self._awaited, None
        run = self.run
        if look is not None and run is not None and key_of(run) == look.run:
            self.display.restore(look)
            self.filter.restore(look)

    def _update_look(self) -> None:
        """Set `look`: None while instances are shown as they were at first."""
        shown, run = self.shown, self.run
        if shown is None or run is None:
            self.look = None
            return
        style = shown.style
        look = InstancesLook(
            run=key_of(run),
            by=style.by,
            colours=style.colormap,
            opacity=self.display.opacity.value,
            visible=self.display.visible.value,
            hidden=tuple(sorted(style.hidden)),
            limits=tuple((each.name, each.low, each.high) for each in style.limits),
        )
        newest = next(iter(self._runs.values()))
        default = InstancesLook(run=key_of(newest.run), opacity=OPACITY)
        self.look = None if look == default else look

    def _describe_soon(self) -> None:
        """Describe after the picture has changed, once for many moves of a slider."""
        self._background.debounced(self._describe, slot="description")

    def _describe(self) -> None:
        """Show the legend, the number of instances and their classes."""
        self.display.describe()
        self.filter.describe()
        self._update_look()

    def _outside(self) -> int:
        """Return how many instances the run has left out: outside its region."""
        run, shown = self.run, self.shown
        if run is None or shown is None:
            return 0
        of_older_versions = len(shown.now.store.gone)
        return of_older_versions or int(run.record.get("objects", {}).get("outside", 0))
