"""Exports shapes as a GeoPackage 1.3, with sqlite3 alone.

Coordinates are stored pixels of the slide, y down, in the undefined Cartesian system
(srs_id -1); a geographic program therefore shows the slide upside down.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from workbench.export.file_frame import stored_frame
from workbench.export.shapes import shapes_of
from workbench.export.stores.sqlite_file import writing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.export.shapes import ShapeBlock, Shapes
    from workbench.results.run import Run

_SRS: Final = -1
"""Undefined Cartesian coordinate system."""

_HEAD: Final = struct.Struct("<2sBBi4d")
_ENVELOPE: Final = 0b11
"""Flags of a geometry: little-endian, with an envelope of x and y."""

_SCHEMA: Final = """
PRAGMA application_id = 1196444487;
PRAGMA user_version = 10300;
CREATE TABLE gpkg_spatial_ref_sys (
    srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
    organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL,
    description TEXT);
INSERT INTO gpkg_spatial_ref_sys VALUES
    ('Undefined Cartesian', -1, 'NONE', -1, 'undefined', 'pixels of the slide, y down'),
    ('Undefined geographic', 0, 'NONE', 0, 'undefined', NULL),
    ('WGS 84', 4326, 'EPSG', 4326,
     'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
     || 'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]', NULL);
CREATE TABLE gpkg_contents (
    table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,
    identifier TEXT UNIQUE, description TEXT DEFAULT '',
    last_change DATETIME NOT NULL, min_x DOUBLE, min_y DOUBLE, max_x DOUBLE,
    max_y DOUBLE, srs_id INTEGER REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
    table_name TEXT NOT NULL UNIQUE REFERENCES gpkg_contents(table_name),
    column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
    srs_id INTEGER NOT NULL REFERENCES gpkg_spatial_ref_sys(srs_id),
    z TINYINT NOT NULL, m TINYINT NOT NULL,
    CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name));
CREATE TABLE gpkg_extensions (
    table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL,
    definition TEXT NOT NULL, scope TEXT NOT NULL,
    CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
"""

_TRIGGERS: Final = """
CREATE TRIGGER "rtree_{t}_geom_insert" AFTER INSERT ON "{t}"
WHEN (new.geom NOT NULL AND NOT ST_IsEmpty(new.geom)) BEGIN
    INSERT OR REPLACE INTO "rtree_{t}_geom" VALUES (new.fid, ST_MinX(new.geom),
        ST_MaxX(new.geom), ST_MinY(new.geom), ST_MaxY(new.geom)); END;
CREATE TRIGGER "rtree_{t}_geom_update" AFTER UPDATE ON "{t}"
BEGIN
    DELETE FROM "rtree_{t}_geom" WHERE id = old.fid;
    INSERT OR REPLACE INTO "rtree_{t}_geom" SELECT new.fid, ST_MinX(new.geom),
        ST_MaxX(new.geom), ST_MinY(new.geom), ST_MaxY(new.geom)
        WHERE new.geom NOT NULL AND NOT ST_IsEmpty(new.geom); END;
CREATE TRIGGER "rtree_{t}_geom_delete" AFTER DELETE ON "{t}" WHEN old.geom NOT NULL
BEGIN DELETE FROM "rtree_{t}_geom" WHERE id = old.fid; END;
"""
"""Keep the spatial index when a geographic program edits the table."""


def write_geopackage(run: Run, path: Path) -> None:
    """Write a `.gpkg` file with one layer, "instances" or "cells", and an index.

    Raises
    ------
    RunError
        If the instances are not final, or SQLite has no R*Tree.
    """
    shapes = shapes_of(run, stored_frame(run))
    layer = f"{shapes.kind}s"
    names = _column_names(shapes.columns)
    columns = "".join(f', "{name}" DOUBLE' for name in names)
    schema = (
        f'{_SCHEMA} CREATE TABLE "{layer}" (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT'
        f" NULL, geom POLYGON, class TEXT{columns});"
        f'CREATE VIRTUAL TABLE "rtree_{layer}_geom"'
        " USING rtree(id, minx, maxx, miny, maxy);"
    )
    with writing(path, schema, _TRIGGERS.format(t=layer)) as file:
        extent = np.array([np.inf, np.inf, -np.inf, -np.inf])
        marks = ", ".join("?" * (3 + len(names)))
        for block in shapes.blocks():
            bounds = shapely.bounds(block.polygons)
            extent[:2] = np.minimum(extent[:2], bounds[:, :2].min(0))
            extent[2:] = np.maximum(extent[2:], bounds[:, 2:].max(0))
            rows = _rows(block, shapes, bounds)
            file.executemany(f'INSERT INTO "{layer}" VALUES ({marks})', rows)  # noqa: S608 - names of ours
            sides = bounds[:, [0, 2, 1, 3]].tolist()
            numbered = zip((block.ids + 1).tolist(), sides, strict=True)
            file.executemany(
                f'INSERT INTO "rtree_{layer}_geom" VALUES (?, ?, ?, ?, ?)',  # noqa: S608 - as above
                ((number, *side) for number, side in numbered),
            )
        _describe(file, layer, extent if np.isfinite(extent).all() else None, run)


def _describe(file: sqlite3.Connection, layer: str, extent: Any, run: Run) -> None:
    """Fill the tables that say what the layer is."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    what = f"{run.card.name} on {run.record['slide']['name']}"
    box = (None,) * 4 if extent is None else tuple(extent.tolist())
    file.execute(
        "INSERT INTO gpkg_contents VALUES (?, 'features', ?, ?, ?, ?, ?, ?, ?, ?)",
        (layer, layer, what, now, *box, _SRS),
    )
    file.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'POLYGON', ?, 0, 0)",
        (layer, _SRS),
    )
    file.execute(
        "INSERT INTO gpkg_extensions VALUES (?, 'geom', 'gpkg_rtree_index',"
        " 'http://www.geopackage.org/spec120/#extension_rtree', 'write-only')",
        (layer,),
    )


def _column_names(names: tuple[str, ...]) -> list[str]:
    """Return names of columns that SQL takes and that differ also in lower case."""
    taken = {"fid", "geom", "class"}
    found = []
    for name in names:
        plain = name.replace('"', "'")
        other = plain
        number = 1
        while other.lower() in taken:
            number += 1
            other = f"{plain}_{number}"
        taken.add(other.lower())
        found.append(other)
    return found


def _rows(block: ShapeBlock, shapes: Shapes, bounds: Any) -> Iterator[tuple[Any, ...]]:
    numbers = np.stack([np.asarray(c, float) for c in block.columns.values()], 1)
    sides = bounds[:, [0, 2, 1, 3]].tolist()
    wkb = shapely.to_wkb(block.polygons)
    for i, values in enumerate(numbers.tolist()):
        kind = block.classes[i]
        head = _HEAD.pack(b"GP", 0, _ENVELOPE, _SRS, *sides[i])
        name = shapes.classes[kind] if kind >= 0 else None
        yield (int(block.ids[i]) + 1, head + wkb[i], name, *values)
