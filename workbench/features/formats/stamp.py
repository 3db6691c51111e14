"""STAMP (KatherLab), versions 1 and 2: vectors in HDF5, coordinates in micrometres.

`feats` float16 (N, D), `coords` float32 (N, 2). Version 2.1 has the attribute
`tile_size_um`, 2.0 `tile_size` with `unit`; version 1 has coordinates in which a tile
of 256 µm is 224 long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.features.h5_file import attributes, coordinates, dataset, vectors
from workbench.features.stored import StoredFeatures

if TYPE_CHECKING:
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

    from workbench.features.stored import Request

FORMAT: Final = "STAMP"
_OLD_SIDE: Final = 224
_OLD_UM: Final = 256.0


def matches(file: h5py.File) -> bool:
    """Return whether the file has this layout."""
    return "feats" in file


def read(path: Path, file: h5py.File, _: Request) -> StoredFeatures:
    """Read a file of the vectors of tiles, or of a slide or patient."""
    facts = attributes(file)
    feats, coords = dataset(file, "feats"), dataset(file, "coords")
    rows, slide_vector = vectors(path, feats)
    corners = np.empty((0, 2)) if coords is None else coordinates(path, coords)
    if coords is None and rows.shape[0] == 1:
        rows, slide_vector = rows[:0], rows[:1][0]
    side = _side(facts)
    if side is None and _old_side(facts, corners) == _OLD_SIDE:
        corners, side = corners / _OLD_SIDE * _OLD_UM, _OLD_UM
    pixels = facts.get("tile_size_px")
    return StoredFeatures(
        path=path,
        format=FORMAT,
        corners=corners,
        unit=None if side is None else "um",
        size=side,
        vectors=rows,
        slide_vector=slide_vector,
        encoder=str(facts.get("extractor") or facts.get("encoder") or ""),
        mpp=side / pixels if side and pixels else None,
        attributes=facts,
    )


def _side(facts: dict[str, Any]) -> float | None:
    """Return the side of a tile in micrometres."""
    if "tile_size_um" in facts:
        return float(facts["tile_size_um"])
    return float(facts["tile_size"]) if facts.get("unit") == "um" else None


def _old_side(facts: dict[str, Any], corners: NDArray[Any]) -> int:
    """Return the side of a tile in a file of version 1: stored, or the stride."""
    if "tile_size" in facts:
        return round(float(facts["tile_size"]))
    steps = np.concatenate([np.diff(np.unique(axis)) for axis in corners.T])
    return round(float(steps.min())) if len(steps) else 0
