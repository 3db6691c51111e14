"""What one session has done to annotations and to objects, as one history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import param

if TYPE_CHECKING:
    from collections.abc import Callable

_DEPTH: Final = 200


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One change that can be taken back and done again."""

    what: str
    """For people, such as "Annotation 'Tumour' deleted"."""

    undo: Callable[[], None]
    redo: Callable[[], None]
    owner: object = None
    """Whose change it is; goes with it."""


class EditHistory(param.Parameterized):
    """The changes of a session in their order, whatever they were made to."""

    version = param.Integer(doc="Grows with each change.")

    def __init__(self) -> None:
        super().__init__()
        self._done: list[Step] = []
        self._undone: list[Step] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is something to do again."""
        return bool(self._undone)

    def did(self, step: Step) -> None:
        """Remember a change that has just been made."""
        self._done = [*self._done, step][-_DEPTH:]
        self._undone.clear()
        self.version += 1

    def undo(self) -> str:
        """Take back the last change, and say what it was; empty: there is none."""
        return self._move(self._done, self._undone, "undo")

    def redo(self) -> str:
        """Do again what was taken back last, and say what it is; empty: nothing."""
        return self._move(self._undone, self._done, "redo")

    def forget(self, owner: object) -> None:
        """Remember nothing more that was done to something: it is no longer there."""
        self._done = [step for step in self._done if step.owner is not owner]
        self._undone = [step for step in self._undone if step.owner is not owner]
        self.version += 1

    def _move(self, source: list[Step], target: list[Step], way: str) -> str:
        if not source:
            return ""
        # One that fails is forgotten: it would fail again, and hide those before it.
        step = source.pop()
        try:
            (step.undo if way == "undo" else step.redo)()
            target.append(step)
        finally:
            self.version += 1
        return step.what
