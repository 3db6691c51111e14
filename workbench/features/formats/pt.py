"""A bare tensor (N, D) in a `.pt` file, with its coordinates in a file beside it.

CLAM's `pt_files` and TRIDENT's `.pt`; that of slide2vec has a file of metadata.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.errors import FeaturesError, UnplacedTilesError
from workbench.features.formats.h5 import read_h5
from workbench.features.neighbours import find_coordinates
from workbench.features.stored import Request, StoredFeatures
from workbench.features.tensors import read_tensor

if TYPE_CHECKING:
    from pathlib import Path

_AXES = 2


def read(path: Path, request: Request) -> StoredFeatures:
    """Read the tensor, and the coordinates from the file beside it."""
    tensor = read_tensor(path)
    if tensor.ndim == 1:
        vector = tensor if tensor.size else None
        return StoredFeatures(path=path, format="bare tensor", slide_vector=vector)
    if tensor.ndim != _AXES:
        reason = f"its tensor has the shape {tensor.shape}, not (tiles, dimensions)"
        raise FeaturesError(path, reason)
    beside = request.coordinates or find_coordinates(path, request)
    if beside is None:
        missing = "it holds vectors only, and no file of coordinates lies beside it"
        remedy = "Give that file: coordinates='patches/slide.h5', or --coordinates."
        error = UnplacedTilesError(path, missing, remedy)
        raise error.asking(needed="coordinates")
    stored = read_h5(beside, Request())
    return replace(stored, path=path, vectors=tensor)
