"""CLAM (mahmoodlab): coordinates, vectors and attention in HDF5.

Files of vectors and of attention have coordinates but no attributes: the size of a
tile is in the file of coordinates, `patches/<slide>.h5`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import FeaturesError
from workbench.features.h5_file import (
    array,
    attributes,
    coordinates,
    dataset,
    open_h5,
    scores_by_tile,
    vectors,
)
from workbench.features.neighbours import find_coordinates
from workbench.features.stored import StoredFeatures

if TYPE_CHECKING:
    from pathlib import Path

    import h5py

    from workbench.features.stored import Request

FORMAT: Final = "CLAM"
_ATTENTION: Final = "attention_scores"
_BARE: Final = {"coords", "features"}
"""Data sets of a file of vectors."""


def matches(file: h5py.File) -> bool:
    """Return whether the file has this layout."""
    if "coords" not in file:
        return False
    facts = getattr(file["coords"], "attrs", ())
    return _ATTENTION in file or "patch_level" in facts or set(file) <= _BARE


def read(path: Path, file: h5py.File, request: Request) -> StoredFeatures:
    """Read a file of coordinates, of vectors, or of attention."""
    coords = dataset(file, "coords")
    if coords is None:
        raise FeaturesError(path, "'coords' is not a data set")
    corners, facts = coordinates(path, coords), attributes(coords)
    stored = StoredFeatures(path=path, format=FORMAT, corners=corners[:, :2])
    if "patch_level" in facts:
        stored = replace(stored, size=_side(facts), slide_size=_slide_size(facts))
        stored = replace(stored, attributes=facts)
    else:
        stored = _with_size(stored, request)
    features, attention = dataset(file, "features"), dataset(file, _ATTENTION)
    if features is not None:
        rows, _ = vectors(path, features)
        stored = replace(stored, vectors=rows)
    if attention is not None:
        values = scores_by_tile(path, array(path, attention), len(corners))
        stored = replace(stored, values=values, names=_names(values.shape[1]))
    return stored


def _names(count: int) -> tuple[str, ...]:
    if count == 1:
        return ("attention",)
    return tuple(f"attention {number + 1}" for number in range(count))


def _with_size(stored: StoredFeatures, request: Request) -> StoredFeatures:
    """Take the size of a tile from the file of coordinates next door."""
    beside = request.coordinates or find_coordinates(stored.path, request)
    if beside is None:
        return stored
    with open_h5(beside) as file:
        coords = dataset(file, "coords")
        if coords is None or "patch_level" not in coords.attrs:
            return stored
        if not np.array_equal(coordinates(beside, coords), stored.corners):
            reason = f"its coordinates differ from those of '{beside}'"
            raise FeaturesError(stored.path, reason, "Extract the vectors again.")
        facts = attributes(coords)
    return replace(
        stored, size=_side(facts), slide_size=_slide_size(facts), attributes=facts
    )


def _side(facts: dict[str, Any]) -> float:
    """Return the side of a tile: the tool reads it at a level of the pyramid."""
    downsample = np.ravel(facts.get("downsample", 1))[0]
    custom = facts.get("custom_downsample", 1)
    return float(facts["patch_size"] * downsample * custom)


def _slide_size(facts: dict[str, Any]) -> tuple[int, int] | None:
    """Return the size of level 0, which the file gives if tiles are of that level."""
    size = facts.get("level_dim")
    if size is None or facts["patch_level"] != 0:
        return None
    return int(size[0]), int(size[1])
