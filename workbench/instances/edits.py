"""What people do to instances, kept apart from what the model found.

A file beside the store: a line for each edit, written at its end and never rewritten,
with who did it and when; undoing is a line as well. So nothing that the model said is
lost, people who edit the same run do not overwrite each other, a kill costs at most the
line in hand, and the file is its own history.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import filelock
import numpy as np

from workbench.errors import AnnotationError
from workbench.instances.edited import Changes, EditedInstances

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import ArrayLike

    from workbench.instances.store import InstanceStore

_SUFFIX: Final = ".edits.jsonl"
_LOCK_S: Final = 20.0
_FEWEST: Final = 3
"""Points of an outline."""

_MISFITS: Final = (ValueError, KeyError, TypeError, IndexError, AttributeError)


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
        self._lines: list[dict[str, Any]] = []
        self._end = 0
        self._guard = threading.RLock()
        self._current: EditedInstances | None = None
        self.refresh()

    @property
    def current(self) -> EditedInstances:
        """The objects as they are now."""
        with self._guard:
            if self._current is None:
                self._current = EditedInstances(self.store, self._changes())
            return self._current

    @property
    def history(self) -> list[dict[str, Any]]:
        """All edits in their order, as the file has them: "do", "by", "at" and more."""
        return [dict(line) for line in self._lines]

    def delete(self, ids: Iterable[int], *, by: str) -> None:
        """Take objects away.

        Raises
        ------
        AnnotationError
            If there is no such object, or the disk refuses; then nothing has changed.
        """
        self._append({"do": "delete", "ids": self._checked(ids)}, by)

    def reclassify(self, ids: Iterable[int], name: str, *, by: str) -> None:
        """Give objects another class, also one that the model does not know.

        Raises
        ------
        AnnotationError
            As for `delete`, or if the class has no name.
        """
        if not name.strip():
            reason = "a class without a name was given"
            raise self._refused(reason, "Name the class.")
        edit = {"do": "class", "ids": self._checked(ids), "class": name.strip()}
        self._append(edit, by)

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
        with self._guard:
            self._append({"do": "add", "outline": rounded, "class": name.strip()}, by)
            return len(self.current) - 1

    def undo(self, *, by: str) -> bool:
        """Take back the last edit of one person that still holds; False: none does.

        Raises
        ------
        AnnotationError
            If the disk refuses.
        """
        with self._guard:
            self.refresh()
            undone = self._undone()
            for number in range(len(self._lines) - 1, -1, -1):
                line = self._lines[number]
                if line["by"] == by and line["do"] != "undo" and number not in undone:
                    self._append({"do": "undo", "line": number}, by)
                    return True
            return False

    def refresh(self) -> bool:
        """Take in what others have done; tell whether that was anything.

        Raises
        ------
        AnnotationError
            If the file is damaged, or is about other objects.
        """
        with self._guard:
            try:
                if self.path.stat().st_size <= self._end:
                    return False
                with self.path.open("rb") as file:
                    return self._read_on(file)
            except FileNotFoundError:
                return False
            except OSError as error:
                raise self._disk(error) from error

    def _undone(self) -> set[int]:
        return {line["line"] for line in self._lines if line["do"] == "undo"}

    def _changes(self) -> Changes:
        """Return what all edits that hold come to."""
        undone, deleted = self._undone(), set()
        classes: dict[int, str] = {}
        by: dict[int, str] = {}
        added: list[Any] = []
        for number, line in enumerate(self._lines):
            holds = number not in undone
            ids = line.get("ids", [])
            if line["do"] == "add":
                ids = [len(self.store) + len(added)]
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

    def _append(self, edit: dict[str, Any], by: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = [{**edit, "by": by, "at": at}]
        with self._guard, self._opened() as file:
            self._read_on(file)
            if not self._end:
                lines.insert(0, {"store": self.store.id})
            file.truncate(self._end)  # a line that a kill has left unfinished
            file.seek(self._end)
            text = "".join(
                f"{json.dumps(each, ensure_ascii=False)}\n" for each in lines
            )
            file.write(text.encode())
            file.flush()
            self._read_on(file)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """Open the file as the only one who writes it."""
        lock = filelock.FileLock(self.path.with_suffix(".lock"), timeout=_LOCK_S)
        try:
            with lock:
                self.path.touch()
                with self.path.open("r+b") as file:
                    yield file
        except (OSError, filelock.Timeout) as error:
            raise self._disk(error) from error

    def _read_on(self, file: BinaryIO) -> bool:
        """Take in the whole lines that have been added."""
        file.seek(self._end)
        data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._take(line)
        self._end += len(whole)
        if whole:
            self._current = None
        return bool(whole)

    def _take(self, line: bytes) -> None:
        try:
            edit = json.loads(line)
            if "store" in edit:
                self._same(edit["store"])
                return
            needed = {
                "delete": ("ids",),
                "class": ("ids", "class"),
                "add": ("outline", "class"),
                "undo": ("line",),
            }
            for name in (*needed[edit["do"]], "by", "at"):
                edit[name]
        except _MISFITS as error:
            reason = f"line {len(self._lines) + 2} is damaged ({error!r})"
            remedy = "Take that line out, or bring the file back from a copy."
            raise self._refused(reason, remedy) from error
        self._lines.append(edit)

    def _same(self, store: str) -> None:
        if store != self.store.id:
            reason = "these edits are of other objects than are there now"
            remedy = "Move the file away, or bring back the run it belongs to."
            raise self._refused(reason, remedy)

    def _disk(self, error: Exception) -> AnnotationError:
        reason = f"the disk refuses: {getattr(error, 'strerror', '') or error}"
        return self._refused(reason, "Make room, or repair the disk.")

    def _refused(self, reason: str, remedy: str) -> AnnotationError:
        return AnnotationError(self.path, reason, remedy)
