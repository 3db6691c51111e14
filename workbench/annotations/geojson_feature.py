"""Conversion of annotations to and from GeoJSON features.

QuPath's parser requires `objectType` inside `properties`, a UUID as id, a colour with
each classification, text in `metadata` and numbers in `measurements`. QuPath's frame
begins at the scanned part of a slide (see `frame`). Properties that the workbench does
not read are kept, and written back.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

import shapely
from shapely.geometry import mapping

from workbench.annotations.annotation import Annotation
from workbench.annotations.classes import colour_of
from workbench.annotations.geojson_geometry import shapes_of
from workbench.errors import AnnotationError
from workbench.geometry import SLIDE_FRAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.annotations.annotation import Colour
    from workbench.geometry import FileFrame

MISFITS: Final = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
"""Errors raised by values that are not valid GeoJSON."""

_NAMES: Final = uuid.UUID("0f1f3b1c-6d3c-4d5e-9d41-8a6c4be4a9a3")
"""Namespace of derived ids, so that importing a file twice gives the same ids."""

_SIGNED: Final = ("author", "editor", "created", "modified")
_READ: Final = {"name", "classification", "color", "colorRGB", "isLocked"}
_USUAL: Final = {"objectType"}
_OURS: Final = ("Area ", "Perimeter ", "Length ", "Points")
"""Prefixes of measurements that are computed from the geometry, and not kept."""

_MAX_DEPTH: Final = 50
"""Maximum nesting of lists and objects in the kept properties."""

_BYTE: Final = 0xFF


def feature_of(
    annotation: Annotation,
    *,
    frame: FileFrame = SLIDE_FRAME,
    mpp: float | None = None,
) -> dict[str, Any]:
    """Return an annotation as a GeoJSON feature that QuPath 0.4 and later reads.

    Parameters
    ----------
    frame : FileFrame
        Frame of the file. QuPath's begins at the scanned part of a slide.
    mpp : float, optional
        If given, measurements in micrometres are added.
    """
    kept = annotation.properties
    properties: dict[str, Any] = {"objectType": "annotation", **kept}
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
        more = kept.get("measurements")
        measured = more if isinstance(more, dict) else {}
        properties["measurements"] = {**measured, **annotation.measures(mpp)}
    signed = {key: getattr(annotation, key) for key in _SIGNED}
    if any(signed.values()):
        metadata = {key: text for key, text in signed.items() if text}
        more = kept.get("metadata")
        properties["metadata"] = {
            **(more if isinstance(more, dict) else {}),
            **metadata,
        }
    geometry = annotation.geometry
    if frame != SLIDE_FRAME:
        geometry = shapely.transform(geometry, frame.of_slide)
    return {
        "type": "Feature",
        "id": annotation.id,
        "geometry": mapping(geometry),
        "properties": properties,
    }


def annotation_of(
    feature: dict[str, Any], *, frame: FileFrame = SLIDE_FRAME
) -> Annotation:
    """Return the annotation that a GeoJSON feature describes.

    Raises
    ------
    AnnotationError
        If it has no usable geometry.
    """
    [result] = annotations_of([feature], frame=frame)
    if isinstance(result, AnnotationError):
        raise result
    return result[0]


def annotations_of(
    features: Sequence[dict[str, Any]], *, frame: FileFrame = SLIDE_FRAME
) -> list[tuple[Annotation, str] | AnnotationError]:
    """Return the annotation of each feature, or an error.

    Returns
    -------
    list
        For each feature, its annotation and a description of repairs, or the error.
    """
    shapes = shapes_of([feature.get("geometry") for feature in features], frame)
    results: list[tuple[Annotation, str] | AnnotationError] = []
    for feature, shape in zip(features, shapes, strict=True):
        problem = shape.problem
        if shape.geometry is not None:
            try:
                values = _values(feature)
                annotation = Annotation.of_normalized(shape.geometry, **values)
            except MISFITS as error:
                problem = f"it is not GeoJSON ({error!r:.200})"
            else:
                results.append((annotation, shape.repaired))
                continue
        what = f"feature {feature.get('id') or ''!s:.100}".strip()
        results.append(AnnotationError(what, problem))
    return results


def new_id(*content: Any) -> str:
    """Return a UUID derived from a content."""
    text = json.dumps(content, sort_keys=True, default=str)
    return str(uuid.uuid5(_NAMES, text))


def _values(feature: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an annotation, except its geometry."""
    properties = feature.get("properties") or {}
    name, colour = _classification(properties.get("classification"))
    metadata = properties.get("metadata")
    signed = metadata if isinstance(metadata, dict) else {}
    own = _colour(properties.get("color", properties.get("colorRGB")))
    if own is None and colour is not None and colour != colour_of(name):
        own = colour
    values = {
        "name": str(properties.get("name") or ""),
        "classification": name,
        "colour": own,
        "locked": properties.get("isLocked") is True,
        "id": _id(feature),
        "properties": _other_properties(properties),
    }
    for key in _SIGNED:
        values[key] = str(signed.get(key) or "")
    return values


def _other_properties(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of a feature that the workbench does not read."""
    kept = {key: value for key, value in properties.items() if key not in _READ}
    if not kept.keys() - _USUAL and kept.get("objectType") in ("annotation", None):
        return {}
    if kept.get("objectType") in ("annotation", None):
        kept.pop("objectType", None)
    measured = kept.pop("measurements", None)
    if isinstance(measured, list):
        measured = {str(each["name"]): each["value"] for each in measured}
    if isinstance(measured, dict):
        measured = {k: v for k, v in measured.items() if not k.startswith(_OURS)}
    if measured:
        kept["measurements"] = measured
    metadata = kept.pop("metadata", None)
    if isinstance(metadata, dict):
        metadata = {k: v for k, v in metadata.items() if k not in _SIGNED}
    if metadata:
        kept["metadata"] = metadata
    if kept and _depth(kept) > _MAX_DEPTH:
        message = f"its properties are nested more than {_MAX_DEPTH} deep"
        raise ValueError(message)
    return kept


def _depth(value: Any) -> int:
    """Return the nesting depth of lists and objects, at most `_MAX_DEPTH` + 1."""
    level, depth = [value], 0
    while level and depth <= _MAX_DEPTH:
        depth += 1
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [
            part
            for each in inner
            for part in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


def _id(feature: dict[str, Any]) -> str:
    text = feature.get("id")
    if text is None:
        return new_id(None, feature["geometry"])
    try:
        return str(uuid.UUID(str(text)))
    except ValueError:
        return new_id(text, feature["geometry"])


def _classification(value: Any) -> tuple[str, Colour | None]:
    """Return the name and the colour of a class, as any QuPath version writes them."""
    if isinstance(value, str):
        return value, None
    if not isinstance(value, dict):
        return "", None
    name = value.get("name") or ": ".join(map(str, value.get("names") or ()))
    return str(name), _colour(value.get("color", value.get("colorRGB")))


def _colour(value: Any) -> Colour | None:
    """Return a colour from three numbers, or from the packed integer of older files."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return (value >> 16) & _BYTE, (value >> 8) & _BYTE, value & _BYTE
    try:
        red, green, blue = (min(_BYTE, max(0, int(part))) for part in value)
    except (TypeError, ValueError, OverflowError):
        return None
    return red, green, blue
