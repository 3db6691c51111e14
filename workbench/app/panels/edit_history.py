"""Undo history of one session, over annotations and instances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import param

if TYPE_CHECKING:
    from collections.abc import Callable

_DEPTH: Final = 200


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One edit that can be undone and redone."""

    what: str
    """Description, such as "Annotation 'Tumour' deleted"."""

    undo: Callable[[], None]
    redo: Callable[[], None]
    owner: object = None
    """Object that was edited; `forget` removes the edits of one owner."""


class EditHistory(param.Parameterized):
    """The edits of a session in order, of annotations and of instances."""

    version = param.Integer(doc="Increases with each change.")

    def __init__(self) -> None:
        super().__init__()
        self._done: list[Step] = []
        self._undone: list[Step] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to redo."""
        return bool(self._undone)

    def add(self, step: Step) -> None:
        """Add an edit that has just been made; nothing can be redone after it."""
        self._done = [*self._done, step][-_DEPTH:]
        self._undone.clear()
        self.version += 1

    def undo(self) -> str:
        """Undo the last edit; return its description, empty if there is none."""
        return self._move(self._done, self._undone, "undo")

    def redo(self) -> str:
        """Redo the edit undone last; return its description, empty if there is none."""
        return self._move(self._undone, self._done, "redo")

    def forget(self, owner: object) -> None:
        """Remove the edits of an owner that is no longer shown."""
        self._done = [step for step in self._done if step.owner is not owner]
        self._undone = [step for step in self._undone if step.owner is not owner]
        self.version += 1

    def _move(self, source: list[Step], target: list[Step], way: str) -> str:
        if not source:
            return ""
        # Drop a step that fails: it would fail again, and block the steps before it.
        step = source.pop()
        try:
            (step.undo if way == "undo" else step.redo)()
            target.append(step)
        finally:
            self.version += 1
        return step.what
