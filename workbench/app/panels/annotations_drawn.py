"""Annotation editor: shows annotations on the viewer and saves what is drawn."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, Final

import param
import shapely

from workbench.annotations.annotation import Annotation
from workbench.app.panels.drawing.shaper import SHAPINGS, Shaper
from workbench.app.panels.drawing.wire import geometry_of, key_of, mark_of, title_of
from workbench.app.panels.edit_history import EditHistory, Step
from workbench.errors import AnnotationError, UnsavedError, WorkbenchError
from workbench.progress import counted_noun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shapely.geometry.base import BaseGeometry

    from workbench.annotations.edits import Edits
    from workbench.app.viewer.viewer import Viewer

TOOLS: Final = (
    *("box", "polygon", "freehand", "line", "point"),
    *("brush", "eraser", "wand", "prompt"),
)
_DRAWINGS: Final = ("add", "change", "delete", "paint")
"""Kinds of edits that the browser keeps until they are saved."""

_KEPT: Final = (
    "Make room, or repair the disk. What is drawn until then is dashed: it is kept in"
    " this tab, and saved by itself as soon as that is possible."
)
_FINENESS: Final = 0.5
"""Tolerance for simplifying a drawn line, in screen pixels."""


class AnnotationEditor(param.Parameterized):
    """Shows annotations on a viewer, and saves the edits that are made there.

    Parameters
    ----------
    viewer : Viewer
    edits : Edits
        Edits of the slide that is shown, by the present user.
    classification : callable
        Returns the class of a new annotation.
    guard : callable
        Calls its argument, and shows the user a message if that fails.
    history : EditHistory, optional
        History of the session, to which edits are added.
    """

    chosen = param.String(doc="Id of the selected annotation; empty for none.")
    tool = param.Selector(default="", objects=["", *TOOLS], doc="The drawing tool.")
    version = param.Integer(doc="Increases with each change of an annotation.")
    shown = param.Boolean(default=True)

    def __init__(
        self,
        viewer: Viewer,
        edits: Edits,
        *,
        classification: Callable[[], str],
        guard: Callable[..., None],
        history: EditHistory | None = None,
    ) -> None:
        super().__init__()
        self.edits = edits
        self.history = history or EditHistory()
        self.delete_objects: Callable[[], None] = lambda: None
        """Deletes the selected instances if no annotation is selected."""
        self.runs_restricted_to: Callable[[Annotation], str] = lambda _: ""
        """Returns which runs keep their own copy of an annotation, as text."""
        self.shaper = Shaper(self)
        """Paints, fills, simplifies and combines areas."""
        self._viewer = viewer
        self.new_classification = classification
        """Returns the class of a new annotation."""
        self._guard = guard
        self.taker: Callable[[BaseGeometry], None] | None = None
        """Takes the next area that is drawn, if it is to be no annotation."""
        self._done = 0.0
        self._waiting: list[dict[str, Any]] = []
        """What was done in the browser and is not saved yet, in order."""
        self._refused = ""
        """Why the disk has refused the first of these, if it has."""
        self._numbers = itertools.count(1)
        stage = viewer.stage
        stage.markable = True
        self.show_all()
        stage.param.watch(lambda event: self._receive(event.new), "annotation_edits")
        self._watcher = self.history.param.watch(self._send_steps, "version")
        stage.link(self, annotation_chosen="chosen", bidirectional=True)
        stage.link(self, annotation_tool="tool", bidirectional=True)
        stage.link(self, annotations_shown="shown", bidirectional=True)
        # Last, as the browser now sends edits that an earlier page left unsaved.
        stage.annotation_slot = edits.annotations.slide.id

    @property
    def annotation(self) -> Annotation | None:
        """The selected annotation, or None."""
        return self.edits.annotations.get(self.chosen)

    def close(self) -> None:
        """Remove the edits from the history: another slide is shown."""
        self.history.param.unwatch(self._watcher)
        self.history.forget(self)

    def show_all(self) -> None:
        """Draw all annotations anew."""
        marks = [mark_of(each) for each in self.edits.annotations]
        self._viewer.stage.annotations = json.dumps(marks, separators=(",", ":"))
        self._changed()

    def refresh(self) -> None:
        """Retry edits that could not be saved, and show the edits of others."""
        self._save_waiting()
        self.show(self.edits.annotations.refresh())

    def show(self, keys: Iterable[str]) -> None:
        """Draw some annotations as they are now."""
        found = {key: self.edits.annotations.get(key) for key in keys}
        if not found:
            return
        self._send_marks(
            [mark_of(each) for each in found.values() if each is not None],
            [key for key, each in found.items() if each is None],
        )
        self._changed()

    def draw_for(self, take: Callable[[BaseGeometry], None]) -> None:
        """Draw one area that is given to `take` instead of becoming an annotation."""
        self.tool = "freehand"
        self.taker = take

    def put(self, annotation: Annotation) -> None:
        """Save an annotation and show it."""
        old = self.edits.annotations.get(annotation.id)
        if self.edits.put(annotation):
            done = "drawn" if old is None else "changed"
            self.record(f"{title_of(annotation)} {done}")
            self._report_class(old, annotation)
        self.show([annotation.id])

    def _report_class(self, old: Annotation | None, new: Annotation) -> None:
        """Show a toast when a class was replaced: a number key also zooms."""
        was = "" if old is None else old.classification
        if was and was != new.classification:
            now = new.classification or "no class"
            self.show_toast(f"Class {was} changed to {now}.", undo=True)

    def delete(self, *keys: str) -> None:
        """Delete annotations in one step to undo, and name them in a toast."""
        found = list(filter(None, map(self.edits.annotations.get, keys)))
        if found and self.edits.delete(*[each.id for each in found]):
            what = (
                title_of(found[0])
                if len(found) == 1
                else counted_noun(len(found), "annotations")
            )
            self.record(f"{what} deleted")
            more = dict.fromkeys(map(self.runs_restricted_to, found))
            said = [f"{what} deleted.", *filter(None, more)]
            self.show_toast(" ".join(said), undo=True)
        self.show(keys)

    def undo(self) -> None:
        """Undo the last edit of the session, and name it in a toast."""
        if what := self.history.undo():
            self.show_toast(f"Undone: {what}.")

    def redo(self) -> None:
        """Redo the edit that was undone last, and name it in a toast."""
        if what := self.history.redo():
            self.show_toast(f"Done again: {what}.")

    def show_toast(self, text: str, *, undo: bool = False) -> None:
        """Show a toast on the slide for some seconds; `undo` adds an Undo button."""
        number = next(self._numbers)
        self._viewer.stage.toast = {"text": text, "undo": undo, "number": number}

    def record(self, what: str) -> None:
        """Add the last edit to the history of the session, with what it did."""
        self.history.add(
            Step(
                what,
                undo=lambda: self.show(self.edits.undo()),
                redo=lambda: self.show(self.edits.redo()),
                owner=self,
            )
        )

    def _send_marks(self, put: list[dict[str, Any]], gone: list[str]) -> None:
        number = next(self._numbers)
        change = {"put": put, "gone": gone, "number": number}
        self._viewer.stage.annotation_changes = change

    @param.depends("tool", watch=True)
    def _tool_changed(self) -> None:
        if self.tool != "freehand":  # cancelled; a drawing would have arrived before
            self.taker = None

    def _changed(self) -> None:
        if self.chosen and self.annotation is None:
            self.chosen = ""
        self._send_steps()
        self.version += 1

    def _send_steps(self, *_: object) -> None:
        steps = [self.history.can_undo, self.history.can_redo]
        self._viewer.stage.annotation_steps = steps

    def _receive(self, edits: list[dict[str, Any]]) -> None:
        """Apply the edits of the browser that are new, in their order."""
        last = max([self._done, *(edit["number"] for edit in self._waiting)])
        self._waiting += [edit for edit in edits if edit["number"] > last]
        self._save_waiting()
        drawings = [edit for edit in self._waiting if edit["do"] in _DRAWINGS]
        if len(drawings) < len(self._waiting):
            self.show_toast("Nothing can be undone before what is drawn is saved.")
        self._waiting = drawings

    def _save_waiting(self) -> None:
        """Apply waiting edits until one cannot be saved; retry that one later."""
        refused_before, self._refused = self._refused, ""
        while self._waiting:
            self._guard(self._edited, self._waiting[0])
            if self._refused:
                break
            self._done = self._waiting.pop(0)["number"]
        # Done or refused: in both cases the browser need not keep the edit.
        self._viewer.stage.annotation_answered = {"number": self._done}
        if self._refused and not refused_before:
            self._guard(self._report_refusal)
        elif refused_before and not self._refused:
            self.show_toast("What was drawn in the meantime is saved now.")

    def _report_refusal(self) -> None:
        raise WorkbenchError(self._refused, _KEPT)

    def _edited(self, edit: dict[str, Any]) -> None:
        """Save an edit of the browser; restore the drawing if it is refused.

        An edit that the disk cannot save waits, and stays as it was drawn.
        """
        try:
            self._do(edit)
        except UnsavedError as error:
            if edit["do"] not in _DRAWINGS:
                raise
            self._refused = error.message
        except Exception:
            self.show(edit.get("ids", [edit["id"]] if "id" in edit else []))
            raise

    def _do(self, edit: dict[str, Any]) -> None:
        match edit.get("do"):
            case "add":
                self._add(edit)
            case "change":
                self._reshape(edit)
            case "delete":
                self.delete(*edit["ids"])
            case "delete instances":
                self.delete_objects()
            case kind if kind in SHAPINGS:
                self.shaper.do(edit)
            case "undo":
                self.undo()
            case "redo":
                self.redo()

    def _add(self, edit: dict[str, Any]) -> None:
        key = key_of(edit)
        if self.edits.annotations.get(key) is not None:
            self.show([key])  # saved before; the reply was lost
            return
        geometry = geometry_of(edit)
        if edit["kind"] == "area":
            fine = _FINENESS * float(edit["downsample"])
            geometry = shapely.simplify(geometry, fine) if fine > 0 else geometry
        if self.taker is not None and edit["kind"] == "area":
            take, self.taker = self.taker, None
            # The drawing becomes no annotation: the browser need not keep it.
            self._send_marks([], [])
            take(geometry)
            return
        annotation = Annotation(
            id=key, geometry=geometry, classification=self.new_classification()
        )
        self.put(annotation)
        self.chosen = annotation.id

    def _reshape(self, edit: dict[str, Any]) -> None:
        old = self.edits.annotations.get(edit["id"])
        if old is None:
            raise AnnotationError(edit["id"], "another user has deleted it")
        if old.locked:
            raise AnnotationError(old.title, "it is locked", "Unlock it first.")
        self.put(old.replace(geometry=geometry_of(edit)))
