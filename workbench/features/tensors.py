"""Reads arrays from files of PyTorch without running code of theirs."""

from __future__ import annotations

import pickle
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import FeaturesError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_SAVE_TENSOR = "Save the bare tensor with torch.save, or open the tool's HDF5 file."


def read_tensor(path: Path) -> NDArray[Any]:
    """Return the tensor or NumPy array in a `.pt` file, memory-mapped if it can be.

    Raises
    ------
    FeaturesError
        If the file is damaged, holds another object, or would run code.
    """
    import torch  # noqa: PLC0415 - slow, for this only

    with torch.serialization.safe_globals(_of_numpy()):
        try:
            found = torch.load(
                path,
                map_location="cpu",
                weights_only=True,
                mmap=zipfile.is_zipfile(path),
            )
        except pickle.UnpicklingError as error:
            reason = "it was not loaded: it holds objects that can run code"
            raise FeaturesError(path, reason, _SAVE_TENSOR) from error
        except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
            reason = f"it is damaged or was not written completely ({error})"
            raise FeaturesError(path, reason) from error
    if isinstance(found, torch.Tensor):
        # NumPy has no bfloat16; all its values are values of float32.
        narrow = found.dtype == torch.bfloat16
        found = (found.float() if narrow else found).detach().numpy()
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "iuf":
        what = getattr(found, "dtype", type(found).__name__)
        reason = f"it holds a {what}, not a tensor of numbers"
        raise FeaturesError(path, reason, _SAVE_TENSOR)
    return found


def _of_numpy() -> list[Any]:
    """Return what an array needs to be unpickled: none of it runs code of the file."""
    rebuild = np._core.multiarray._reconstruct  # type: ignore[attr-defined] # noqa: SLF001
    kinds = ("float16", "float32", "float64", "int32", "int64")
    return [
        (rebuild, "numpy._core.multiarray._reconstruct"),
        (rebuild, "numpy.core.multiarray._reconstruct"),
        *(np.ndarray, np.dtype),
        *(type(np.dtype(kind)) for kind in kinds),
    ]
