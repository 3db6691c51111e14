"""Decoded stored tiles of which another part will soon be asked for."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from workbench.slide.readers.memory import empty_pixels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BYTES: Final = 1 << 24
"""For 85 tiles of 256 px: all that lie on the border of what a run reads next."""


class KeptTiles:
    """The few decoded tiles that stick out of the boxes they were decoded for.

    Batches of neighbouring boxes share the stored tiles on their borders: a tenth to
    a third of all, depending on their size. Such a tile is kept until all of it has
    been used, or until younger ones need its place. Safe from any number of threads;
    a tile that one thread has taken is decoded anew by another.

    Parameters
    ----------
    shape : tuple of int
        Of one decoded tile.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._most = max(1, _BYTES // math.prod(shape))
        self._lock = threading.Lock()
        self._tiles: OrderedDict[int, tuple[NDArray[np.uint8], int]] = OrderedDict()
        self._spare: list[NDArray[np.uint8]] = []

    def take(self, index: int) -> tuple[NDArray[np.uint8], int] | None:
        """Return a tile and how many of its pixels were used; None if it is not kept.

        It is the caller's until it is given back by `keep` or `release`.
        """
        with self._lock:
            return self._tiles.pop(index, None)

    def keep(self, index: int, pixels: NDArray[np.uint8], used: int) -> None:
        """Keep a tile, in place of the oldest if there are too many."""
        with self._lock:
            self._tiles[index] = pixels, used
            if len(self._tiles) > self._most:
                _, (oldest, _) = self._tiles.popitem(last=False)
                self._spare.append(oldest)

    def release(self, pixels: NDArray[np.uint8]) -> None:
        """Give back the memory of a tile of which no more is needed."""
        with self._lock:
            if len(self._spare) < self._most:
                self._spare.append(pixels)

    def empty(self) -> NDArray[np.uint8]:
        """Return memory for a tile, used before where there is some."""
        with self._lock:
            if self._spare:
                return self._spare.pop()
        return empty_pixels(self._shape)
