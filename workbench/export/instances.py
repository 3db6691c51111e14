"""Exports the instances of a run, in blocks of bounded memory.

Coordinates are stored pixels; for QuPath their origin is the scanned part of the slide
(see `export/geojson.py`).
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from workbench.export.file_frame import scanned_frame, stored_frame
from workbench.export.geojson import NAMES, collection_head, opened
from workbench.provenance.provenance import KEY
from workbench.provenance.runs import provenance_of
from workbench.system.long_work import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.instances.instances import Instances
    from workbench.instances.store import InstanceStore
    from workbench.results.run import Run

_BLOCK: Final = 8192
_DECIMALS: Final = 4


def write_detections(run: Run, path: Path) -> None:
    """Write detections for QuPath, one a line; compressed if the path ends in .gz."""
    store = run.final_instances
    frame = scanned_frame(run)
    whose = f"{run.record['slide']['id']} {run.record['created']} object"
    kinds = [
        {"name": name, "color": list(colour)}
        for name, colour in zip(store.classes, store.palette, strict=True)
    ]
    with opened(path) as file:
        file.write(collection_head(run))
        before = ""
        for ids, found in blocks_of(store):
            facts = _measurements(found)
            for number, ring, kind, fact in zip(
                ids.tolist(),
                rings_of(found),
                found.classes.tolist(),
                facts,
                strict=True,
            ):
                points = frame.of_slide(ring).tolist()
                feature = {
                    "type": "Feature",
                    "id": str(uuid.uuid5(NAMES, f"{whose} {number}")),
                    "geometry": {
                        "type": "Polygon",
                        "coordinates": [[*points, points[0]]],
                    },
                    "properties": {
                        "objectType": "detection",
                        "classification": kinds[kind],
                        "measurements": fact,
                    },
                }
                file.write(f"{before}\n")
                before = ","
                file.write(
                    json.dumps(feature, separators=(",", ":"), ensure_ascii=False)
                )
        file.write("\n]}\n")


def write_geoparquet(run: Run, path: Path) -> None:
    """Write GeoParquet 1.1: class, score, measures, and the outline as `geometry`."""
    store, frame = run.final_instances, stored_frame(run)
    names = np.array(store.classes, object)
    made = provenance_of(run).derive("export")
    columns = {"encoding": "WKB", "geometry_types": ["Polygon"], "crs": None}
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": columns},
    }
    schema = pa.schema(
        [
            ("id", pa.int64()),
            ("class", pa.string()),
            ("score", pa.float32()),
            *((name, pa.float32()) for name in store.measures),
            ("geometry", pa.binary()),
        ],
        metadata={"geo": json.dumps(geo), KEY: made.text},
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for ids, found in blocks_of(store):
            table = {
                "id": ids,
                "class": names[found.classes],
                "score": found.scores,
                **found.measures,
                "geometry": shapely.to_wkb(
                    shapely.transform(found.polygons, frame.of_slide)
                ),
            }
            file.write_table(pa.table(table, schema))


def write_rows(run: Run, path: Path) -> None:
    """Write a table: one row an instance, with its position, score and measures."""
    store, frame = run.final_instances, stored_frame(run)
    with path.open("w", newline="", encoding="utf-8") as file:
        store.rows([]).to_csv(file)
        for ids, _ in blocks_of(store):
            rows = store.rows(ids)
            if frame.scaled:
                rows[["x", "y"]] = frame.of_slide(rows[["x", "y"]].to_numpy())
            rows.to_csv(file, header=False)


def blocks_of(store: InstanceStore) -> Iterator[tuple[NDArray[np.int64], Instances]]:
    """Return ids and instances of a store, in blocks of bounded size."""
    there = np.setdiff1d(np.arange(len(store)), store.gone)
    blocks = (there[at : at + _BLOCK] for at in range(0, len(there), _BLOCK))
    for ids in counted(blocks, len(there), "instances", size=len):
        yield ids, store.take(ids)


def rings_of(found: Instances) -> list[NDArray[np.float32]]:
    """Return the outline of each instance, float32 (P, 2), not closed."""
    return np.split(found.points, found.ends[:-1])


def _measurements(found: Instances) -> Iterator[dict[str, float]]:
    """Return the numeric measurements of each instance; QuPath takes no others."""
    names = ("score", *found.measures)
    columns = np.stack([found.scores, *found.measures.values()]).astype(float)
    for values in columns.T.round(_DECIMALS).tolist():
        yield {
            name: value
            for name, value in zip(names, values, strict=True)
            if np.isfinite(value)
        }
