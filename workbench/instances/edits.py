"""Edits of instances by users, stored apart from the predictions.

A file beside the store has one line per edit, which is appended and never rewritten,
with author and time; undoing is a line as well. So no prediction is lost, users who
edit the same run do not overwrite each other, a kill costs at most the current line,
and the file is its own history.
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
"""Maximum number of damaged lines of added instances before a valid one."""

_SAID: Final = 100
_NOTHING: Final = np.zeros((3, 2), np.float32)
"""Outline of an instance of which only the number is known."""

_FEWEST: Final = 3
"""Minimum number of points of an outline."""

_MISFITS: Final = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
)


class InstanceEdits:
    """The edits of a store, by all users.

    Safe with any number of threads and processes; `refresh` reads the edits of others,
    and so does every edit.

    Parameters
    ----------
    store : InstanceStore

    Raises
    ------
    AnnotationError
        If the file is damaged, or belongs to other instances.
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
        """The instances with all edits applied."""
        with self._guard:
            if self._current is None:
                self._current = EditedInstances(self.store, self._kept.changes())
            return self._current

    @property
    def history(self) -> list[dict[str, Any]]:
        """All edits in order, as stored: "do", "by", "at" and more."""
        return [dict(line) for line in self._kept.edits]

    @property
    def damaged(self) -> tuple[str, ...]:
        """Problems of lines that had to be left out."""
        return tuple(self._log.damaged)

    def delete(self, ids: Iterable[int], *, by: str) -> str:
        """Delete instances; return the name of the edit, for `take_back`.

        Raises
        ------
        AnnotationError
            If there is no such instance, or writing fails; nothing has changed then.
        """
        made = self._append(lambda: {"do": "delete", "ids": self._checked(ids)}, by)
        return str(made["edit"])

    def reclassify(self, ids: Iterable[int], name: str, *, by: str) -> str:
        """Change the class of instances, also to one that the model does not have.

        Returns
        -------
        str
            Name of the edit, for `take_back`.

        Raises
        ------
        AnnotationError
            As for `delete`, or if the class has no name.
        """
        if not name.strip():
            reason = "a class without a name was given"
            raise self._error(reason, "Name the class.")
        given = name.strip()
        made = self._append(
            lambda: {"do": "class", "ids": self._checked(ids), "class": given}, by
        )
        return str(made["edit"])

    def add(self, outline: ArrayLike, name: str, *, by: str) -> int:
        """Add an instance, and return its id.

        Parameters
        ----------
        outline : array_like (P, 2)
            Level-0 pixels, not closed.
        name : str
            Name of the class.

        Raises
        ------
        AnnotationError
            If it is not an outline, or writing fails; nothing has changed then.
        """
        points = np.asarray(outline, np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < _FEWEST:  # noqa: PLR2004 - x and y
            reason = "an outline needs 3 points at least"
            raise self._error(reason, "Draw it again.")
        if not np.isfinite(points).all() or not name.strip():
            reason = "an outline was given without a place or a class"
            raise self._error(reason, "Give both.")
        rounded = np.round(points, 3).tolist()

        def edit() -> dict[str, Any]:
            number = self._kept.next_id
            given = {"outline": rounded, "class": name.strip(), "object": number}
            return {"do": "add", **given}

        return int(self._append(edit, by)["object"])

    def undo(self, *, by: str) -> bool:
        """Undo the last effective edit of a user; return False if there is none.

        Raises
        ------
        AnnotationError
            If writing fails.
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
        """Undo one edit, if it is effective.

        Raises
        ------
        AnnotationError
            If writing fails.
        """
        with self._guard:
            self.refresh()
            number = self._kept.number_of(name)
            if number is not None:
                self._append(lambda: {"do": "undo", "line": number, "of": name}, by)

    def again(self, name: str, *, by: str) -> str:
        """Redo an undone edit; return the name of the new edit.

        Raises
        ------
        AnnotationError
            If writing fails.
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
        """Read the edits of others; return whether there were any.

        Raises
        ------
        AnnotationError
            If the file is damaged, or belongs to other instances.
        """
        with self._guard:
            changed = self._log.refresh()
            if changed:
                self._current = None
            return changed

    def _checked(self, ids: Iterable[int]) -> list[int]:
        numbers = sorted({int(key) for key in ids})
        if not numbers:
            reason = "no instance was named"
            raise self._error(reason, "Choose some.")
        if numbers[0] < 0 or numbers[-1] >= len(self.current):
            reason = (
                f"there is no instance {numbers[0] if numbers[0] < 0 else numbers[-1]}"
            )
            raise self._error(reason, f"Ids go from 0 to {len(self.current) - 1}.")
        return numbers

    def _append(self, make: Callable[[], dict[str, Any]], by: str) -> dict[str, Any]:
        """Write an edit that is made after reading those of others; return it."""
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

    def _error(self, reason: str, remedy: str) -> AnnotationError:
        return AnnotationError(self.path, reason, remedy)


class _Lines:
    """The edits in the lines of a file, in order."""

    def __init__(self, store: InstanceStore) -> None:
        self.store = store
        self.edits: list[dict[str, Any]] = []
        self.next_id = len(store)
        """Number of the next added instance."""
        self._whose = False
        """Whether the line with the id of the store was read."""

    def forget(self) -> None:
        """Reset to an empty file."""
        self.edits.clear()
        self._whose = False
        self.next_id = len(self.store)

    def lines(self) -> list[Any]:
        """Return the line with the id of the store, and all edits."""
        return [{"store": self.store.id}, *self.edits]

    def take(self, lines: list[Any]) -> list[str]:
        """Add lines; return the problem of each, or ""."""
        return [self._take(line) for line in lines]

    def _take(self, line: Any) -> str:
        try:
            if "store" in line:
                self._same(line["store"])
                self._whose = True
                return ""
            if "on" not in line and not self._whose:
                return "its store of instances is not known"
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
                return "it refers to an instance that does not exist"
        except _MISFITS as error:
            return repr(error)[:_SAID]
        self.edits.append(line)
        return ""

    def _same(self, store: Any) -> None:
        if store != self.store.id:
            reason = "these edits belong to another store of instances"
            remedy = "Move the file away, or bring back the run it belongs to."
            path = self.store.path.with_suffix(_SUFFIX)
            raise AnnotationError(path, reason, remedy)

    def last_of(self, by: str) -> tuple[int, str] | None:
        """Return number and name of the last effective edit of a user."""
        undone = self._undone()
        for number in range(len(self.edits) - 1, -1, -1):
            line = self.edits[number]
            if line["by"] == by and line["do"] != "undo" and number not in undone:
                return number, str(line.get("edit", ""))
        return None

    def number_of(self, name: str) -> int | None:
        """Return the number of an effective edit; None: it is not."""
        undone = self._undone()
        for number, line in enumerate(self.edits):
            if line.get("edit") == name and number not in undone:
                return number
        return None

    def _undone(self) -> set[int]:
        """Return the numbers of undone edits."""
        named = {line["edit"]: n for n, line in enumerate(self.edits) if "edit" in line}
        undoing = (line for line in self.edits if line["do"] == "undo")
        return {
            named.get(line["of"], -1) if line.get("of") else line["line"]
            for line in undoing
        }

    def changes(self) -> Changes:
        """Return the combined changes of all effective edits."""
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
"""Fields of each edit, with their validators."""

_SIGNED: Final[tuple[tuple[str, Callable[[Any], bool]], ...]] = (
    ("by", _is_text),
    ("at", _is_text),
)
