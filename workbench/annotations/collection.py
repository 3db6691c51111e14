"""The annotations of a slide on disk, shared by all who annotate it.

One file for each slide, named by its fingerprint: a line for each change, written at
its end and never rewritten. So two people who annotate the same slide lose nothing of
each other's work, a kill costs at most the line in hand, and what was there before, by
whom and when, can be read from the file. The last line about an annotation holds.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Collection
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import filelock

from workbench.annotations.annotation import Annotation
from workbench.annotations.geojson import (
    annotation_of,
    feature_of,
    read_geojson,
    write_geojson,
)
from workbench.area import Area
from workbench.errors import AnnotationError, SharedIdError
from workbench.former_work import FormerWork

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    import pandas as pd

    from workbench.slide.slide import Slide

FOLDER: Final = "runs/annotations"
"""Where annotations are saved by default: where the app looks for them, too."""

_SUFFIX: Final = ".jsonl"
_LOCK_S: Final = 20.0


def open_annotations(
    slide: Slide,
    *,
    folder: str | os.PathLike[str] = FOLDER,
    former: Literal["ask", "take", "leave"] = "ask",
) -> Annotations:
    """Return what has been marked on a slide; what is changed is saved at once.

    Parameters
    ----------
    slide : Slide
    folder : path
        Where annotations are saved, one file for each slide.
    former : "ask", "take" or "leave"
        What is done with annotations that an earlier version saved under an id which
        other slides may have, too. The answer is kept.

    Returns
    -------
    Annotations

    Raises
    ------
    SharedIdError
        If there are such annotations, and nobody has said yet whose they are.
    AnnotationError
        If they cannot be read.
    """
    if former != "ask":
        FormerWork(folder, slide).answer(take=former == "take")
    found = Annotations(slide, folder)
    if found.asked:
        raise SharedIdError(slide.path, "annotations")
    return found


class Annotations(Collection[Annotation]):
    """The annotations of one slide, as all who annotate it have left them.

    Goes through them in the order in which they were made. Safe from any number of
    threads and processes; `refresh` takes in what others have done.
    """

    def __init__(self, slide: Slide, folder: str | os.PathLike[str] = FOLDER) -> None:
        self.slide = slide
        self.path = Path(folder) / f"{slide.id}{_SUFFIX}"
        self._held: dict[str, Annotation] = {}
        self._end = 0
        self._lines = 0
        self._guard = threading.RLock()
        self._former: set[str] = set()
        self.asked: list[str] = []
        """Former ids with annotations that may be of another slide."""
        self.refresh()
        self.take_over()

    def __iter__(self) -> Iterator[Annotation]:
        """Go through them as they are now."""
        with self._guard:
            return iter(list(self._held.values()))

    def __len__(self) -> int:
        """Return their number."""
        return len(self._held)

    def __contains__(self, item: object) -> bool:
        """Tell whether an annotation, or one of that id, is there."""
        return (item.id if isinstance(item, Annotation) else item) in self._held

    def get(self, key: str) -> Annotation | None:
        """Return the annotation of an id, None where it is not there."""
        return self._held.get(key)

    def __getitem__(self, key: str) -> Annotation:
        """Return the annotation of an id, or the only one of that name.

        Raises
        ------
        AnnotationError
            If there is none, or several have the name.
        """
        if key in self._held:
            return self._held[key]
        named = self.select(name=key)
        if len(named) != 1:
            reason = f"{len(named) or 'none'} of '{self.slide.name}' have this name"
            raise AnnotationError(key, reason, "Give the id of one that is there.")
        return named[0]

    def select(
        self, *, classification: str | None = None, name: str | None = None
    ) -> list[Annotation]:
        """Return those of a class, or of a name, or both."""
        return [
            each
            for each in self
            if classification in (None, each.classification)
            and name in (None, each.name)
        ]

    def area(self, *, classification: str | None = None) -> Area:
        """Return what the areas among them, or among those of a class, enclose.

        Raises
        ------
        OutOfBoundsError
            If there is no area among them.
        """
        chosen = self.select(classification=classification)
        return Area.of([each for each in chosen if each.kind == "area"])

    def put(self, *changed: Annotation, by: str) -> list[Annotation]:
        """Save annotations, new or changed.

        Parameters
        ----------
        by : str
            Who does it; the author of those that are new.

        Returns
        -------
        list of Annotation
            As they are saved, with author and time.

        Raises
        ------
        SlideChangedError
            If the slide's file is no longer what was marked; then nothing has changed.
        AnnotationError
            If the disk refuses; then nothing has changed.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        signed = [
            each.replace(
                author=each.author or by,
                created=each.created or now,
                editor=by,
                modified=now,
            )
            for each in changed
        ]
        self._append([{"put": feature_of(each)} for each in signed])
        return signed

    def delete(self, *keys: str, by: str) -> None:
        """Take away the annotations of these ids; the file still knows them."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._append([{"delete": key, "by": by, "at": now} for key in keys])

    def refresh(self) -> set[str]:
        """Take in what others have saved; return the ids that have changed."""
        with self._guard:
            try:
                if os.stat(self.path).st_size <= self._end:  # noqa: PTH116 - polled
                    return set()
                with self.path.open("rb") as file:
                    return self._read_on(file)
            except FileNotFoundError:
                return set()
            except OSError as error:
                raise self._refused(error) from error

    def take_over(self) -> None:
        """Take in what earlier versions saved, as far as it is of this slide.

        Raises
        ------
        AnnotationError
            If it cannot be read, or the disk refuses.
        """
        there = {file.stem for file in self.path.parent.glob(f"*{_SUFFIX}")}
        there -= self._former
        work = FormerWork(self.path.parent, self.slide)
        self.asked = work.asked(there)
        for former in work.taken(there):
            try:
                data = self.path.with_name(f"{former}{_SUFFIX}").read_bytes()
            except OSError as error:
                raise self._refused(error) from error
            whole = data[: data.rfind(b"\n") + 1]
            with self._guard, self._opened() as file:
                self._read_on(file)
                if former not in self._former:  # somebody else was first
                    mark = json.dumps({"former": former}).encode() + b"\n"
                    self._write(file, whole + mark)

    def read(self, source: Path | bytes, *, by: str, name: str = "") -> int:
        """Add what is in a GeoJSON file; what is there under the same id is replaced.

        Returns
        -------
        int
            How many there were.

        Raises
        ------
        AnnotationError
            If the file cannot be used; then nothing has changed.
        """
        return len(
            self.put(*read_geojson(source, origin=self.origin, name=name), by=by)
        )

    def write(
        self, path: Path, *, classification: str | None = None
    ) -> list[Annotation]:
        """Write them, or those of a class, as GeoJSON that QuPath opens."""
        chosen = self.select(classification=classification)
        write_geojson(chosen, path, origin=self.origin, mpp=self.slide.mpp)
        return chosen

    @property
    def origin(self) -> tuple[int, int]:
        """Where QuPath's frame begins: the upper left corner of what was scanned."""
        return self.slide.bounds.x0, self.slide.bounds.y0

    def to_frame(self) -> pd.DataFrame:
        """Return them as a table: a row each, with what can be measured."""
        import pandas as pd  # noqa: PLC0415 - takes longer to import than all the rest

        columns = ("name", "classification", "author", "created", "modified")
        rows = [
            {
                "id": each.id,
                "kind": each.kind,
                **{name: getattr(each, name) for name in columns},
                **each.measures(self.slide.mpp),
            }
            for each in self
        ]
        return pd.DataFrame(rows, columns=None if rows else ["id", "kind", *columns])

    def __repr__(self) -> str:
        """Say what it is in one line."""
        return f"<Annotations of '{self.slide.name}': {len(self)}>"

    def _append(self, lines: list[dict[str, Any]]) -> None:
        self.slide.require_unchanged()
        data = b"".join(
            json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
            for line in lines
        )
        with self._guard, self._opened() as file:
            if self.path.stat().st_size < self._end:
                reason = "somebody has cut it while it was in use"
                raise AnnotationError(self.path, reason, "Open the slide again.")
            self._read_on(file)
            self._write(file, data)

    def _write(self, file: BinaryIO, data: bytes) -> None:
        """Add whole lines, and take them in."""
        file.truncate(self._end)  # a line that a kill has left unfinished
        file.seek(self._end)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        self._read_on(file)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """Open the file as the only one who writes it."""
        lock = filelock.FileLock(self.path.with_suffix(".lock"), timeout=_LOCK_S)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with lock, self.path.open("a+b") as create:
                create.close()
                with self.path.open("r+b") as file:
                    yield file
        except (OSError, filelock.Timeout) as error:
            raise self._refused(error) from error

    def _read_on(self, file: BinaryIO) -> set[str]:
        """Take in the whole lines that have been added."""
        file.seek(self._end)
        data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        changed: set[str] = set()
        for line in whole.splitlines():
            self._lines += 1
            changed.add(self._take(line))
        self._end += len(whole)
        return changed - {""}

    def _take(self, line: bytes) -> str:
        try:
            change = json.loads(line)
            if "former" in change:
                self._former.add(str(change["former"]))
                return ""
            if "delete" in change:
                self._held.pop(change["delete"], None)
                return str(change["delete"])
            annotation = annotation_of(change["put"])
        except (ValueError, KeyError, TypeError, AnnotationError) as error:
            reason = f"line {self._lines} is damaged ({error})"
            remedy = "Take that line out, or bring the file back from a copy."
            raise AnnotationError(self.path, reason, remedy) from error
        self._held[annotation.id] = annotation
        return annotation.id

    def _refused(self, error: OSError) -> AnnotationError:
        reason = f"the disk refuses: {error.strerror or error}"
        return AnnotationError(self.path, reason, "Make room, or repair the disk.")
