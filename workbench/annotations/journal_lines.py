"""Lines of a journal of annotations, named in the provenance of what is made of them.

A line is never changed, so its number and SHA-256 say for good which version of an
annotation was used.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import shapely

from workbench.annotations.geojson_feature import annotations_of
from workbench.area import Area
from workbench.errors import AnnotationError, OutOfBoundsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from workbench.geometry import FileFrame
    from workbench.recipe import Recipe

_OPTIONS: Final = ("region", "tissue_in", "no_tissue_in")
"""Options of a recipe that are areas."""

_MAX_BYTES: Final = 1_000_000_000
"""Size of a journal above which it is not searched."""


def lines_of(journal: Path, ids: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Return the last line of each annotation in a journal.

    Parameters
    ----------
    journal : Path
        File of `Annotations`; it need not exist.
    ids : collection of str, optional
        Annotations to look for; by default all.

    Returns
    -------
    list of dict
        `id`, `journal` (name of the file), `line` (from 1) and `sha256` of its bytes
        without the line end; in the order of the lines.
    """
    return [
        facts for facts, _ in _current(journal) if ids is None or facts["id"] in ids
    ]


def lines_used(recipe: Recipe, journal: Path, frame: FileFrame) -> list[dict[str, Any]]:
    """Return the lines of the annotations whose areas are in a recipe.

    Parameters
    ----------
    recipe : Recipe
    journal : Path
        File of the slide's annotations; it need not exist.
    frame : FileFrame
        Frame of that file: that of the slide's stored pixels.

    Returns
    -------
    list of dict
        As `lines_of`, with the `option` of the recipe that has the area. Areas that
        were drawn elsewhere, or united with others that they overlap, have no line.
    """
    areas = {name: getattr(recipe, name) for name in _OPTIONS}
    polygons = {
        polygon: name
        for name, area in areas.items()
        if area is not None and not isinstance(area[0], int)
        for polygon in shapely.get_parts(Area.of(area).shape)
    }
    if not polygons:
        return []
    found = []
    current = _current(journal)
    features = [line["put"] for _, line in current]
    for (facts, _), each in zip(
        current, annotations_of(features, frame=frame), strict=True
    ):
        if isinstance(each, AnnotationError):
            continue
        used = {polygons[part] for part in _polygons(each[0]) if part in polygons}
        found += [{"option": name, **facts} for name in sorted(used)]
    return found


def _polygons(annotation: Any) -> Iterator[Any]:
    """Yield the polygons of an annotation as `Area` normalizes them."""
    try:
        yield from shapely.get_parts(Area.of(annotation).shape)
    except OutOfBoundsError:  # a point or a line
        return


def _current(journal: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the facts and the content of the lines that are in force."""
    last: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    try:
        if journal.stat().st_size > _MAX_BYTES:
            return []
        with journal.open("rb") as file:
            for number, line in enumerate(file, 1):
                _take(last, journal.name, number, line.rstrip(b"\n"))
    except OSError:
        return []
    return sorted(last.values(), key=lambda each: int(each[0]["line"]))


def _take(last: dict[str, Any], journal: str, number: int, line: bytes) -> None:
    try:
        content = json.loads(line)
        if "delete" in content:
            last.pop(content["delete"], None)
            return
        key = content["put"]["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return  # damaged, or of another kind
    digest = hashlib.sha256(line).hexdigest()
    facts = {"id": key, "journal": journal, "line": number, "sha256": digest}
    last[key] = facts, content
