"""Annotations as GeoJSON: QuPath's dialect out, anybody's in.

What QuPath's parser asks for: `objectType` inside `properties`, an id that is a UUID, a
colour with each classification, text in `metadata` and numbers in `measurements`. Its
frame begins at the scanned part of a slide, which `origin` allows for.
"""

from __future__ import annotations

import gzip
import io
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import shapely
from shapely.affinity import translate
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape

from workbench.annotations.annotation import Annotation
from workbench.annotations.classes import colour_of
from workbench.durable import replace_file
from workbench.errors import AnnotationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workbench.annotations.annotation import Colour

MAX_BYTES: Final = 256_000_000
"""Of a file, uncompressed."""

MAX_FEATURES: Final = 200_000
"""Of a file; more than these are instances, not what somebody has marked."""

_NAMES: Final = uuid.UUID("0f1f3b1c-6d3c-4d5e-9d41-8a6c4be4a9a3")
"""So that reading the same file twice gives the same ids."""

_KEPT: Final = ("author", "editor", "created", "modified")
_BYTE: Final = 0xFF


def feature_of(
    annotation: Annotation,
    *,
    origin: tuple[float, float] = (0, 0),
    mpp: float | None = None,
) -> dict[str, Any]:
    """Return an annotation as a GeoJSON feature that QuPath 0.4 and later reads.

    Parameters
    ----------
    origin : (x, y)
        Where the frame of the file begins, in level-0 pixels.
    mpp : float, optional
        Adds what can be measured, in micrometres.
    """
    properties: dict[str, Any] = {"objectType": "annotation"}
    if annotation.name:
        properties["name"] = annotation.name
    if annotation.classification:
        colour = annotation.colour or colour_of(annotation.classification)
        properties["classification"] = {
            "name": annotation.classification,
            "color": list(colour),
        }
    if annotation.colour:
        properties["color"] = list(annotation.colour)
    if annotation.locked:
        properties["isLocked"] = True
    if mpp is not None:
        properties["measurements"] = annotation.measures(mpp)
    said = {key: getattr(annotation, key) for key in _KEPT}
    if any(said.values()):
        properties["metadata"] = {key: text for key, text in said.items() if text}
    x, y = origin
    geometry = annotation.geometry
    moved = translate(geometry, -x, -y) if x or y else geometry
    return {
        "type": "Feature",
        "id": annotation.id,
        "geometry": mapping(moved),
        "properties": properties,
    }


def annotation_of(
    feature: dict[str, Any], *, origin: tuple[float, float] = (0, 0)
) -> Annotation:
    """Return the annotation that a GeoJSON feature describes.

    Raises
    ------
    AnnotationError
        If it has no geometry that can be drawn.
    """
    properties = feature.get("properties") or {}
    try:
        geometry = shape(feature["geometry"])
        x, y = origin
        moved = translate(geometry, x, y) if x or y else geometry
        name, colour = _classification(properties.get("classification"))
        metadata = properties.get("metadata") or {}
        return Annotation(
            geometry=shapely.force_2d(moved),
            name=str(properties.get("name") or ""),
            classification=name,
            colour=_colour(properties.get("color", properties.get("colorRGB")))
            or (colour if colour != colour_of(name) else None),
            locked=properties.get("isLocked") is True,
            id=_id(feature),
            **{key: str(metadata.get(key) or "") for key in _KEPT},
        )
    except (KeyError, TypeError, ValueError, AttributeError, ShapelyError) as error:
        what = f"feature {feature.get('id', '')}".strip()
        raise AnnotationError(what, f"it is not GeoJSON ({error!r:.200})") from error


def write_geojson(
    annotations: Iterable[Annotation],
    path: Path,
    *,
    origin: tuple[float, float] = (0, 0),
    mpp: float | None = None,
) -> None:
    """Write a FeatureCollection, one feature a line; compressed if it ends in .gz."""
    data = to_geojson(annotations, origin=origin, mpp=mpp)
    replace_file(path, gzip.compress(data) if path.suffix.lower() == ".gz" else data)


def to_geojson(
    annotations: Iterable[Annotation],
    *,
    origin: tuple[float, float] = (0, 0),
    mpp: float | None = None,
) -> bytes:
    """Return a FeatureCollection, one feature a line."""
    lines = ",\n".join(
        json.dumps(
            feature_of(annotation, origin=origin, mpp=mpp),
            separators=(",", ":"),
            ensure_ascii=False,
        )
        for annotation in annotations
    )
    return f'{{"type":"FeatureCollection","features":[\n{lines}\n]}}\n'.encode()


def read_geojson(
    source: Path | bytes, *, origin: tuple[float, float] = (0, 0), name: str = ""
) -> list[Annotation]:
    """Read annotations from a file of QuPath, or of any program that writes GeoJSON.

    A FeatureCollection, a list of features, one feature or one geometry; gzip or not.
    Features that are the same count once.

    Parameters
    ----------
    source : Path or bytes
        The file, or what is in it.
    origin : (x, y)
        Where the frame of the file begins, in level-0 pixels.
    name : str
        Of the file, for messages, where only its content is given.

    Raises
    ------
    AnnotationError
        If it is too large, damaged, or no GeoJSON; naming the file and the feature.
    """
    called = name or (source if isinstance(source, Path) else "the file")
    found: dict[str, Annotation] = {}
    for number, feature in enumerate(_features(called, _parsed(called, source)), 1):
        if number > MAX_FEATURES:
            reason = f"it has more than {MAX_FEATURES:,} features"
            raise AnnotationError(called, reason, "Split it, or import fewer of them.")
        try:
            annotation = annotation_of(feature, origin=origin)
        except AnnotationError as error:
            raise AnnotationError(
                called, f"feature {number}: {error.message}"
            ) from error
        found[annotation.id] = annotation
    return list(found.values())


def _parsed(called: object, source: Path | bytes) -> Any:
    try:
        data = source if isinstance(source, bytes) else _read(source)
        if data[:2] == b"\x1f\x8b":
            data = _unzipped(data)
        if len(data) > MAX_BYTES:
            reason = f"it is larger than {MAX_BYTES // 1_000_000} MB"
            raise AnnotationError(called, reason, "Split it, or import fewer of them.")
        return json.loads(data.decode("utf-8-sig"))
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise AnnotationError(called, f"it is no JSON ({error})") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _unzipped(data: bytes) -> bytes:
    with gzip.open(io.BytesIO(data)) as file:
        return file.read(MAX_BYTES + 1)


def _features(called: object, content: Any) -> Iterator[dict[str, Any]]:
    if isinstance(content, dict):
        kind = content.get("type")
        if kind == "FeatureCollection":
            content = content.get("features")
        elif kind == "Feature":
            content = [content]
        else:
            content = [{"type": "Feature", "geometry": content}]
    if not isinstance(content, list):
        raise AnnotationError(called, "it holds no list of features")
    for number, feature in enumerate(content, 1):
        if not isinstance(feature, dict):
            raise AnnotationError(called, f"feature {number} is no object")
        if feature.get("geometry") is not None:
            yield feature


def _id(feature: dict[str, Any]) -> str:
    text = feature.get("id")
    try:
        return str(uuid.UUID(str(text)))
    except ValueError:
        content = json.dumps([text, feature["geometry"]], sort_keys=True, default=str)
        return str(uuid.uuid5(_NAMES, content))


def _classification(value: Any) -> tuple[str, Colour | None]:
    """Return the name and the colour of a class, as any version of QuPath has them."""
    if isinstance(value, str):
        return value, None
    if not isinstance(value, dict):
        return "", None
    name = value.get("name") or ": ".join(map(str, value.get("names") or ()))
    return str(name), _colour(value.get("color", value.get("colorRGB")))


def _colour(value: Any) -> Colour | None:
    """Return a colour from three numbers, or from the packed one of older files."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return (value >> 16) & _BYTE, (value >> 8) & _BYTE, value & _BYTE
    try:
        red, green, blue = (min(_BYTE, max(0, int(part))) for part in value)
    except (TypeError, ValueError):
        return None
    return red, green, blue
