"""Coarser resolutions, computed by halving when they are read."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

import cv2
import numpy as np
from cachetools import LRUCache

from workbench.system.thread_pool import run_parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    _Read = Callable[[int, int, int, int], NDArray[np.uint8]]

_CELL: Final = 512
"""Side of a cell, in pixels of its own resolution."""

_FINE: Final = 3
_FINE_BYTES: Final = 1 << 26
_COARSE_BYTES: Final = 3 << 26
"""Cells that are kept: those halved up to `_FINE` times, and all others, which sum up
many tiles each."""

_Key = tuple[int, int, int]
"""Number of halvings, column and row."""


class _Lock:
    """A lock that can be referred to weakly."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class HalvedCells:
    """Cells of halved resolutions, each computed of four cells of the next finer one.

    Memory is bounded; what was dropped is computed again. Thread-safe: a cell that two
    threads need is computed once.

    Parameters
    ----------
    read : callable
        Returns a box (x, y, width, height) of the finest resolution.
    size : (int, int)
        Width and height of the finest resolution.
    """

    def __init__(self, read: _Read, size: tuple[int, int]) -> None:
        self._read = read
        self._size = size
        self._lock = threading.Lock()
        self._fine: LRUCache[_Key, NDArray[np.uint8]] = _cache(_FINE_BYTES)
        self._coarse: LRUCache[_Key, NDArray[np.uint8]] = _cache(_COARSE_BYTES)
        self._busy: WeakValueDictionary[_Key, _Lock] = WeakValueDictionary()

    def size(self, halvings: int) -> tuple[int, int]:
        """Return width and height after a number of halvings, rounded up."""
        width, height = (-(-side // (1 << halvings)) for side in self._size)
        return width, height

    def read(
        self, halvings: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return a box that lies inside a resolution, uint8 (height, width, 3)."""
        out = np.empty((height, width, 3), np.uint8)
        for column, row in _cells_in(x, y, width, height):
            left, top = column * _CELL, row * _CELL
            cell = self._cell((halvings, column, row))
            x0, y0 = max(x, left), max(y, top)
            x1, y1 = min(x + width, left + _CELL), min(y + height, top + _CELL)
            out[y0 - y : y1 - y, x0 - x : x1 - x] = cell[
                y0 - top : y1 - top, x0 - left : x1 - left
            ]
        return out

    def prepare(
        self,
        halvings: int,
        origins: Sequence[tuple[int, int]],
        size: tuple[int, int],
        threads: int,
    ) -> None:
        """Compute the cells of boxes with several threads, if some are not known.

        Of few cells, the finer ones below them are computed side by side.
        """
        full = self.size(halvings)
        wanted: set[tuple[int, int]] = set()
        for x, y in origins:
            x0, y0 = max(0, x), max(0, y)
            x1, y1 = min(full[0], x + size[0]), min(full[1], y + size[1])
            if x0 < x1 and y0 < y1:
                wanted.update(_cells_in(x0, y0, x1 - x0, y1 - y0))
        keys = [(halvings, *cell) for cell in wanted]
        with self._lock:
            keys = [key for key in keys if self._known(key) is None]
        while keys and len(keys) < threads and keys[0][0] > 1:
            keys = [key for parent in keys for key in self._children(parent)]
        run_parallel([partial(self._compute, key) for key in keys], threads)

    def clear(self) -> None:
        """Free all cells."""
        with self._lock:
            self._fine.clear()
            self._coarse.clear()

    def _compute(self, key: _Key) -> None:
        self._cell(key)

    def _cell(self, key: _Key) -> NDArray[np.uint8]:
        if key[0] == 0:
            x, y = key[1] * _CELL, key[2] * _CELL
            width, height = (
                min(_CELL, side - at)
                for side, at in zip(self._size, (x, y), strict=True)
            )
            return self._read(x, y, width, height)
        with self._lock:
            if (cell := self._known(key)) is not None:
                return cell
            busy = self._busy.setdefault(key, _Lock())
        with busy.lock:
            with self._lock:
                cell = self._known(key)
            if cell is None:
                cell = self._halve(key)
                with self._lock:
                    self._store_of(key)[key] = cell
        return cell

    def _store_of(self, key: _Key) -> LRUCache[_Key, NDArray[np.uint8]]:
        return self._fine if key[0] <= _FINE else self._coarse

    def _known(self, key: _Key) -> NDArray[np.uint8] | None:
        return self._store_of(key).get(key)

    def _children(self, key: _Key) -> list[_Key]:
        """Return the cells of the next finer resolution that a cell is made of."""
        halvings, column, row = key[0] - 1, 2 * key[1], 2 * key[2]
        width, height = self.size(halvings)
        return [
            (halvings, c, r)
            for r in (row, row + 1)
            for c in (column, column + 1)
            if c * _CELL < width and r * _CELL < height
        ]

    def _halve(self, key: _Key) -> NDArray[np.uint8]:
        halvings, column, row = key
        full = self.size(halvings - 1)
        width = min(2 * _CELL, full[0] - 2 * column * _CELL)
        height = min(2 * _CELL, full[1] - 2 * row * _CELL)
        fine = np.empty((height + height % 2, width + width % 2, 3), np.uint8)
        for child in self._children(key):
            left, top = (child[1] - 2 * column) * _CELL, (child[2] - 2 * row) * _CELL
            pixels = self._cell(child)
            fine[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        fine[height:, :width] = fine[height - 1 : height, :width]
        fine[:, width:] = fine[:, width - 1 : width]
        half = (fine.shape[1] // 2, fine.shape[0] // 2)
        halved: NDArray[np.uint8] = cv2.resize(fine, half, interpolation=cv2.INTER_AREA)
        return halved


def _cache(size: int) -> LRUCache[_Key, NDArray[np.uint8]]:
    return LRUCache(size, getsizeof=lambda cell: cell.nbytes)


def _cells_in(x: int, y: int, width: int, height: int) -> Iterable[tuple[int, int]]:
    """Yield column and row of the cells that a box touches."""
    for row in range(y // _CELL, (y + height - 1) // _CELL + 1):
        for column in range(x // _CELL, (x + width - 1) // _CELL + 1):
            yield column, row
