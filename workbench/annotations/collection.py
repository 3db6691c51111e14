"""The annotations of a slide on disk, shared by all its users.

Each slide has one append-only file, named by the slide's id, with one line per change.
Users who annotate the same slide at once do not overwrite each other's work, a crash
loses at most the line being written, and the file holds the history: former versions,
users and times. The last line of an annotation is its current state.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from workbench.annotations.annotation import Annotation
from workbench.annotations.geojson import Imported, write_geojson
from workbench.annotations.geojson_feature import annotations_of, feature_of
from workbench.annotations.importing import read_annotations
from workbench.annotations.journal_lines import lines_of
from workbench.area import Area
from workbench.errors import AnnotationError, SharedIdError
from workbench.provenance.provenance import Provenance
from workbench.slide.migration import FormerWork
from workbench.system.line_log import LineLog, read_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from workbench.geometry import FileFrame
    from workbench.slide.slide import Slide

FOLDER: Final = "runs/annotations"
"""Default folder of annotations, also that of the app."""

_SUFFIX: Final = ".jsonl"


def open_annotations(
    slide: Slide,
    *,
    folder: str | os.PathLike[str] = FOLDER,
    former: Literal["ask", "take", "leave"] = "ask",
) -> Annotations:
    """Return the annotations of a slide; changes are saved at once.

    Parameters
    ----------
    slide : Slide
    folder : path
        Folder of the annotation files, one for each slide.
    former : "ask", "take" or "leave"
        Whether to import annotations that an earlier version saved under an id that
        other slides may share: raise `SharedIdError`, import, or ignore. The choice is
        saved.

    Returns
    -------
    Annotations

    Raises
    ------
    SharedIdError
        If there are such annotations, and no choice has been saved.
    AnnotationError
        If the annotations cannot be read.

    Examples
    --------
    >>> import shapely
    >>> notes = wb.open_annotations(slide, folder="notes")
    >>> made = notes.put(wb.Annotation(geometry=shapely.box(0, 0, 100, 50)), by="me")
    >>> notes
    <Annotations of 'slide.tif': 1>
    """
    if former != "ask":
        FormerWork(folder, slide).decide(take=former == "take")
    found = Annotations(slide, folder)
    if found.asked:
        raise SharedIdError(slide.path, "annotations")
    return found


class Annotations(Collection[Annotation]):
    """The current annotations of one slide, shared by all users.

    Iterates in order of creation. Safe for use by several threads and processes;
    `refresh` reads the changes of others.
    """

    def __init__(self, slide: Slide, folder: str | os.PathLike[str] = FOLDER) -> None:
        self.slide = slide
        self.path = Path(folder) / f"{slide.id}{_SUFFIX}"
        self._state = _State(slide.frame)
        self._log = LineLog(self.path, self._state)
        self._guard = threading.RLock()
        self._damaged_before: list[str] = []
        self.asked: list[str] = []
        """Former ids of the slide whose annotations may be those of another slide."""
        self.refresh()
        self.take_over()

    def __iter__(self) -> Iterator[Annotation]:
        """Iterate over a copy of the current annotations."""
        with self._guard:
            return iter(list(self._state.by_id.values()))

    def __len__(self) -> int:
        """Return the number of annotations."""
        return len(self._state.by_id)

    def __contains__(self, item: object) -> bool:
        """Return whether an annotation, given itself or by its id, is present."""
        return (item.id if isinstance(item, Annotation) else item) in self._state.by_id

    def get(self, key: str) -> Annotation | None:
        """Return the annotation of an id; None if there is none."""
        return self._state.by_id.get(key)

    def __getitem__(self, key: str) -> Annotation:
        """Return the annotation of an id, or the only one of that name.

        Raises
        ------
        AnnotationError
            If there is none, or several have the name.
        """
        if key in self._state.by_id:
            return self._state.by_id[key]
        named = self.select(name=key)
        if len(named) != 1:
            reason = f"{len(named) or 'none'} of '{self.slide.name}' have this name"
            raise AnnotationError(key, reason, "Give the id of an annotation instead.")
        return named[0]

    def select(
        self, *, classification: str | None = None, name: str | None = None
    ) -> list[Annotation]:
        """Return the annotations of a class, a name, or both."""
        return [
            each
            for each in self
            if classification in (None, each.classification)
            and name in (None, each.name)
        ]

    def area(self, *, classification: str | None = None) -> Area:
        """Return the union of all areas, or of the areas of a class.

        Raises
        ------
        OutOfBoundsError
            If there are no areas.
        """
        chosen = self.select(classification=classification)
        return Area.of([each for each in chosen if each.kind == "area"])

    def put(self, *changed: Annotation, by: str) -> list[Annotation]:
        """Save annotations, new or changed.

        Parameters
        ----------
        *changed : Annotation
        by : str
            The user; becomes the author of new annotations.

        Returns
        -------
        list of Annotation
            The saved annotations, with author and time.

        Raises
        ------
        SlideChangedError
            If the slide's file has been replaced; then nothing is saved.
        UnsavedError
            If writing fails; then nothing is saved.
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
        """Delete annotations by id; their history remains in the file."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = [{"delete": key, "by": by, "at": now} for key in keys]
        with self._guard:
            self.slide.require_unchanged()
            self._log.append(lambda: lines)
            self._state.take(lines)

    def refresh(self) -> set[str]:
        """Read the changes of others; return the changed ids.

        Damaged lines of the file are skipped and listed in `damaged`.
        """
        with self._guard:
            self._state.changed = set()
            self._log.refresh()
            return self._state.changed

    @property
    def damaged(self) -> tuple[str, ...]:
        """Descriptions of the lines that were skipped."""
        return (*self._damaged_before, *self._log.damaged)

    def take_over(self) -> None:
        """Import the annotations of this slide that earlier versions saved.

        Raises
        ------
        AnnotationError
            If they cannot be read or saved.
        """
        former_ids = {file.stem for file in self.path.parent.glob(f"*{_SUFFIX}")}
        former_ids -= self._state.former
        work = FormerWork(self.path.parent, self.slide)
        self.asked = work.undecided_ids(former_ids)
        for former in work.own_ids(former_ids):
            lines, damaged = read_lines(self.path.with_name(f"{former}{_SUFFIX}"))
            self._damaged_before += damaged
            with self._guard:
                make = functools.partial(self._former_lines, former, lines)
                self._state.take(self._log.append(make))

    def _former_lines(self, former: str, lines: list[Any]) -> list[Any]:
        """Return the lines of a former file; none if another process imported them."""
        imported = former in self._state.former
        return [] if imported else [*lines, {"former": former}]

    def read(self, source: Path | bytes, *, by: str, name: str = "") -> int:
        """Import a GeoJSON file; see `take_in`.

        Returns
        -------
        int
            Number of imported annotations.
        """
        return len(self.take_in(source, by=by, name=name))

    def take_in(self, source: Path | bytes, *, by: str, name: str = "") -> Imported:
        """Import a GeoJSON, COCO or DICOM file; equal ids are replaced.

        Returns
        -------
        Imported
            The imported annotations; `report` lists what was left out or changed.

        Raises
        ------
        AnnotationError
            If the file cannot be used; then nothing is imported.
        """
        imported = read_annotations(source, self.slide, name=name)
        self.put(*imported, by=by)
        return imported

    def write(
        self, path: Path, *, classification: str | None = None
    ) -> list[Annotation]:
        """Write all annotations, or those of a class, as GeoJSON for QuPath.

        The file names the slide and the lines of the journal; see
        `wb.read_provenance`.
        """
        written = self.select(classification=classification)
        write_geojson(
            written,
            path,
            frame=self.slide.scanned_frame,
            mpp=self.slide.mpp,
            made=self.provenance(written),
        )
        return written

    def provenance(self, chosen: Iterable[Annotation]) -> Provenance:
        """Return what made a file of some of the annotations, written now."""
        slide = self.slide
        facts = {"id": slide.id, "name": slide.name, "size": list(slide.size)}
        return Provenance.new(
            "annotations",
            slide={**facts, "mpp": slide.mpp, "reader": slide.reader_name},
            annotations=tuple(lines_of(self.path, {each.id for each in chosen})),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row per annotation, with its measures.

        Column "geometry" has shapely geometries, in level-0 pixels, so that
        `geopandas.GeoDataFrame(table)` takes it.
        """
        import pandas as pd  # noqa: PLC0415 - its import is slow

        columns = (
            "geometry",
            "name",
            "classification",
            "author",
            "created",
            "modified",
        )
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
        """Return one line with the slide's name and the number of annotations."""
        return f"<Annotations of '{self.slide.name}': {len(self)}>"


class _State:
    """The annotations that result from the lines of a file, read in order."""

    def __init__(self, frame: FileFrame) -> None:
        self.frame = frame
        """Frame of the file: stored pixels, even if the slide is rescaled."""
        self.by_id: dict[str, Annotation] = {}
        self.changed: set[str] = set()
        self.former: set[str] = set()
        """Former ids of the slide whose annotations have been imported."""

    def forget(self) -> None:
        """Remove all annotations."""
        self.changed |= self.by_id.keys()
        self.by_id.clear()
        self.former.clear()

    def lines(self) -> list[Any]:
        """Return the lines that give this state."""
        marks = [{"former": each} for each in sorted(self.former)]
        return [*(self.line(each) for each in self.by_id.values()), *marks]

    def line(self, annotation: Annotation) -> dict[str, Any]:
        """Return the line that saves an annotation."""
        return {"put": feature_of(annotation, frame=self.frame)}

    def take(self, lines: list[Any]) -> list[str]:
        """Apply lines; return the problem of each line, or ""."""
        puts = [
            line["put"] if isinstance(line, dict) and "put" in line else None
            for line in lines
        ]
        features = [each for each in puts if isinstance(each, dict)]
        results = iter(annotations_of(features, frame=self.frame))
        return [
            self._put(next(results)) if isinstance(put, dict) else self._delete(line)
            for line, put in zip(lines, puts, strict=True)
        ]

    def _put(self, result: tuple[Annotation, str] | AnnotationError) -> str:
        if isinstance(result, AnnotationError):
            return result.message
        annotation, _ = result
        self.set(annotation)
        return ""

    def _delete(self, line: Any) -> str:
        if isinstance(line, dict) and isinstance(line.get("former"), str):
            self.former.add(line["former"])
            return ""
        if not isinstance(line, dict) or not isinstance(line.get("delete"), str):
            return "it is neither an annotation nor the id of one"
        self.by_id.pop(line["delete"], None)
        self.changed.add(line["delete"])
        return ""

    def set(self, annotation: Annotation) -> None:
        """Add or replace an annotation."""
        self.by_id[annotation.id] = annotation
        self.changed.add(annotation.id)
