"""`EditLines`: the edits of instances that the lines of a file describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import AnnotationError
from workbench.instances.edited import Changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.instances.store import InstanceStore

SUFFIX: Final = ".edits.jsonl"
_MOST_LOST: Final = 100_000
"""Maximum number of damaged lines of added instances before a valid one."""

_SAID: Final = 100
_NOTHING: Final = np.zeros((3, 2), np.float32)
"""Outline of an instance of which only the number is known."""

FEWEST_POINTS: Final = 3
"""Minimum number of points of an outline."""

_MISFITS: Final = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
)


class EditLines:
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
            path = self.store.path.with_suffix(SUFFIX)
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
        predicted: set[int] = set()
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
                change = predicted.update
                if not line.get("classifier"):
                    change = predicted.difference_update
                change(ids)
            if holds:
                by |= dict.fromkeys(ids, f"{line['by']}, {line['at'][:16]}")
        return Changes(
            frozenset(deleted), classes, tuple(added), by, frozenset(predicted)
        )


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _is_outline(value: Any) -> bool:
    points = np.asarray(value, np.float32)
    plane = points.ndim == 2 and points.shape[1] == 2  # noqa: PLR2004 - x and y
    return plane and len(points) >= FEWEST_POINTS and bool(np.isfinite(points).all())


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
