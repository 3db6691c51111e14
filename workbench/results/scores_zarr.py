"""Scores on disk, as a Zarr that other programs can read: values, not colours."""

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
    """Write scores beside their place and move them there.

    A kill may leave a folder `path` + ".part", or no scores at all, but no half ones.

    Parameters
    ----------
    path : Path
        Of the folder; one that is there is replaced.
    values : float32 (classes, rows, columns)
        NaN where there is none.
    attributes : mapping
        What the values are, ready for JSON.

    Raises
    ------
    RunFolderError
        If the disk refuses.
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
    """Return the scores, float32 (classes, rows, columns), of a shape that is known.

    Raises
    ------
    OSError, ValueError or KeyError
        If they are not there, or damaged.
    """
    array = zarr.open_array(path, mode="r")
    if shape is not None and array.shape != shape:
        message = f"it has the shape {array.shape}, not {shape}"
        raise ValueError(message)
    return np.asarray(array[:], np.float32)


def part_of(path: Path) -> Path:
    """Return where scores are written before they are moved."""
    return path.with_name(f"{path.name}.part")
