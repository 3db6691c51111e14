"""Cache of decoded stored tiles that the next read will probably need."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OFFSET: Final = 8
"""Offset in bytes of decoded pixels. Allocated memory starts at a multiple of 16, so
the pixels do not start at a multiple of a vector of libjpeg-turbo."""

_UINT8: Final = np.dtype(np.uint8)

_BYTES: Final = 1 << 24
"""Size of the cache in bytes: 85 tiles of 256 px, enough for the border of a batch."""


class TileCache:
    """Decoded tiles that extend beyond the boxes they were decoded for.

    Batches of neighbouring boxes share the stored tiles on their borders: a tenth to a
    third of all tiles, depending on the size of the boxes. Such a tile is cached until
    all of it has been used, or until newer tiles replace it. Thread-safe; a tile that
    one thread has taken is decoded again by another.

    Parameters
    ----------
    shape : tuple of int
        Shape of a decoded tile.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._most = max(1, _BYTES // math.prod(shape))
        self._lock = threading.Lock()
        self._tiles: OrderedDict[int, tuple[NDArray[np.uint8], int]] = OrderedDict()
        self._spare: list[NDArray[np.uint8]] = []

    def take(self, index: int) -> tuple[NDArray[np.uint8], int] | None:
        """Remove and return a tile and the number of its used pixels; None if absent.

        The caller owns it until it calls `keep` or `release`.
        """
        with self._lock:
            return self._tiles.pop(index, None)

    def keep(self, index: int, pixels: NDArray[np.uint8], used: int) -> None:
        """Add a tile; the oldest is removed if the cache is full."""
        with self._lock:
            self._tiles[index] = pixels, used
            if len(self._tiles) > self._most:
                _, (oldest, _) = self._tiles.popitem(last=False)
                self._spare.append(oldest)

    def release(self, pixels: NDArray[np.uint8]) -> None:
        """Return the memory of a tile that is no longer needed."""
        with self._lock:
            if len(self._spare) < self._most:
                self._spare.append(pixels)

    def empty(self) -> NDArray[np.uint8]:
        """Return memory for a tile; released memory is reused."""
        with self._lock:
            if self._spare:
                return self._spare.pop()
        return empty_pixels(self._shape)


def empty_pixels(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an uninitialized array that libjpeg-turbo fills through the cache.

    libjpeg-turbo writes rows that are aligned to its vectors (32 bytes) with
    non-temporal stores. Pixels that are used at once would then be read back from
    memory, which costs a twentieth of the decoding, and more if they are copied. So the
    array is deliberately not aligned.
    """
    raw = np.empty(math.prod(shape) + _OFFSET, _UINT8)
    return np.ndarray(shape, _UINT8, raw, _OFFSET)
