"""Label images: whole numbers in a file, and their values in the pixels of a box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.geometry import Box


def read_raster(file: Path) -> NDArray[np.int32]:
    """Return a label image of whole numbers from 0: .npy, PNG or TIFF, int32 (H, W).

    Raises
    ------
    TrainingError
        If it cannot be read as one.
    """
    try:
        values = _read(file)
    except (OSError, ValueError) as error:
        message = f"'{file}' cannot be read as a label image: {error}."
        raise TrainingError(message, "Give .npy, PNG or TIFF.") from error
    lowest = values.min(initial=0)
    if values.ndim != 2 or lowest < 0:  # noqa: PLR2004 - rows and columns
        found = f"value {lowest}" if lowest < 0 else f"shape {values.shape}"
        message = f"'{file}' is no label image: {found}."
        raise TrainingError(message, "Give one whole number from 0 for each pixel.")
    return values.astype(np.int32)


def _read(file: Path) -> NDArray[Any]:
    values: NDArray[Any]
    if file.suffix == ".npy":
        values = np.load(file, allow_pickle=False)
    elif file.suffix.lower() in (".tif", ".tiff"):
        import tifffile  # noqa: PLC0415 - for this only

        values = np.squeeze(tifffile.imread(file))
    else:
        from PIL import Image  # noqa: PLC0415 - for this only

        with Image.open(file) as picture:
            values = np.asarray(picture)
    if values.dtype.kind not in "iub":
        message = f"its values are {values.dtype}, not whole numbers"
        raise ValueError(message)
    return values


def sampled(
    values: NDArray[Any],
    size: tuple[int, int],
    box: Box,
    side: int,
    *,
    outside: int,
) -> NDArray[Any]:
    """Return the values of a raster over a whole slide at the pixels of a box.

    Parameters
    ----------
    values : (rows, columns)
        Raster over the slide.
    size : (int, int)
        Width and height of the slide, in level-0 pixels.
    box : Box
    side : int
        Pixels along a side of the result.
    outside : int
        Value beyond the slide.
    """
    rows, columns = values.shape
    across = (box.x0 + (np.arange(side) + 0.5) * box.width / side) / size[0]
    down = (box.y0 + (np.arange(side) + 0.5) * box.height / side) / size[1]
    x = np.floor(across * columns).astype(int)
    y = np.floor(down * rows).astype(int)
    found = np.full((side, side), outside, values.dtype)
    inside = ((y >= 0) & (y < rows))[:, None] & ((x >= 0) & (x < columns))
    at = values[np.clip(y, 0, rows - 1)[:, None], np.clip(x, 0, columns - 1)]
    found[inside] = at[inside]
    return found
