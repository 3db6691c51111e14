"""What people do to instances, kept apart from what the model found.

A file beside the store: a line for each edit, written at its end and never rewritten,
with who did it and when; undoing is a line as well. So nothing that the model said is
lost, people who edit the same run do not overwrite each other, a kill costs at most the
line in hand, and the file is its own history.
"""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import AnnotationError
from workbench.instances.edited import Changes, EditedInstances
from workbench.system.line_log import LineLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import ArrayLike

    from workbench.instances.store import InstanceStore

_SUFFIX: Final = ".edits.jsonl"
_MOST_LOST: Final = 100_000
"""Added objects whose lines may be damaged before one that is whole."""

_SAID: Final = 100
_NOTHING: Final = np.zeros((3, 2), np.float32)
"""Outline of an object of which only the number is known."""

_FEWEST: Final = 3
"""Points of an outline."""

_MISFITS: Final = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
)


class InstanceEdits:
    """The edits of a store, by all who edit it.

    Safe from any number of threads and processes; `refresh` takes in what others have
    done, and so does every edit.

    Parameters
    ----------
    store : InstanceStore

    Raises
    ------
    AnnotationError
        If the file is damaged, or is about other objects.
    """

    def __init__(self, store: InstanceStore) -> None:
        self.store = store
        self.path: Path = store.path.with_suffix(_SUFFIX)
        self._kept = _Lines(store)
        self._log = LineLog(self.path, self._kept)
        self._guard = threading.RLock()
        self._current: EditedInstances | None = None
        self.refresh()

    @property
    def current(self) -> EditedInstances:
        """The objects as they are now."""
        with self._guard:
            if self._current is None:
                self._current = EditedInstances(self.store, self._kept.changes())
            return self._current

    @property
    def history(self) -> list[dict[str, Any]]:
        """All edits in their order, as the file has them: "do", "by", "at" and more."""
        return [dict(line) for line in self._kept.edits]

    @property
    def damaged(self) -> tuple[str, ...]:
        """What is wrong with lines of the file that had to be left out."""
        return tuple(self._log.damaged)

    def delete(self, ids: Iterable[int], *, by: str) -> str:
        """Take objects away; return the name of the edit, as `take_back` takes it.

        Raises
        ------
        AnnotationError
            If there is no such object, or the disk refuses; then nothing has changed.
        """
        made = self._append(lambda: {"do": "delete", "ids": self._checked(ids)}, by)
        return str(made["edit"])

    def reclassify(self, ids: Iterable[int], name: str, *, by: str) -> str:
        """Give objects another class, also one that the model does not know.

        Returns
        -------
        str
            The name of the edit, as `take_back` takes it.

        Raises
        ------
        AnnotationError
            As for `delete`, or if the class has no name.
        """
        if not name.strip():
            reason = "a class without a name was given"
            raise self._refused(reason, "Name the class.")
        given = name.strip()
        made = self._append(
            lambda: {"do": "class", "ids": self._checked(ids), "class": given}, by
        )
        return str(made["edit"])

    def add(self, outline: ArrayLike, name: str, *, by: str) -> int:
        """Add an object, and return its id.

        Parameters
        ----------
        outline : array_like (P, 2)
            In level-0 pixels, not closed.
        name : str
            Its class.

        Raises
        ------
        AnnotationError
            If this is no outline, or the disk refuses; then nothing has changed.
        """
        points = np.asarray(outline, np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < _FEWEST:  # noqa: PLR2004 - x and y
            reason = "an outline needs 3 points at least"
            raise self._refused(reason, "Draw it again.")
        if not np.isfinite(points).all() or not name.strip():
            reason = "an outline was given without a place or a class"
            raise self._refused(reason, "Give both.")
        rounded = np.round(points, 3).tolist()

        def edit() -> dict[str, Any]:
            number = self._kept.next_id
            given = {"outline": rounded, "class": name.strip(), "object": number}
            return {"do": "add", **given}

        return int(self._append(edit, by)["object"])

    def undo(self, *, by: str) -> bool:
        """Take back the last edit of one person that still holds; False: none does.

        Raises
        ------
        AnnotationError
            If the disk refuses.
        """
        with self._guard:
            self.refresh()
            last = self._kept.last_of(by)
            if last is None:
                return False
            number, name = last
            self._append(lambda: {"do": "undo", "line": number, "of": name}, by)
            return True

    def take_back(self, name: str, *, by: str) -> None:
        """Take back one edit, if it still holds.

        Raises
        ------
        AnnotationError
            If the disk refuses.
        """
        with self._guard:
            self.refresh()
            number = self._kept.number_of(name)
            if number is not None:
                self._append(lambda: {"do": "undo", "line": number, "of": name}, by)

    def again(self, name: str, *, by: str) -> str:
        """Do again what was taken back; return the name of the new edit.

        Raises
        ------
        AnnotationError
            If the disk refuses.
        """
        with self._guard:
            line = next(each for each in self.history if each.get("edit") == name)
            if line["do"] == "add":
                self.add(line["outline"], line["class"], by=by)
            elif line["do"] == "delete":
                self.delete(line["ids"], by=by)
            else:
                self.reclassify(line["ids"], line["class"], by=by)
            return str(self.history[-1]["edit"])

    def refresh(self) -> bool:
        """Take in what others have done; tell whether that was anything.

        Raises
        ------
        AnnotationError
            If the file is damaged, or is about other objects.
        """
        with self._guard:
            changed = self._log.refresh()
            if changed:
                self._current = None
            return changed

    def _checked(self, ids: Iterable[int]) -> list[int]:
        numbers = sorted({int(key) for key in ids})
        if not numbers:
            reason = "no object was named"
            raise self._refused(reason, "Choose some.")
        if numbers[0] < 0 or numbers[-1] >= len(self.current):
            reason = (
                f"there is no object {numbers[0] if numbers[0] < 0 else numbers[-1]}"
            )
            raise self._refused(reason, f"Ids go from 0 to {len(self.current) - 1}.")
        return numbers

    def _append(self, make: Callable[[], dict[str, Any]], by: str) -> dict[str, Any]:
        """Write an edit that is made when those of others are known; return it."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {}

        def lines() -> list[Any]:
            self._current = None  # others may have edited
            name = {"edit": uuid.uuid4().hex, "on": self.store.id}
            line.update({**make(), "by": by, "at": at, **name})
            return [line]

        with self._guard:
            self._log.append(lines)
            self._kept.take([line])
            self._current = None
        return line

    def _refused(self, reason: str, remedy: str) -> AnnotationError:
        return AnnotationError(self.path, reason, remedy)


class _Lines:
    """The edits that the lines of a file hold, in their order."""

    def __init__(self, store: InstanceStore) -> None:
        self.store = store
        self.edits: list[dict[str, Any]] = []
        self.next_id = len(store)
        """Of the next object that is added."""
        self._whose = False
        """Whether the line was read that says whose objects these are."""

    def forget(self) -> None:
        """Start over."""
        self.edits.clear()
        self._whose = False
        self.next_id = len(self.store)

    def lines(self) -> list[Any]:
        """Return whose objects these are, and all edits."""
        return [{"store": self.store.id}, *self.edits]

    def take(self, lines: list[Any]) -> list[str]:
        """Take in lines; return for each what is wrong with it, or ""."""
        return [self._take(line) for line in lines]

    def _take(self, line: Any) -> str:
        try:
            if "store" in line:
                self._same(line["store"])
                self._whose = True
                return ""
            if "on" not in line and not self._whose:
                return "it is not known whose objects it is about"
            self._same(line.get("on", self.store.id))
            for part, fits in (*_PARTS[line["do"]], *_SIGNED):
                if not fits(line[part]):
                    return f"its '{part}' cannot be used"
            if line["do"] == "add":
                line = {**line, "object": int(line.get("object", self.next_id))}
                if not self.next_id <= line["object"] < self.next_id + _MOST_LOST:
                    return "its number cannot be used"
                self.next_id = line["object"] + 1
            elif max(line.get("ids", [0]), default=-1) >= self.next_id:
                return "it is about an object that there is not"
        except _MISFITS as error:
            return repr(error)[:_SAID]
        self.edits.append(line)
        return ""

    def _same(self, store: Any) -> None:
        if store != self.store.id:
            reason = "these edits are of other objects than are there now"
            remedy = "Move the file away, or bring back the run it belongs to."
            path = self.store.path.with_suffix(_SUFFIX)
            raise AnnotationError(path, reason, remedy)

    def last_of(self, by: str) -> tuple[int, str] | None:
        """Return number and name of the last edit of a person that still holds."""
        undone = self._undone()
        for number in range(len(self.edits) - 1, -1, -1):
            line = self.edits[number]
            if line["by"] == by and line["do"] != "undo" and number not in undone:
                return number, str(line.get("edit", ""))
        return None

    def number_of(self, name: str) -> int | None:
        """Return the number of an edit that still holds; None: it does not."""
        undone = self._undone()
        for number, line in enumerate(self.edits):
            if line.get("edit") == name and number not in undone:
                return number
        return None

    def _undone(self) -> set[int]:
        """Return the numbers of edits that were taken back."""
        named = {line["edit"]: n for n, line in enumerate(self.edits) if "edit" in line}
        undoing = (line for line in self.edits if line["do"] == "undo")
        return {
            named.get(line["of"], -1) if line.get("of") else line["line"]
            for line in undoing
        }

    def changes(self) -> Changes:
        """Return what all edits that hold come to."""
        undone = self._undone()
        deleted: set[int] = set()
        classes: dict[int, str] = {}
        by: dict[int, str] = {}
        added: list[Any] = []
        for number, line in enumerate(self.edits):
            holds = number not in undone
            ids = line.get("ids", [])
            if line["do"] == "add":
                lost = range(len(self.store) + len(added), line["object"])
                added += [(_NOTHING, line["class"])] * len(lost)
                deleted.update(lost)  # their lines are damaged
                ids = [line["object"]]
                outline = np.array(line["outline"], np.float32).reshape(-1, 2)
                added.append((outline, line["class"]))
                if not holds:
                    deleted.update(ids)
            elif holds and line["do"] == "delete":
                deleted.update(ids)
            elif holds and line["do"] == "class":
                classes |= dict.fromkeys(ids, line["class"])
            if holds:
                by |= dict.fromkeys(ids, f"{line['by']}, {line['at'][:16]}")
        return Changes(frozenset(deleted), classes, tuple(added), by)


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _is_outline(value: Any) -> bool:
    points = np.asarray(value, np.float32)
    plane = points.ndim == 2 and points.shape[1] == 2  # noqa: PLR2004 - x and y
    return plane and len(points) >= _FEWEST and bool(np.isfinite(points).all())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


_PARTS: Final[dict[str, tuple[tuple[str, Callable[[Any], bool]], ...]]] = {
    "delete": (("ids", _is_ids),),
    "class": (("ids", _is_ids), ("class", _is_name)),
    "add": (("outline", _is_outline), ("class", _is_name)),
    "undo": (("line", lambda value: type(value) is int),),
}
"""What each edit must say, and what tells if it does."""

_SIGNED: Final[tuple[tuple[str, Callable[[Any], bool]], ...]] = (
    ("by", _is_text),
    ("at", _is_text),
)
