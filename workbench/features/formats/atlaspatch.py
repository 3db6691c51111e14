"""AtlasPatch: vectors of several encoders in one HDF5 file.

`coords` int32 (N, 5): x, y (level 0), width and height as read, and the level that they
were read from; `features/<encoder>` float32 (N, D), and under a name that begins with
"__tmp_" while they are being computed. `patch_size_level0`, `level0_width` and
`level0_height` are attributes of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h5py

from workbench.errors import FeaturesError
from workbench.features.h5_file import attributes, coordinates, dataset, vectors
from workbench.features.rows import NO_ROWS
from workbench.features.stored import StoredFeatures

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.features.rows import Rows
    from workbench.features.stored import Request

FORMAT: Final = "AtlasPatch"
_COLUMNS: Final = 5
_UNFINISHED: Final = "__tmp_"


def matches(file: h5py.File) -> bool:
    """Return whether the file has this layout."""
    shape: tuple[int, ...] = getattr(file.get("coords"), "shape", ())
    return shape[1:] == (_COLUMNS,)


def read(path: Path, file: h5py.File, request: Request) -> StoredFeatures:
    """Read the vectors of one encoder."""
    coords = dataset(file, "coords")
    facts = {**attributes(file), **attributes(coords)}
    encoder, rows = _encoder(path, file, request)
    side = facts.get("patch_size_level0")
    width, height = facts.get("level0_width"), facts.get("level0_height")
    extent: tuple[int, int] | None = None
    if isinstance(width, int) and isinstance(height, int):
        extent = width, height
    return StoredFeatures(
        path=path,
        format=FORMAT,
        corners=coordinates(path, coords)[:, :2],
        size=None if side is None else float(side),
        vectors=rows,
        encoder=encoder,
        slide_size=extent,
        attributes=facts,
    )


def _encoder(path: Path, file: h5py.File, request: Request) -> tuple[str, Rows]:
    """Return the name and the vectors of the wanted or only encoder."""
    group = file.get("features")
    every = sorted(group) if isinstance(group, h5py.Group) else []
    names = [name for name in every if not name.startswith(_UNFINISHED)]
    if not names and request.encoder is None:
        return "", NO_ROWS
    name = request.choose_encoder(path, names)
    found = dataset(file, f"features/{name}")
    if found is None:
        raise FeaturesError(path, f"'features/{name}' is not a data set")
    rows, _ = vectors(path, found)
    return name, rows
