"""What QuPath 0.4 to 0.6 makes of a GeoJSON file, by the rules of its parser.

Our own statement of them: `read_objects` returns the objects as QuPath has them, raises
where its import fails, and lists what it drops or changes without a word.
"""

from __future__ import annotations

import gzip
import json
import math
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("annotation", "detection", "cell", "tile", "tmaCore", "root")
READ = {
    *("objectType", "name", "color", "colorRGB", "classification", "isLocked"),
    *("isMissing", "measurements", "metadata", "childObjects"),
}
SUFFIXES = (".json", ".geojson", ".gz", ".zip")


class RefusedError(Exception):
    """QuPath's import fails."""


@dataclass
class QuPathObject:
    """An object as QuPath has it."""

    kind: str
    classification: str | None
    colour: tuple[int, ...] | None
    measurements: dict[str, float]
    name: str | None
    points: list
    lost: list[str] = field(default_factory=list)
    """What was dropped, replaced or guessed."""


def read_objects(path: Path) -> list[QuPathObject]:
    """Return the objects that QuPath reads from a file."""
    if not path.name.lower().endswith(SUFFIXES):
        message = f"{path.name}: QuPath takes {', '.join(SUFFIXES)}"
        raise RefusedError(message)
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        content = json.load(file)
    whole = isinstance(content, dict) and content.get("type") == "FeatureCollection"
    features = content["features"] if whole else content
    return [
        _object(each)
        for each in (features if isinstance(features, list) else [features])
    ]


def _object(feature: dict) -> QuPathObject:
    properties = feature.get("properties") or {}
    lost = [
        f"member '{key}' of the feature"
        for key in feature.keys()
        - {
            *("type", "id", "geometry", "properties", "nucleusGeometry", "bbox"),
        }
    ]
    lost += [f"property '{key}'" for key in properties.keys() - READ]
    kind = properties.get("objectType") or properties.get("object_type")
    if kind is None and "type" in properties:
        kind = properties["type"]  # an alias of the kind
    if kind not in KINDS:
        lost.append(f"kind {kind!r}: an annotation is made")
        kind = "annotation"
    try:
        uuid.UUID(str(feature.get("id")))
    except ValueError:
        lost.append(f"id {feature.get('id')!r}")
    name, colour = _classification(properties.get("classification"))
    return QuPathObject(
        kind,
        name,
        colour,
        _measurements(properties.get("measurements"), lost),
        properties.get("name"),
        _points(feature.get("geometry")),
        lost,
    )


def _classification(value) -> tuple[str | None, tuple[int, ...] | None]:
    if value is None or isinstance(value, str):
        return value, None
    names = value.get("names") or [value.get("name")]
    colour = value.get("color") or value.get("colorRGB")
    if not all(names) or colour is None:
        message = f"Unable to parse PathClass from {value}"
        raise RefusedError(message)
    if isinstance(colour, list) and not (
        len(colour) == 3 and all(isinstance(c, int) and 0 <= c <= 255 for c in colour)
    ):
        message = f"{colour} is no colour"
        raise RefusedError(message)
    return ": ".join(names), tuple(colour) if isinstance(colour, list) else (colour,)


def _measurements(value, lost: list[str]) -> dict[str, float]:
    pairs = value or {}
    if isinstance(pairs, list):  # before 0.4
        pairs = {each["name"]: each["value"] for each in pairs}
    read = {}
    for name, number in pairs.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            lost.append(f"measurement '{name}'")
        elif math.isfinite(number):
            read[name] = float(number)
    return read


def _points(geometry) -> list:
    if not isinstance(geometry, dict) or "coordinates" not in geometry:
        message = "a geometry without coordinates"
        raise RefusedError(message)
    return geometry["coordinates"]
