"""Exports instances as SpatialData in the layout of wsidata: shapes and a table.

The slide is referred to by name and id, not copied: `wsidata.open_wsi(SLIDE,
store=PATH)` joins the two. Coordinates are stored pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from workbench.export import spatialdata
from workbench.export.file_frame import stored_frame
from workbench.export.shapes import shapes_of
from workbench.export.stores.coco import image_size

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.export.shapes import Shapes
    from workbench.results.run import Run

NAME: Final = "cells"
"""Name of the shapes, as in wsidata."""


def write_cells(run: Run, path: Path) -> None:
    """Write `shapes/cells` and `tables/MODEL_cells`, a variable for each measure.

    Raises
    ------
    RunError
        If the instances are not final.
    """
    shapes = shapes_of(run, stored_frame(run))
    slide = run.record["slide"]
    width, height = image_size(run, stored_frame(run))
    properties = {
        "shape": [height, width],
        "n_level": 1,
        "level_shape": [[height, width]],
        "level_downsample": [1.0],
        "mpp": slide["mpp"],
        "magnification": None,
        "bounds": [0, 0, width, height],
        "raw": "{}",
    }
    reference = {"slide": slide["name"], "slide_id": slide["id"]}
    facts = {"slide_properties": properties, "workbench": reference}
    root = spatialdata.start_store(path, facts)
    group = root.create_group("shapes")
    spatialdata.start_shapes(group, NAME)
    kinds, values = _write_shapes(shapes, path / "shapes" / NAME / "shapes.parquet")
    tables = root.create_group("tables")
    table = spatialdata.start_table(
        tables,
        f"{run.card.name.replace('/', '-')}_{NAME}",
        len(values),
        shapes.columns,
        region=NAME,
        key="cell_id",
    )
    spatialdata.matrix_of(table, values.shape, values.dtype)[:] = values
    spatialdata.write_categories(table["obs"], "class", kinds, shapes.classes)
    order = [*table["obs"].attrs["column-order"], "class"]
    table["obs"].attrs["column-order"] = order


def _write_shapes(shapes: Shapes, path: Path) -> tuple[Any, Any]:
    """Write the outlines; return their classes, int32 (N,), and numbers, float32."""
    schema = pa.schema(
        [
            ("cell_id", pa.int64()),
            ("prob", pa.float32()),
            ("class", pa.dictionary(pa.int32(), pa.string())),
            ("geometry", pa.binary()),
        ],
        metadata=spatialdata.geo_metadata(),
    )
    names = pa.array(shapes.classes, pa.string())
    kinds: list[Any] = [np.empty(0, np.int32)]
    values: list[Any] = [np.empty((0, len(shapes.columns)), np.float32)]
    number = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for block in shapes.blocks():
            kind = block.classes.astype(np.int32)
            columns = {
                # The index of the shapes, to which the table refers.
                "cell_id": np.arange(number, number + len(block)),
                "prob": np.asarray(block.columns["score"], np.float32),
                "class": pa.DictionaryArray.from_arrays(pa.array(kind), names),
                "geometry": pa.array(shapely.to_wkb(block.polygons), pa.binary()),
            }
            file.write_table(pa.table(columns, schema))
            kinds.append(kind)
            values.append(np.stack([*block.columns.values()], 1).astype(np.float32))
            number += len(block)
    return np.concatenate(kinds), np.concatenate(values)
