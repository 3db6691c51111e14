"""Exports shapes as an annotation store of TIAToolbox (`SQLiteStore`).

Written with sqlite3 alone, in the schema of version 1.0.1, as TIAToolbox's viewer
expects it: `type` in the properties is the class that it colours and filters by.
Coordinates are stored pixels of the slide.
"""

from __future__ import annotations

import json
import uuid
import zlib
from typing import TYPE_CHECKING, Any, Final

import shapely

from workbench.export.file_frame import stored_frame
from workbench.export.geojson import NAMES
from workbench.export.shapes import shapes_of
from workbench.export.stores.sqlite_file import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.export.shapes import ShapeBlock, Shapes
    from workbench.results.run import Run

_LEVEL: Final = 1
"""Level of zlib: higher ones take longer, and save 4 %."""

_SCHEMA: Final = """
CREATE TABLE metadata (key TEXT UNIQUE, value TEXT);
CREATE VIRTUAL TABLE rtree USING rtree(id, min_x, max_x, min_y, max_y);
CREATE TABLE annotations (
    id INTEGER PRIMARY KEY,
    key TEXT UNIQUE,
    objtype TEXT,
    cx FLOAT NOT NULL,
    cy FLOAT NOT NULL,
    geometry BLOB,
    properties TEXT,
    area FLOAT NOT NULL
);
"""
_INDEX: Final = """
CREATE INDEX "class" ON annotations(json_extract(properties, '$."type"'));
CREATE INDEX "area" ON annotations(area);
"""


def write_tiatoolbox(run: Run, path: Path) -> None:
    """Write a `.db` file: one row for each instance or cell.

    Raises
    ------
    RunError
        If the instances are not final, or SQLite has no R*Tree.
    """
    shapes = shapes_of(run, stored_frame(run))
    whose = f"{run.record['slide']['id']} {run.record['created']} {shapes.kind}"
    facts = {"version": "1.0.1", "compression": "zlib", "compression_level": _LEVEL}
    with writing(path, _SCHEMA, _INDEX) as file:
        pairs = [(key, json.dumps(value)) for key, value in facts.items()]
        file.executemany("INSERT INTO metadata VALUES (?, ?)", pairs)
        for block in shapes.blocks():
            rows = _rows(block, shapes, whose)
            file.executemany(
                "INSERT INTO annotations VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            boxes = shapely.bounds(block.polygons)[:, [0, 2, 1, 3]].tolist()
            numbered = zip((block.ids + 1).tolist(), boxes, strict=True)
            file.executemany(
                "INSERT INTO rtree VALUES (?, ?, ?, ?, ?)",
                ((number, *box) for number, box in numbered),
            )


def _rows(block: ShapeBlock, shapes: Shapes, whose: str) -> Iterator[tuple[Any, ...]]:
    centres = shapely.get_coordinates(shapely.centroid(block.polygons)).tolist()
    areas = shapely.area(block.polygons).tolist()
    wkb = shapely.to_wkb(block.polygons)
    for i, (number, fact) in enumerate(
        zip(block.ids.tolist(), block.records(), strict=True)
    ):
        kind = block.classes[i]
        name = {"type": shapes.classes[kind]} if kind >= 0 else {}
        if "score" in fact:
            fact = {"prob": fact["score"], **fact}  # noqa: PLW2901 - their name for it
        yield (
            number + 1,
            str(uuid.uuid5(NAMES, f"{whose} {number}")),
            "Polygon",
            *centres[i],
            zlib.compress(wkb[i], _LEVEL),
            json.dumps({**name, **fact}, separators=(",", ":")),
            areas[i],
        )
