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
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import AnnotationError
from workbench.instances.edit_lines import FEWEST_POINTS, SUFFIX, EditLines
from workbench.instances.edited import EditedInstances
from workbench.system.line_log import LineLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import ArrayLike

    from workbench.instances.store import InstanceStore


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
        self.path: Path = store.path.with_suffix(SUFFIX)
        self._kept = EditLines(store)
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

    def reclassify(
        self, ids: Iterable[int], name: str, *, by: str, classifier: str = ""
    ) -> str:
        """Change the class of instances, also to one that the model does not have.

        Parameters
        ----------
        ids : iterable of int
        name : str
            Name of the class.
        by : str
            User who changes it.
        classifier : str, optional
            Name of the classifier that gives the class, if it is no user's judgement.

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
        given = {"class": name.strip()}
        if classifier:
            given["classifier"] = classifier
        made = self._append(
            lambda: {"do": "class", "ids": self._checked(ids), **given}, by
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
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < FEWEST_POINTS:  # noqa: PLR2004 - x and y
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
                source = str(line.get("classifier", ""))
                self.reclassify(line["ids"], line["class"], by=by, classifier=source)
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
