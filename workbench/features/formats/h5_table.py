"""Any HDF5 file with data sets x and y, or coords, and others of one value a tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h5py

from workbench.features.columns import find_place, from_columns
from workbench.features.h5_file import (
    array,
    attributes,
    coordinates,
    dataset,
    scores_by_tile,
)

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.features.stored import Request, StoredFeatures

FORMAT: Final = "table (HDF5)"


def matches(file: h5py.File) -> bool:
    """Return whether the file has this layout."""
    return "coords" in file or find_place([name.lower() for name in file]) is not None


def read(path: Path, file: h5py.File, _: Request) -> StoredFeatures:
    """Read coordinates and scores."""
    columns = {
        name: array(path, data)
        for name, data in ((name, _column(file, name)) for name in file)
        if data is not None
    }
    corners = columns.pop("coords", None)
    if corners is not None:
        columns["x"], columns["y"] = coordinates(path, file["coords"]).T[:2]
    tiles = max((len(each) for each in columns.values() if each.ndim), default=0)
    flat = {}
    for name, values in columns.items():
        table = scores_by_tile(path, values, tiles)
        many = table.shape[1] > 1
        for number, column in enumerate(table.T, 1):
            flat[f"{name} {number}" if many else name] = column
    return from_columns(path, FORMAT, flat, attributes(file))


def _column(file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return a column of numbers; None for one of text, such as a class."""
    dtype = getattr(file.get(name), "dtype", None)
    text = dtype is not None and h5py.check_string_dtype(dtype) is not None
    return None if text else dataset(file, name)
