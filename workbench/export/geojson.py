"""Exports scores as GeoJSON tile objects for QuPath 0.4 and later.

QuPath's parser requires `objectType` inside `properties`, an id that is a UUID, a
colour with each classification, and only numbers in `measurements`; it silently drops
other members. Its origin is the scanned part of a slide (`openslide.bounds-x` and
`-y`), not the corner of level 0, so that offset is subtracted.
"""

from __future__ import annotations

import gzip
import json
import uuid
from typing import TYPE_CHECKING, Any, Final, TextIO

from workbench.export.cells import Cells
from workbench.export.file_frame import boxes_in, scanned_frame
from workbench.provenance.provenance import KEY
from workbench.provenance.runs import provenance_of
from workbench.system.long_work import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.models.card import ModelCard
    from workbench.results.run import Run

NAMES: Final = uuid.UUID("5a1f2ad4-94ad-4c0a-8f2c-3d4ce1f0b7a1")
"""Namespace of the ids: exporting the same run twice gives the same ids."""


_GZIP_LEVEL: Final = 4
"""Level 9 takes ten times as long for files 7 % smaller."""


def write_geojson(run: Run, path: Path) -> None:
    """Write a FeatureCollection, one feature a line; compressed for a .gz path."""
    with opened(path) as file:
        file.write(collection_head(run))
        for number, feature in enumerate(_features(run)):
            file.write(",\n" if number else "\n")
            file.write(json.dumps(feature, separators=(",", ":"), ensure_ascii=False))
        file.write("\n]}\n")


def collection_head(run: Run) -> str:
    """Return the start of a FeatureCollection that says what made it.

    The foreign member (RFC 7946, 6.1) stands first, so that it is found without
    reading the features.
    """
    made = provenance_of(run).derive("export").text
    return f'{{"type":"FeatureCollection","{KEY}":{made},"features":['


def opened(path: Path) -> TextIO:
    """Open a file for writing text; compressed if its name ends in .gz."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "wt", _GZIP_LEVEL, encoding="utf-8")
    return path.open("w", encoding="utf-8")


def _features(run: Run) -> Iterator[dict[str, Any]]:
    cells = Cells.of(run)
    classes = _list_classifications(run)
    whose = f"{run.record['slide']['id']} {run.record['created']}"
    boxes = boxes_in(scanned_frame(run), cells.boxes)
    rows = zip(boxes.tolist(), cells.values, strict=True)
    for (x0, y0, x1, y1), values in counted(rows, len(boxes), "cells"):
        properties: dict[str, Any] = {
            "objectType": "tile",
            "measurements": dict(
                zip(cells.measures, (float(str(v)) for v in values), strict=True)
            ),
        }
        if classes:
            properties["classification"] = classes[int(values.argmax())]
        ring = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
        yield {
            "type": "Feature",
            "id": str(uuid.uuid5(NAMES, f"{whose} {x0} {y0}")),
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": properties,
        }


def has_top_class(card: ModelCard) -> bool:
    """Return whether the class with the highest value means something.

    Measurements are no classes, and a single class would be the highest everywhere.
    """
    return card.task != "measurement" and len(card.classes) > 1


def _list_classifications(run: Run) -> list[dict[str, Any]]:
    """Return QuPath's classification of each class; none if there is no top class."""
    card = run.card
    if not has_top_class(card):
        return []
    return [
        {"name": name, "color": list(colour)}
        for name, colour in zip(card.classes, card.palette, strict=True)
    ]
