"""Files of annotations: read from any program that writes GeoJSON, written for QuPath.

Reading keeps what can be kept and says, feature by feature, what was left out or
changed, and why.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from workbench.annotations.geojson_feature import (
    annotation_of,
    annotations_of,
    feature_of,
    new_id,
)
from workbench.annotations.geojson_file import features_in, json_of
from workbench.errors import AnnotationError
from workbench.geometry import SLIDE_FRAME
from workbench.system.atomic_files import replace_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from workbench.annotations.annotation import Annotation
    from workbench.geometry import FileFrame

__all__ = [
    "MAX_BYTES",
    "MAX_FEATURES",
    "Imported",
    "Note",
    "annotation_of",
    "feature_of",
    "read_geojson",
    "to_geojson",
    "write_geojson",
]

MAX_BYTES: Final = 256_000_000
"""Of a file, uncompressed."""

MAX_FEATURES: Final = 500_000
"""Of a file; more than these are instances, not what somebody has marked."""

_MEMBERS: Final = {"type", "id", "geometry", "properties", "bbox", "childObjects"}
"""Of a feature: what is read, and what follows from it."""

_KINDS: Final = {
    "Point": "MultiPoint",
    "LineString": "MultiLineString",
    "Polygon": "MultiPolygon",
}
_SAID: Final = 20
"""Notes that a report spells out."""


@dataclass(frozen=True, slots=True)
class Note:
    """What became of a feature that was not taken as it is."""

    where: str
    """Which feature: its number in the file, and its name."""

    what: str
    kind: Literal["left out", "empty", "changed"]
    """"left out": it, or part of it, is not there; "empty": there was nothing to take;
    "changed": it is there, mended or under another id."""

    def __str__(self) -> str:
        """Say it in a sentence."""
        return f"{self.where} {self.what}."


class Imported(list["Annotation"]):
    """Annotations that were read from a file, and what became of the others."""

    def __init__(self, found: Iterable[Annotation], notes: Iterable[Note]) -> None:
        super().__init__(found)
        self.notes = tuple(notes)

    def report(self, most: int = _SAID) -> str:
        """Return how many there are and what was left out or changed, as text.

        Parameters
        ----------
        most : int
            Notes that are spelled out; of the others their number is told.
        """
        count = f"{len(self):,} annotation{'s' * (len(self) != 1)} read."
        kinds = Counter(
            "changed" if n.kind == "changed" else "lost" for n in self.notes
        )
        parts = [
            f"{kinds[kind]:,} {words}."
            for kind, words in (("lost", "left out"), ("changed", "changed"))
            if kinds[kind]
        ]
        lost = [note for note in self.notes if note.kind != "changed"]
        changed = [note for note in self.notes if note.kind == "changed"]
        lines = [str(note) for note in [*lost, *changed][:most]]
        if len(self.notes) > most:
            lines.append(f"And {len(self.notes) - most:,} more.")
        return "\n".join([" ".join([count, *parts]), *lines])


@dataclass(slots=True)
class _Features:
    """The features of a file, one after another, with what is to be said of them."""

    called: object
    found: list[dict[str, Any]] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)

    def add(self, feature: Any, where: str) -> None:
        """Take up a feature, those nested in it after it."""
        waiting = [(feature, where)]
        while waiting:
            each, place = waiting.pop()
            children = self._add_one(each, place)
            numbered = enumerate(children, 1)
            inner = [(child, f"{place}, child {number}") for number, child in numbered]
            waiting += reversed(inner)

    def _add_one(self, feature: Any, where: str) -> list[Any]:
        """Take up one feature; return those that are nested in it."""
        if not isinstance(feature, dict):
            self.note(where, "is no object", "left out")
            return []
        if "geometry" not in feature and feature.get("type", "Feature") != "Feature":
            feature = {"type": "Feature", "geometry": feature}
        properties = feature.get("properties")
        nested: list[Any] = []
        for holder in (feature, properties):
            inner = holder.get("childObjects") if isinstance(holder, dict) else None
            nested += inner if isinstance(inner, list) else []
        if isinstance(properties, dict):
            if properties.get("name"):
                where = f"{where} ('{properties['name']!s:.60}')"
            if "childObjects" in properties:
                plain = {k: v for k, v in properties.items() if k != "childObjects"}
                feature = {**feature, "properties": plain}
        for key in feature.keys() - _MEMBERS:
            self.unread[key] += 1
        if nested:
            said = f"holds {len(nested):,} others, which now stand beside it"
            self.note(where, said, "changed")
        self._take(feature, where)
        return nested

    def _take(self, feature: dict[str, Any], where: str) -> None:
        geometry = feature.get("geometry")
        if geometry is None:
            self.note(where, "was left out: it has no geometry", "empty")
            return
        if isinstance(geometry, dict) and geometry.get("type") == "GeometryCollection":
            parts = _by_kind(geometry)
            said = f"is a GeometryCollection: it became {len(parts)} annotations"
            if len(parts) != 1:
                self.note(where, said, "changed" if parts else "left out")
            for number, part in enumerate(parts):
                key = feature.get("id")
                other = new_id(key, geometry, number) if number else key
                self._keep({**feature, "geometry": part, "id": other}, where)
            return
        self._keep(feature, where)

    def _keep(self, feature: dict[str, Any], where: str) -> None:
        if len(self.found) >= MAX_FEATURES:
            reason = f"it has more than {MAX_FEATURES:,} features"
            remedy = "Split it, or import fewer of them."
            raise AnnotationError(self.called, reason, remedy)
        self.found.append(feature)
        self.where.append(where)

    def note(
        self, where: str, what: str, kind: Literal["left out", "empty", "changed"]
    ) -> None:
        """Say what became of a feature."""
        self.notes.append(Note(where, what, kind))


def read_geojson(
    source: Path | bytes, *, frame: FileFrame = SLIDE_FRAME, name: str = ""
) -> Imported:
    """Read annotations from a file of QuPath, or of any program that writes GeoJSON.

    A FeatureCollection, a list of features, one feature or one geometry, or one of
    them a line; by itself, in gzip or in a zip. Features that are the same count once;
    two that differ under one id both count. Outlines are mended where there is one way
    to do it (see `workbench.annotations.geojson_geometry`).

    Parameters
    ----------
    source : Path or bytes
        The file, or what is in it.
    frame : FileFrame
        That of the file: QuPath's begins at the scanned part of a slide.
    name : str
        Of the file, for messages, where only its content is given.

    Returns
    -------
    Imported
        A list of annotations; its `notes` and `report` say what was left out or
        changed, and why.

    Raises
    ------
    AnnotationError
        If it is too large, damaged, or no GeoJSON, or nothing in it can be used;
        naming the file and the feature.
    """
    called = name or (source if not isinstance(source, bytes) else "the file")
    listed = features_in(json_of(source, called, most=MAX_BYTES))
    if listed is None:
        raise AnnotationError(called, "it holds no list of features")
    features = _Features(called)
    for number, feature in enumerate(listed, 1):
        features.add(feature, f"feature {number}")
    found = _distinct(features, frame)
    for key, count in features.unread.items():
        said = f"had '{key!s:.60}' outside of their properties, which was left out"
        features.note(f"{count:,} feature{'s' * (count != 1)}", said, "left out")
    first = next((note for note in features.notes if note.kind == "left out"), None)
    if not found and first is not None:
        raise AnnotationError(called, f"{first.where} {first.what}")
    return Imported(found, features.notes)


def _distinct(features: _Features, frame: FileFrame) -> Collection[Annotation]:
    """Return the annotations, each of an id of its own."""
    found: dict[str, Annotation] = {}
    made = annotations_of(features.found, frame=frame)
    for where, each in zip(features.where, made, strict=True):
        if isinstance(each, AnnotationError):
            reason = each.message.partition(" cannot be used as annotations: ")[2]
            features.note(where, f"was left out: {reason.rstrip('.')}", "left out")
            continue
        annotation, mended = each
        if mended:
            features.note(where, f"was mended: {mended}", "changed")
        first = found.get(annotation.id)
        if first is not None:
            if first == annotation:
                features.note(where, "is there twice, and counts once", "changed")
                continue
            said = "has the id of another one, and was given one of its own"
            features.note(where, said, "changed")
            content = annotation.geometry.wkt, annotation.name
            annotation = annotation.replace(
                id=new_id(annotation.id, *content, annotation.classification)
            )
        found[annotation.id] = annotation
    return found.values()


def _by_kind(collection: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the geometries of a collection, those of one kind as one."""
    kinds: dict[str, list[Any]] = {}
    waiting: list[Any] = [collection]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, dict):
            continue
        kind, content = str(each.get("type")), each.get("coordinates")
        if kind == "GeometryCollection" and isinstance(each.get("geometries"), list):
            waiting += each["geometries"]
        elif kind in _KINDS:
            kinds.setdefault(_KINDS[kind], []).append(content)
        elif kind in _KINDS.values() and isinstance(content, list):
            kinds.setdefault(kind, []).extend(content)
    return [{"type": kind, "coordinates": parts} for kind, parts in kinds.items()]


def write_geojson(
    annotations: Iterable[Annotation],
    path: Path,
    *,
    frame: FileFrame = SLIDE_FRAME,
    mpp: float | None = None,
) -> None:
    """Write a FeatureCollection, one feature a line; compressed if it ends in .gz."""
    data = to_geojson(annotations, frame=frame, mpp=mpp)
    replace_file(path, gzip.compress(data) if path.suffix.lower() == ".gz" else data)


def to_geojson(
    annotations: Iterable[Annotation],
    *,
    frame: FileFrame = SLIDE_FRAME,
    mpp: float | None = None,
) -> bytes:
    """Return a FeatureCollection, one feature a line."""
    lines = b",\n".join(
        json_line(feature_of(annotation, frame=frame, mpp=mpp))
        for annotation in annotations
    )
    return b'{"type":"FeatureCollection","features":[\n' + lines + b"\n]}\n"


def json_line(content: Any) -> bytes:
    """Return JSON without a line break, as UTF-8."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a letter, which only an escape can write
        return json.dumps(content, separators=(",", ":")).encode()
