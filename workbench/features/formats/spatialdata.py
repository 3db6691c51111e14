"""SpatialData in wsidata's layout (LazySlide): a Zarr store, read without an extra.

`shapes/<tiles>/shapes.parquet` has the box of each tile as a geometry, and
`tables/<encoder>_<tiles>` is an AnnData with the vectors in `X`. A table whose
variables have names, such as prompts or classes, holds scores.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.parquet as pq
import shapely
import zarr

from workbench.errors import FeaturesError, WorkbenchError
from workbench.features.stored import StoredFeatures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.features.stored import Request

FORMAT: Final = "SpatialData"
_ENCODING: Final = "encoding-type"


def read(path: Path, request: Request) -> StoredFeatures:
    """Read one table of tiles, and the shapes that it annotates."""
    _require_own_content(path, request)
    try:
        root = zarr.open_group(path, mode="r")
        tables = _tables(root)
        if not tables and request.encoder is None:
            corners, size, _ = _shapes(path, "tiles")
            return StoredFeatures(path=path, format=FORMAT, corners=corners, size=size)
        name = request.choose_encoder(path, sorted(tables))
        return _read_table(path, root, tables[name], name)
    except WorkbenchError:
        raise
    except Exception as error:  # zarr and its codecs raise many
        reason = (
            f"it is damaged or has another layout ({type(error).__name__}: {error})"
        )
        raise FeaturesError(path, reason) from error


def _require_own_content(path: Path, request: Request) -> None:
    """Refuse a store with a link that leaves the folder of the request."""
    if request.within is None:
        return
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            inner = Path(folder, name)
            if inner.is_symlink() and not request.allows(inner):
                reason = f"'{name}' in it is a link to another place"
                raise FeaturesError(path, reason, "Copy the store with its content.")


def _tables(root: zarr.Group) -> dict[str, zarr.Group]:
    """Return the tables of tiles, by the name of their encoder."""
    found = {}
    for name, table in root["tables"].groups() if "tables" in root else ():
        region = table.attrs.get("region")
        if "X" in table and isinstance(region, str):
            found[name.removesuffix(f"_{region}")] = table
    return found


def _read_table(
    path: Path, root: zarr.Group, table: zarr.Group, name: str
) -> StoredFeatures:
    region, key = str(table.attrs["region"]), str(table.attrs["instance_key"])
    corners, size, index = _shapes(path, region)
    rows = _rows(path, index, np.asarray(table["obs"][key][:]))
    spec = (root.attrs.get("tile_spec") or {}).get(region) or {}
    properties = dict(root.attrs.get("slide_properties") or {})
    height, width = properties.get("shape") or (0, 0)
    return StoredFeatures(
        path=path,
        format=FORMAT,
        corners=corners[rows],
        size=size[rows],
        encoder=name,
        mpp=spec.get("mpp"),
        slide_size=(width, height) if width else None,
        attributes={"tile_spec": spec, **properties},
        **_content(path, table, name),
    )


def _content(path: Path, table: zarr.Group, name: str) -> dict[str, Any]:
    """Return vectors, or scores if the variables of the table have names."""
    data, var = table["X"], table["var"]
    if not isinstance(data, zarr.Array):
        reason = f"'X' of '{name}' is a {data.attrs.get(_ENCODING)}, not an array"
        raise FeaturesError(path, reason, "Store it dense.")
    index = var[var.attrs.get("_index", "_index")]
    # From anndata 0.13 on, texts are a group of values and a mask.
    values = index["values"] if isinstance(index, zarr.Group) else index
    names = [str(each) for each in values[:]]
    if all(each.isdigit() for each in names):
        return {"vectors": _ZarrRows(path, data)}
    return {"names": tuple(names), "values": np.asarray(data[:], np.float64)}


class _ZarrRows:
    """Rows of a Zarr array, whose codecs raise many errors."""

    def __init__(self, path: Path, array: zarr.Array) -> None:
        self.shape: tuple[int, ...] = array.shape
        self.dtype: np.dtype[Any] = array.dtype
        self._path, self._array = path, array

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[Any]:
        try:
            return np.asarray(self._array[rows])
        except Exception as error:
            reason = f"rows of its vectors cannot be read ({error})"
            raise FeaturesError(self._path, reason) from error


def _shapes(
    path: Path, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]:
    """Return corner, size and index of the tiles, from the bounds of their geometry."""
    if Path(name).name != name:
        raise FeaturesError(path, f"'{name}' is no name of shapes")
    table = pq.read_table(path / "shapes" / name / "shapes.parquet")
    geometries = shapely.from_wkb(
        table.column("geometry").to_numpy(zero_copy_only=False)
    )
    bounds = shapely.bounds(geometries).reshape(-1, 4)
    described = (table.schema.pandas_metadata or {}).get("index_columns", [])
    index = np.arange(len(bounds))
    if described and isinstance(described[0], str):
        index = np.asarray(table.column(described[0]).to_numpy())
    elif described:
        index = described[0]["start"] + index * described[0]["step"]
    return bounds[:, :2], bounds[:, 2:] - bounds[:, :2], index


def _rows(path: Path, index: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.intp]:
    """Return the row of the shapes of each row of a table."""
    order = np.argsort(index, kind="stable")
    found = np.searchsorted(index[order], wanted).clip(max=max(0, len(order) - 1))
    rows: NDArray[np.intp] = order[found]
    if len(wanted) and (not len(index) or (index[rows] != wanted).any()):
        raise FeaturesError(path, "its table names tiles that its shapes do not have")
    return rows
