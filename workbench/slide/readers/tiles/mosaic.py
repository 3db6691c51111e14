"""Pixels of one resolution, composed of its tiles."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import numpy as np
from cachetools import LRUCache

from workbench.slide.readers.tiles.pictures import read_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.slide.readers.tiles.placement import Placement

_CACHE_BYTES: Final = 1 << 26
"""Decoded tiles that are kept: 340 of 256 px."""


class Mosaic:
    """Composes boxes of tiles; thread-safe. Of tiles that overlap the last is on top.

    Parameters
    ----------
    placement : Placement
    background : (int, int, int)
        sRGB where no tile lies.
    """

    def __init__(self, placement: Placement, background: tuple[int, int, int]) -> None:
        self.size = placement.size
        self._placement = placement
        self._background = background
        self._lock = threading.Lock()
        self._decoded: LRUCache[int, NDArray[np.uint8]] = LRUCache(
            _CACHE_BYTES, getsizeof=lambda pixels: pixels.nbytes
        )
        boxes = placement.boxes
        self._cell = max(1, int((boxes[:, 2:] - boxes[:, :2]).max()))
        self._cells = self._index()

    def _index(self) -> dict[tuple[int, int], list[int]]:
        """Return the tiles that begin in each cell, which is as large as any tile."""
        cells: dict[tuple[int, int], list[int]] = {}
        starts = (self._placement.boxes[:, :2] // self._cell).tolist()
        for n, (column, row) in enumerate(starts):
            cells.setdefault((column, row), []).append(n)
        return cells

    def _touched(self, x: int, y: int, width: int, height: int) -> list[int]:
        """Return the tiles that a box touches, in their order."""
        columns = range(x // self._cell - 1, (x + width - 1) // self._cell + 1)
        rows = range(y // self._cell - 1, (y + height - 1) // self._cell + 1)
        near = [n for r in rows for c in columns for n in self._cells.get((c, r), ())]
        x0, y0, x1, y1 = self._placement.boxes[near].T
        inside = (x0 < x + width) & (x1 > x) & (y0 < y + height) & (y1 > y)
        return sorted(np.asarray(near, np.int64)[inside].tolist())

    def read(self, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Return a box, uint8 (height, width, 3).

        Raises
        ------
        SlideReadError
            If a tile cannot be read.
        """
        out = np.empty((height, width, 3), np.uint8)
        out[:] = self._background
        for n in self._touched(x, y, width, height):
            x0, y0, x1, y1 = self._placement.boxes[n].tolist()
            left, top = max(x, x0), max(y, y0)
            right, bottom = min(x + width, x1), min(y + height, y1)
            pixels = self._tile(n)[top - y0 : bottom - y0, left - x0 : right - x0]
            out[top - y : bottom - y, left - x : right - x] = pixels
        return out

    def _tile(self, n: int) -> NDArray[np.uint8]:
        with self._lock:
            pixels = self._decoded.get(n)
        if pixels is None:
            pixels = self._decode(n)[0]
            with self._lock:
                if pixels.nbytes <= self._decoded.maxsize:
                    self._decoded[n] = pixels
        return pixels

    def _decode(self, n: int) -> tuple[NDArray[np.uint8], bytes | None]:
        x0, y0, x1, y1 = self._placement.boxes[n].tolist()
        file = self._placement.files[n]
        return read_picture(self._placement.folder, file, (x1 - x0, y1 - y0))

    def profile(self) -> bytes | None:
        """Return the colour profile of the first tile; None if it has none."""
        return self._decode(0)[1]

    def clear(self) -> None:
        """Free the decoded tiles."""
        with self._lock:
            self._decoded.clear()
