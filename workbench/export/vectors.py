"""Exports embeddings as a Parquet table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.export.file_frame import boxes_in, stored_frame
from workbench.provenance.provenance import KEY
from workbench.provenance.runs import provenance_of

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.results.run import Run


def write_parquet(run: Run, path: Path) -> None:
    """Write one row for each tile that has a vector.

    The columns are those of the CSV (minx, miny, width, height in stored pixels), the
    tile's number in the grid, and `vector`, a list of float32 of fixed size. The
    file's metadata name the slide and the model, under "workbench", with what made it.
    """
    found = run.embeddings
    boxes = boxes_in(stored_frame(run), found.boxes)
    size = boxes[:, 2:] - boxes[:, :2]
    flat = pa.array(np.ascontiguousarray(found.vectors).reshape(-1))
    columns = {
        "minx": boxes[:, 0],
        "miny": boxes[:, 1],
        "width": size[:, 0],
        "height": size[:, 1],
        "tile": found.tiles,
        "vector": pa.FixedSizeListArray.from_arrays(flat, run.card.dimensions),
    }
    slide = run.record["slide"]
    about: dict[str, Any] = {
        "model": run.card.name,
        "sha256": run.card.sha256,
        "slide_id": slide["id"],
    }
    about |= {"slide_mpp": slide["mpp"], **provenance_of(run).derive("export").block}
    table = pa.table(columns).replace_schema_metadata({KEY: json.dumps(about)})
    pq.write_table(table, path, compression="zstd")
