"""Pixels and sizes of single tiles: pictures (PNG, JPEG, ...) and TIFF files."""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import SlideError, SlideReadError, UnsupportedSlideError
from workbench.slide.limits import MAX_TILE_BYTES
from workbench.slide.readers.plain_image import decode_image, image_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_THREADS: Final = 8
_TIFF: Final = (".tif", ".tiff")
_CHANNELS: Final = 3


def read_picture(
    folder: str, file: str, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], bytes | None]:
    """Return the pixels of a tile, uint8 (height, width, 3), and its colour profile.

    Raises
    ------
    SlideReadError
        If it cannot be read, or has another size than its place.
    """
    path = Path(folder) / file
    try:
        pixels, profile = _decode(path)
    except SlideError as error:
        raise SlideReadError(folder, f"the tile '{file}'", error.message) from error
    height, width, _ = pixels.shape
    if (width, height) != size:
        reason = f"it is {width} x {height} pixels, but its place {size[0]} x {size[1]}"
        raise SlideReadError(folder, f"the tile '{file}'", reason)
    return pixels, profile


def _decode(path: Path) -> tuple[NDArray[np.uint8], bytes | None]:
    if path.suffix.lower() not in _TIFF:
        _check(path, image_size(str(path)))
        return decode_image(str(path))[:2]
    reader = _open_tiff(path)
    try:
        width, height = reader.levels[0].size
        _check(path, (width, height))
        pixels = reader.read_batch(0, [(0, 0)], width, height)[0]
        return pixels, reader.icc_profile
    finally:
        reader.close()


def _open_tiff(path: Path) -> Any:
    opening = importlib.import_module("workbench.slide.readers.tiff.dispatch")
    return opening.open_tiff(str(path))


def _check(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] * _CHANNELS > MAX_TILE_BYTES:
        reason = f"a tile of {size[0]} x {size[1]} pixels is too large"
        raise UnsupportedSlideError(path, reason)


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height of a picture, by its header.

    Raises
    ------
    SlideError
        If it cannot be read.
    """
    if path.suffix.lower() not in _TIFF:
        return image_size(str(path))
    reader = _open_tiff(path)
    try:
        width, height = reader.levels[0].size
        return int(width), int(height)
    finally:
        reader.close()


def sizes_of(folder: Path, files: Sequence[str]) -> NDArray[np.int64]:
    """Return width and height of each picture, (N, 2); raises as `size_of` does."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="tiles") as pool:
        sizes = list(pool.map(lambda file: size_of(folder / file), files))
    return np.array(sizes, np.int64)
