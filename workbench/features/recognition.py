"""Recognizes the layout of a file of features without reading its tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workbench.errors import FeaturesError
from workbench.features.formats import dicom, h5, slide2vec, spatialdata
from workbench.features.h5_file import open_h5

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN: Final = "unknown layout"
_TABLES: Final = "tables"
_COORDINATES: Final = ("coords", ".coordinates.npz")


def recognize(path: Path) -> str:
    """Return the layout of a file, such as "TRIDENT"; empty if there is nothing to see.

    A file of coordinates alone, or a `.zarr` without tables, has nothing to see.
    `UNKNOWN` is returned for a file that is damaged: `open_features` says why.
    """
    match path.suffix.lower():
        case ".h5" | ".hdf5":
            return _layout_of(path)
        case ".zarr":
            return spatialdata.FORMAT if (path / _TABLES).is_dir() else ""
        case ".npz":
            return "" if path.name.endswith(_COORDINATES) else slide2vec.FORMAT
        case ".pt":
            described = slide2vec.metadata_of(path).is_file()
            return slide2vec.FORMAT if described else "vectors"
        case ".csv" | ".parquet":
            return "table"
        case dicom.SUFFIX:
            return dicom.layout_of(path)
        case _:
            return ""


def _layout_of(path: Path) -> str:
    try:
        with open_h5(path) as file:
            if set(file) <= {_COORDINATES[0]}:
                return ""
            found = (layout for layout in h5.LAYOUTS if layout.matches(file))
            return getattr(next(found, None), "FORMAT", UNKNOWN)
    except FeaturesError:
        return UNKNOWN
