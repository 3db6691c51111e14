"""GeoJSON files of annotations: read from any program, written for QuPath.

The importer reports, feature by feature, what was left out or changed, and why.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from workbench.annotations.coco import features_of_coco, is_coco
from workbench.annotations.geojson_feature import (
    annotation_of,
    annotations_of,
    feature_of,
    new_id,
)
from workbench.annotations.geojson_file import features_in, json_of
from workbench.errors import AnnotationError
from workbench.geometry import SLIDE_FRAME, FileFrame
from workbench.provenance.provenance import KEY
from workbench.system.atomic_files import replace_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from workbench.annotations.annotation import Annotation
    from workbench.provenance.provenance import Provenance

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
"""Maximum size of a file in bytes, uncompressed."""

MAX_FEATURES: Final = 500_000
"""Maximum number of features in a file; larger files hold instances, not
annotations."""

_MEMBERS: Final = {"type", "id", "geometry", "properties", "bbox", "childObjects"}
"""Members of a feature that are read, or follow from those that are read."""

_KINDS: Final = {
    "Point": "MultiPoint",
    "LineString": "MultiLineString",
    "Polygon": "MultiPolygon",
}
_MAX_NOTES: Final = 20
"""Number of notes that a report lists."""


@dataclass(frozen=True, slots=True)
class Note:
    """A feature that was not imported unchanged."""

    where: str
    """The feature: its number in the file, and its name."""

    what: str
    """What happened to it, as a predicate."""

    kind: Literal["left out", "empty", "changed"]
    """"left out": it or a part of it was not imported; "empty": it has no geometry;
    "changed": it was imported, but repaired or under another id."""

    def __str__(self) -> str:
        """Return the note as a sentence."""
        return f"{self.where} {self.what}."


class Imported(list["Annotation"]):
    """Annotations read from a file, with notes on what was left out or changed."""

    def __init__(
        self, annotations: Iterable[Annotation], notes: Iterable[Note]
    ) -> None:
        super().__init__(annotations)
        self.notes = tuple(notes)

    def report(self, most: int = _MAX_NOTES) -> str:
        """Return the counts and the notes as text.

        Parameters
        ----------
        most : int
            Maximum number of notes that are listed; the others are counted.
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
    """The features of a file, flattened, with notes."""

    label: object
    """Name of the file in messages."""

    found: list[dict[str, Any]] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    """Number of features with each unknown member."""

    def add(self, feature: Any, where: str) -> None:
        """Add a feature, followed by those nested in it."""
        waiting = [(feature, where)]
        while waiting:
            each, place = waiting.pop()
            children = self._add_one(each, place)
            numbered = enumerate(children, 1)
            inner = [(child, f"{place}, child {number}") for number, child in numbered]
            waiting += reversed(inner)

    def _add_one(self, feature: Any, where: str) -> list[Any]:
        """Add one feature; return the features nested in it."""
        if not isinstance(feature, dict):
            self.note(where, "is not an object", "left out")
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
            what = f"holds {len(nested):,} others, which were imported separately"
            self.note(where, what, "changed")
        self._split_collection(feature, where)
        return nested

    def _split_collection(self, feature: dict[str, Any], where: str) -> None:
        """Append a feature; one for each kind of geometry of a collection."""
        geometry = feature.get("geometry")
        if geometry is None:
            self.note(where, "was left out: it has no geometry", "empty")
            return
        if isinstance(geometry, dict) and geometry.get("type") == "GeometryCollection":
            parts = _by_kind(geometry)
            what = f"is a GeometryCollection: it became {len(parts)} annotations"
            if len(parts) != 1:
                self.note(where, what, "changed" if parts else "left out")
            for number, part in enumerate(parts):
                key = feature.get("id")
                other = new_id(key, geometry, number) if number else key
                self._append({**feature, "geometry": part, "id": other}, where)
            return
        self._append(feature, where)

    def _append(self, feature: dict[str, Any], where: str) -> None:
        if len(self.found) >= MAX_FEATURES:
            reason = f"it has more than {MAX_FEATURES:,} features"
            remedy = "Split it, or import fewer of them."
            raise AnnotationError(self.label, reason, remedy)
        self.found.append(feature)
        self.where.append(where)

    def note(
        self, where: str, what: str, kind: Literal["left out", "empty", "changed"]
    ) -> None:
        """Add a note on a feature."""
        self.notes.append(Note(where, what, kind))


def read_geojson(
    source: Path | bytes, *, frame: FileFrame = SLIDE_FRAME, name: str = ""
) -> Imported:
    """Read annotations from a GeoJSON file of QuPath or any other program.

    The file holds a FeatureCollection, a list of features, one feature or one
    geometry, or one of these per line; plain, in gzip or in a zip. Annotations in
    COCO's format, of the slide or of its tiles, are read too. Equal features are
    imported once; different features with the same id are both imported. Outlines are
    repaired if there is one way to do it (see
    `workbench.annotations.geojson_geometry`).

    Parameters
    ----------
    source : Path or bytes
        The file, or its content.
    frame : FileFrame
        Frame of the file. QuPath's begins at the scanned part of a slide.
    name : str
        Name of the file in messages, if `source` is its content.

    Returns
    -------
    Imported
        List of annotations; its `notes` and `report` list what was left out or
        changed, and why.

    Raises
    ------
    AnnotationError
        If the file is too large, damaged or not GeoJSON, or nothing in it can be used;
        names the file and the feature.
    """
    label = name or (source if not isinstance(source, bytes) else "the file")
    content = json_of(source, label, most=MAX_BYTES)
    if is_coco(content):
        listed: list[Any] | None = features_of_coco(content, label)
        frame = FileFrame(frame.scale)  # the origin of COCO is the file's own
    else:
        listed = features_in(content)
    if listed is None:
        raise AnnotationError(label, "it has no list of features")
    return import_features(listed, label, frame)


def import_features(
    listed: list[Any], label: object, frame: FileFrame = SLIDE_FRAME
) -> Imported:
    """Return GeoJSON features as annotations.

    Raises
    ------
    AnnotationError
        If there are too many, or none can be used.
    """
    features = _Features(label)
    for number, feature in enumerate(listed, 1):
        features.add(feature, f"feature {number}")
    annotations = _distinct(features, frame)
    for key, count in features.unread.items():
        what = f"had '{key!s:.60}' outside of their properties, which was left out"
        features.note(f"{count:,} feature{'s' * (count != 1)}", what, "left out")
    first = next((note for note in features.notes if note.kind == "left out"), None)
    if not annotations and first is not None:
        raise AnnotationError(label, f"{first.where} {first.what}")
    return Imported(annotations, features.notes)


def _distinct(features: _Features, frame: FileFrame) -> Collection[Annotation]:
    """Return the annotations, each with a unique id."""
    found: dict[str, Annotation] = {}
    results = annotations_of(features.found, frame=frame)
    for where, each in zip(features.where, results, strict=True):
        if isinstance(each, AnnotationError):
            reason = each.message.partition(" cannot be used as annotations: ")[2]
            features.note(where, f"was left out: {reason.rstrip('.')}", "left out")
            continue
        annotation, repaired = each
        if repaired:
            features.note(where, f"was repaired: {repaired}", "changed")
        first = found.get(annotation.id)
        if first is not None:
            if first == annotation:
                features.note(where, "is a duplicate, and was imported once", "changed")
                continue
            what = "has the id of another feature, and was given a new one"
            features.note(where, what, "changed")
            content = annotation.geometry.wkt, annotation.name
            annotation = annotation.replace(
                id=new_id(annotation.id, *content, annotation.classification)
            )
        found[annotation.id] = annotation
    return found.values()


def _by_kind(collection: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the geometries of a collection, merged by kind."""
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
    made: Provenance | None = None,
) -> None:
    """Write a FeatureCollection, one feature per line; gzip if the name ends in .gz."""
    data = to_geojson(annotations, frame=frame, mpp=mpp, made=made)
    replace_file(path, gzip.compress(data) if path.suffix.lower() == ".gz" else data)


def to_geojson(
    annotations: Iterable[Annotation],
    *,
    frame: FileFrame = SLIDE_FRAME,
    mpp: float | None = None,
    made: Provenance | None = None,
) -> bytes:
    """Return a FeatureCollection, one feature per line, with what made it."""
    said = b"" if made is None else f'"{KEY}":{made.text},'.encode()
    lines = b",\n".join(
        json_line(feature_of(annotation, frame=frame, mpp=mpp))
        for annotation in annotations
    )
    head = b'{"type":"FeatureCollection",' + said + b'"features":[\n'
    return head + lines + b"\n]}\n"


def json_line(content: Any) -> bytes:
    """Return JSON without line breaks, as UTF-8."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which must be escaped
        return json.dumps(content, separators=(",", ":")).encode()
