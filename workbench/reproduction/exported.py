"""The content of exported files, for comparison with a second export."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely
import tifffile

from workbench.errors import ProvenanceError
from workbench.features.opening import open_features
from workbench.reproduction.comparison import (
    Comparison,
    Objects,
    Rows,
    compare_objects,
    compare_rasters,
    compare_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_TILE_KEYS: Final = ("minx", "miny", "width", "height")
_NOT_MEASURED: Final = {"id", "class", "geometry", "object", "tile", *_TILE_KEYS}


def comparable(path: Path) -> bool:
    """Return whether the content of a file can be compared with a second export."""
    return _suffix(path) in _READERS


def compare_files(before: Path, now: Path, *, finished: bool = True) -> Comparison:
    """Compare the content of two exports of the same format.

    Raises
    ------
    ProvenanceError
        If the first one cannot be read, or its format cannot be compared.
    """
    suffix = _suffix(before)
    if suffix not in _READERS:
        remedy = f"Replay its run, or one of: {', '.join(_READERS)}."
        raise ProvenanceError(before, "its content cannot be compared", remedy)
    read = _READERS[suffix]
    try:
        old = read(before)
    except Exception as error:  # libraries raise many for damaged files
        reason = f"it cannot be read ({str(error) or type(error).__name__:.200})"
        raise ProvenanceError(before, reason) from error
    new = read(now)
    if isinstance(old, Objects) and isinstance(new, Objects):
        return compare_objects("objects", old, new, finished=finished)
    if isinstance(old, Rows) and isinstance(new, Rows):
        return compare_rows("rows", old, new, finished=finished)
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        names = [f"channel {number}" for number in range(len(old))]
        return compare_rasters(old, new, names, 1.0, finished=finished)
    raise ProvenanceError(before, "it holds another kind of result than its run")


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return next((s for s in _READERS if name.endswith(s)), path.suffix.lower())


def _of_tiff(path: Path) -> NDArray[np.float32]:
    raster = np.asarray(tifffile.imread(path))
    return raster[None] if raster.ndim == 2 else raster  # noqa: PLR2004 - one class


def _of_csv(path: Path) -> Rows:
    return _rows(pd.read_csv(path))


def _of_parquet(path: Path) -> Rows | Objects:
    table = pq.read_table(path)
    if "geometry" in table.column_names:
        frame = table.to_pandas()
        return _objects(
            shapely.from_wkb(frame["geometry"].to_numpy()),
            frame["class"].tolist(),
            {n: frame[n].to_numpy() for n in frame.columns if n not in _NOT_MEASURED},
        )
    vectors = {}
    if "vector" in table.column_names:
        flat = table.column("vector").combine_chunks()
        size = table.schema.field("vector").type.list_size
        vectors["vector"] = flat.flatten().to_numpy().reshape(-1, size)
        table = table.drop_columns(["vector"])
    rows = _rows(table.to_pandas())
    return Rows(rows.keys, {**rows.columns, **vectors})


def _of_features(path: Path) -> Rows:
    features = open_features(path)
    columns: dict[str, NDArray[Any]] = {}
    if features.dimensions:
        columns["vector"] = np.asarray(features.vectors[:])
    if features.scores is not None:
        scores = features.scores
        columns |= {name: scores.column(name) for name in scores.names}
    return Rows(features.boxes.round(3), columns)


def _of_geojson(path: Path) -> Objects:
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    features = json.loads(data)["features"]
    outlines = shapely.from_geojson([json.dumps(each["geometry"]) for each in features])
    properties = [each["properties"] for each in features]
    kinds = [(each.get("classification") or {}).get("name", "") for each in properties]
    measured = [each.get("measurements") or {} for each in properties]
    return _objects(np.asarray(outlines), kinds, _columns(measured))


def _of_coco(path: Path) -> Objects:
    content = json.loads(path.read_text(encoding="utf-8"))
    names = {each["id"]: each["name"] for each in content["categories"]}
    found = content["annotations"]
    rings = [np.reshape(each["segmentation"][0], (-1, 2)) for each in found]
    outlines = np.array([shapely.Polygon(ring) for ring in rings], object)
    measured = [{n: each[n] for n in ("score", "area") if n in each} for each in found]
    kinds = [names[each["category_id"]] for each in found]
    return _objects(outlines, kinds, _columns(measured))


def _objects(
    outlines: NDArray[np.object_],
    classes: Sequence[str],
    columns: Mapping[str, NDArray[Any]],
) -> Objects:
    return Objects(outlines, np.array(list(classes), object), columns)


def _columns(measured: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    names = dict.fromkeys(name for each in measured for name in each)
    return {
        name: np.array([each.get(name, np.nan) for each in measured], float)
        for name in names
    }


def _rows(frame: pd.DataFrame) -> Rows:
    """Return a table whose rows are known by their tile, or by their number."""
    keys = [name for name in _TILE_KEYS if name in frame.columns]
    places = frame[keys] if keys else frame[["x", "y"]]
    columns = {
        name: frame[name].to_numpy()
        for name in frame.columns
        if name not in _NOT_MEASURED and name not in places.columns
    }
    if "class" in frame.columns:
        columns["class"] = frame["class"].to_numpy(object)
    return Rows(places.to_numpy(float), columns)


_READERS: Final[dict[str, Callable[[Path], Rows | Objects | NDArray[np.float32]]]] = {
    ".csv": _of_csv,
    ".geojson": _of_geojson,
    ".geojson.gz": _of_geojson,
    ".coco.json": _of_coco,
    ".parquet": _of_parquet,
    ".h5": _of_features,
    ".zarr": _of_features,
    ".ome.tiff": _of_tiff,
    ".ome.tif": _of_tiff,
}
"""Reader of each suffix."""
