"""Scores as a Zarr array that other programs can read: values, not colours."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import zarr

from workbench.system.atomic_files import disk_errors, replace_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_CHUNK: Final = 512


def write_scores(
    path: Path, values: NDArray[np.float32], attributes: Mapping[str, Any]
) -> None:
    """Write scores to a temporary folder and move it into place.

    A kill may leave a folder `path` + ".part", or no scores, but never partial ones.

    Parameters
    ----------
    path : Path
        Folder of the array; an existing one is replaced.
    values : float32 (classes, rows, columns)
        NaN where there is no value.
    attributes : mapping
        Description of the values, ready for JSON.

    Raises
    ------
    RunFolderError
        If writing fails.
    """
    part = part_of(path)
    with disk_errors(part):
        shutil.rmtree(part, ignore_errors=True)
        array = zarr.create_array(
            store=part,
            shape=values.shape,
            dtype="float32",
            chunks=tuple(max(1, min(n, _CHUNK)) for n in values.shape),
            fill_value=np.nan,
            dimension_names=("class", "row", "column"),
            attributes=dict(attributes),
        )
        array[:] = values
    replace_folder(part, path)


def read_scores(
    path: Path, shape: tuple[int, ...] | None = None
) -> NDArray[np.float32]:
    """Return the scores, float32 (classes, rows, columns), and check their shape.

    Raises
    ------
    OSError, ValueError or KeyError
        If they are missing or damaged.
    """
    array = zarr.open_array(path, mode="r")
    if shape is not None and array.shape != shape:
        message = f"it has the shape {array.shape}, not {shape}"
        raise ValueError(message)
    return np.asarray(array[:], np.float32)


def part_of(path: Path) -> Path:
    """Return the temporary folder for `path`."""
    return path.with_name(f"{path.name}.part")
