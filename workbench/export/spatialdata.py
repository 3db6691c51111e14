"""Writes features as SpatialData in the layout of wsidata (LazySlide).

The store is written with zarr and pyarrow alone: SpatialData container 0.2 on Zarr 3,
shapes 0.3, tables 0.2, AnnData 0.1.0.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import zarr

from workbench.features.rows import counted_groups

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.features.features import Features

_TILES: Final = "tiles"
_CHUNK_ROWS: Final = 4096
_AXES: Final = [{"name": axis, "type": "space", "unit": "unit"} for axis in "xy"]
_IDENTITY: Final = {
    "type": "identity",
    "input": {"name": "xy", "axes": _AXES},
    "output": {"name": "global", "axes": _AXES},
}


def write_spatialdata(features: Features, path: Path) -> None:
    """Write a `.zarr` store: the tiles as shapes, vectors and scores as tables.

    The table of vectors is called after the encoder, that of scores `scores_tiles`
    with a variable for each score.
    """
    root = start_store(path, slide_facts(features))
    boxes = features.stored_boxes()
    _write_shapes(root.create_group("shapes"), path / "shapes", boxes)
    tables = root.create_group("tables")
    if features.dimensions:
        name = f"{(features.encoder or 'features').replace('/', '-')}_{_TILES}"
        names = [str(number) for number in range(features.dimensions)]
        table = start_table(tables, name, len(features), names)
        data = matrix_of(table, features.vectors.shape, features.vectors.dtype)
        for start, group in counted_groups(features.vectors):
            data[start : start + len(group)] = group
    if features.scores is not None:
        values = features.scores.values
        name = f"scores_{_TILES}"
        table = start_table(tables, name, len(features), features.scores.names)
        matrix_of(table, values.shape, values.dtype)[:] = values


def slide_facts(features: Features) -> dict[str, Any]:
    """Return wsidata's properties of the slide and its specification of the tiles."""
    facts: dict[str, Any] = {}
    if features.slide_size is not None:
        width, height = features.slide_size
        facts["slide_properties"] = {
            "shape": [height, width],
            "n_level": 1,
            "level_shape": [[height, width]],
            "level_downsample": [1.0],
            "mpp": features.slide_mpp,
            "magnification": None,
            "bounds": [0, 0, width, height],
            "raw": "{}",
        }
    boxes = features.stored_boxes()
    sides = np.unique((boxes[:, 2:] - boxes[:, :2]).round(3))
    if len(sides) == 1:
        facts["tile_spec"] = {_TILES: _tile_spec(features, float(sides[0]))}
    return facts


def _tile_spec(features: Features, side: float) -> dict[str, Any]:
    known = features.slide_mpp is not None and features.mpp is not None
    downsample = features.mpp / features.slide_mpp if known else 1.0  # type: ignore[operator]
    pixels = round(side / downsample)
    return {
        "height": pixels,
        "width": pixels,
        "stride_height": pixels,
        "stride_width": pixels,
        "mpp": features.mpp if known else None,
        "ops_level": 0,
        "ops_downsample": downsample,
        "base_level": 0,
        "base_downsample": side / pixels,
        "tissue_name": None,
    }


def start_shapes(group: zarr.Group, name: str) -> None:
    """Add a group of shapes; their Parquet file is written by the caller."""
    shapes = group.create_group(name)
    shapes.attrs.update(
        {
            "encoding-type": "ngff:shapes",
            "axes": ["x", "y"],
            "coordinateTransformations": [_IDENTITY],
            "spatialdata_attrs": {"version": "0.3"},
        }
    )


def start_store(path: Path, facts: dict[str, Any]) -> zarr.Group:
    """Return the root of a new store with its attributes."""
    root = zarr.open_group(path, mode="w", zarr_format=3)
    attributes = {"version": "0.2", "spatialdata_software_version": "0.7.3"}
    root.attrs.update({"spatialdata_attrs": attributes, **facts})
    return root


def geo_metadata() -> dict[str, str]:
    """Return the metadata of a Parquet file with polygons as WKB in `geometry`."""
    column = {"encoding": "WKB", "crs": None, "geometry_types": ["Polygon"]}
    about = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": column},
    }
    return {"geo": json.dumps(about)}


def _write_shapes(group: zarr.Group, folder: Path, boxes: NDArray[np.float64]) -> None:
    start_shapes(group, _TILES)
    columns = {
        "tile_id": np.arange(len(boxes)),
        "x": boxes[:, 0],
        "y": boxes[:, 1],
        "tissue_id": np.zeros(len(boxes), np.int64),
        "geometry": pa.array(shapely.to_wkb(shapely.box(*boxes.T)), pa.binary()),
    }
    table = pa.table(columns).replace_schema_metadata(geo_metadata())
    pq.write_table(table, folder / _TILES / "shapes.parquet", compression="zstd")


def start_table(
    tables: zarr.Group,
    name: str,
    rows: int,
    variables: Sequence[str],
    *,
    region: str = _TILES,
    key: str = "tile_id",
) -> zarr.Group:
    """Write an AnnData table without its `X`: a row for each shape of a region.

    Parameters
    ----------
    tables : zarr.Group
    name : str
        Name of the table.
    rows : int
        Number of rows.
    variables : sequence of str
        Names of the columns of `X`.
    region : str
        Name of the shapes.
    key : str
        Column of `obs` with the number of each shape.
    """
    where = {"region": region, "region_key": "library_id", "instance_key": key}
    table = tables.create_group(name)
    table.attrs.update(
        {
            **encoding_of("anndata", "0.1.0"),
            "spatialdata-encoding-type": "ngff:regions_table",
            "version": "0.2",
            **where,
        }
    )
    numbers = np.arange(rows)
    columns = [key, "library_id"]
    obs = _frame(table, "obs", [str(number) for number in numbers], columns)
    obs.create_array(key, data=numbers).attrs.update(encoding_of("array", "0.2.0"))
    write_categories(obs, "library_id", np.zeros(rows, np.int8), [region])
    _frame(table, "var", variables, [])
    for part in ("layers", "obsm", "obsp", "varm", "varp", "uns"):
        table.create_group(part).attrs.update(encoding_of("dict", "0.1.0"))
    attributes = table["uns"].create_group("spatialdata_attrs")
    attributes.attrs.update(encoding_of("dict", "0.1.0"))
    for field, value in where.items():
        text = attributes.create_array(field, shape=(), dtype="string")
        text[...] = value
        text.attrs.update(encoding_of("string", "0.2.0"))
    return table


def write_categories(
    group: zarr.Group, name: str, codes: NDArray[Any], categories: Sequence[str]
) -> None:
    """Write a column of categories, given by their numbers."""
    column = group.create_group(name)
    column.attrs.update({**encoding_of("categorical", "0.2.0"), "ordered": False})
    written = column.create_array("codes", data=codes)
    written.attrs.update(encoding_of("array", "0.2.0"))
    write_strings(column, "categories", categories)


def _frame(
    table: zarr.Group, name: str, index: Sequence[str], columns: list[str]
) -> zarr.Group:
    frame = table.create_group(name)
    order = {"column-order": columns, "_index": "_index"}
    frame.attrs.update({**encoding_of("dataframe", "0.2.0"), **order})
    write_strings(frame, "_index", index)
    return frame


def write_strings(group: zarr.Group, name: str, values: Sequence[str]) -> None:
    """Write a column of text."""
    array = group.create_array(name, shape=(len(values),), dtype="string")
    array[:] = np.array(values, object)
    array.attrs.update(encoding_of("string-array", "0.2.0"))


def matrix_of(
    table: zarr.Group, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> zarr.Array:
    """Return the empty `X` of a table, whose rows the caller writes."""
    chunks = (max(1, min(_CHUNK_ROWS, shape[0])), max(1, shape[1]))
    array = table.create_array("X", shape=shape, dtype=dtype, chunks=chunks)
    array.attrs.update(encoding_of("array", "0.2.0"))
    return array


def encoding_of(kind: str, version: str) -> dict[str, str]:
    """Return AnnData's attributes of an element."""
    return {"encoding-type": kind, "encoding-version": version}
