"""The annotations of a slide on disk, shared by all who annotate it.

One file for each slide, named by its fingerprint: a line for each change, written at
its end and never rewritten. So two people who annotate the same slide lose nothing of
each other's work, a kill costs at most the line in hand, and what was there before, by
whom and when, can be read from the file. The last line about an annotation holds.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from workbench.annotations.annotation import Annotation
from workbench.annotations.geojson import Imported, read_geojson, write_geojson
from workbench.annotations.geojson_feature import annotations_of, feature_of
from workbench.area import Area
from workbench.errors import AnnotationError, SharedIdError
from workbench.slide.migration import FormerWork
from workbench.system.line_log import LineLog, read_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import pandas as pd

    from workbench.geometry import FileFrame
    from workbench.slide.slide import Slide

FOLDER: Final = "runs/annotations"
"""Where annotations are saved by default: where the app looks for them, too."""

_SUFFIX: Final = ".jsonl"


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
        self._state = _State(slide.frame)
        self._log = LineLog(self.path, self._state)
        self._guard = threading.RLock()
        self._damaged_before: list[str] = []
        self.asked: list[str] = []
        """Former ids with annotations that may be of another slide."""
        self.refresh()
        self.take_over()

    def __iter__(self) -> Iterator[Annotation]:
        """Go through them as they are now."""
        with self._guard:
            return iter(list(self._state.held.values()))

    def __len__(self) -> int:
        """Return their number."""
        return len(self._state.held)

    def __contains__(self, item: object) -> bool:
        """Tell whether an annotation, or one of that id, is there."""
        return (item.id if isinstance(item, Annotation) else item) in self._state.held

    def get(self, key: str) -> Annotation | None:
        """Return the annotation of an id, None where it is not there."""
        return self._state.held.get(key)

    def __getitem__(self, key: str) -> Annotation:
        """Return the annotation of an id, or the only one of that name.

        Raises
        ------
        AnnotationError
            If there is none, or several have the name.
        """
        if key in self._state.held:
            return self._state.held[key]
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
        UnsavedError
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
        with self._guard:
            self.slide.require_unchanged()
            self._log.append(lambda: [self._state.line(each) for each in signed])
            for each in signed:
                self._state.set(each)
        return signed

    def delete(self, *keys: str, by: str) -> None:
        """Take away the annotations of these ids; the file still knows them."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = [{"delete": key, "by": by, "at": now} for key in keys]
        with self._guard:
            self.slide.require_unchanged()
            self._log.append(lambda: lines)
            self._state.take(lines)

    def refresh(self) -> set[str]:
        """Take in what others have saved; return the ids that have changed.

        A damaged line of the file is skipped; `damaged` says which.
        """
        with self._guard:
            self._state.changed = set()
            self._log.refresh()
            return self._state.changed

    @property
    def damaged(self) -> tuple[str, ...]:
        """What is wrong with lines of the file that had to be left out."""
        return (*self._damaged_before, *self._log.damaged)

    def take_over(self) -> None:
        """Take in what earlier versions saved, as far as it is of this slide.

        Raises
        ------
        AnnotationError
            If it cannot be read, or the disk refuses.
        """
        there = {file.stem for file in self.path.parent.glob(f"*{_SUFFIX}")}
        there -= self._state.former
        work = FormerWork(self.path.parent, self.slide)
        self.asked = work.asked(there)
        for former in work.taken(there):
            lines, damaged = read_lines(self.path.with_name(f"{former}{_SUFFIX}"))
            self._damaged_before += damaged
            with self._guard:
                make = functools.partial(self._taken, former, lines)
                self._state.take(self._log.append(make))

    def _taken(self, former: str, lines: list[Any]) -> list[Any]:
        """Return the lines of a former file, unless somebody else was first."""
        known = former in self._state.former
        return [] if known else [*lines, {"former": former}]

    def read(self, source: Path | bytes, *, by: str, name: str = "") -> int:
        """Add what is in a GeoJSON file; see `take_in`.

        Returns
        -------
        int
            How many there were.
        """
        return len(self.take_in(source, by=by, name=name))

    def take_in(self, source: Path | bytes, *, by: str, name: str = "") -> Imported:
        """Add what is in a GeoJSON file; what is there under the same id is replaced.

        Returns
        -------
        Imported
            What was read; its `report` says what was left out or changed, and why.

        Raises
        ------
        AnnotationError
            If the file cannot be used; then nothing has changed.
        """
        found = read_geojson(source, frame=self.slide.scanned_frame, name=name)
        self.put(*found, by=by)
        return found

    def write(
        self, path: Path, *, classification: str | None = None
    ) -> list[Annotation]:
        """Write them, or those of a class, as GeoJSON that QuPath opens."""
        chosen = self.select(classification=classification)
        write_geojson(chosen, path, frame=self.slide.scanned_frame, mpp=self.slide.mpp)
        return chosen

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


class _State:
    """The annotations that the lines of a file come to; those of later lines hold."""

    def __init__(self, frame: FileFrame) -> None:
        self.frame = frame
        """Of the file: that of the stored pixels, however the slide is shown."""
        self.held: dict[str, Annotation] = {}
        self.changed: set[str] = set()
        self.former: set[str] = set()
        """Ids of earlier versions whose annotations have been taken over."""

    def forget(self) -> None:
        """Start over."""
        self.changed |= self.held.keys()
        self.held.clear()
        self.former.clear()

    def lines(self) -> list[Any]:
        """Return a line for each annotation."""
        marks = [{"former": each} for each in sorted(self.former)]
        return [*(self.line(each) for each in self.held.values()), *marks]

    def line(self, annotation: Annotation) -> dict[str, Any]:
        """Return what is written of an annotation."""
        return {"put": feature_of(annotation, frame=self.frame)}

    def take(self, lines: list[Any]) -> list[str]:
        """Take in changes; return for each what is wrong with it, or ""."""
        puts = [
            line["put"] if isinstance(line, dict) and "put" in line else None
            for line in lines
        ]
        there = [each for each in puts if isinstance(each, dict)]
        made = iter(annotations_of(there, frame=self.frame))
        return [
            self._put(next(made)) if isinstance(put, dict) else self._delete(line)
            for line, put in zip(lines, puts, strict=True)
        ]

    def _put(self, found: tuple[Annotation, str] | AnnotationError) -> str:
        if isinstance(found, AnnotationError):
            return found.message
        annotation, _ = found
        self.set(annotation)
        return ""

    def _delete(self, line: Any) -> str:
        if isinstance(line, dict) and isinstance(line.get("former"), str):
            self.former.add(line["former"])
            return ""
        if not isinstance(line, dict) or not isinstance(line.get("delete"), str):
            return "it is neither an annotation nor the id of one"
        self.held.pop(line["delete"], None)
        self.changed.add(line["delete"])
        return ""

    def set(self, annotation: Annotation) -> None:
        """Hold an annotation under its id."""
        self.held[annotation.id] = annotation
        self.changed.add(annotation.id)
