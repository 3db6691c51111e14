"""A function of the colour as a table of all 2^24 colours.

One look-up is quicker than any arithmetic that it replaces, and gives every pixel
the same answer, whatever the size of the tile or the layout. It needs no compiler.
"""

from __future__ import annotations

import math
import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import ref

import cv2
import numpy as np
import torch

from workbench.stain.kernels.pixel_pass import PixelPass
from workbench.stain.optical_density import colour_codes, colours_of
from workbench.system.thread_pool import run_parallel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLOURS: Final = 1 << 24
_CHUNK: Final = 1 << 15
"""Pixels at a time: what is looked up stays in the cache."""

_TABLES: Final = 4
"""Tables that are kept for those who could do without."""

_PACKED: Final = np.dtype("<u4")
"""A colour in one number, as `colour_codes` has it, whose bytes lie as OpenCV's BGRA.

One number is fetched several times as fast as three bytes.
"""


class ColourMap(Protocol):
    """A pure function of the colour."""

    def __call__(self, colours: NDArray[np.uint8], /) -> NDArray[np.number]:
        """Return grey levels, (K, 3), of uint8 (K, 3)."""


class ColourTable(PixelPass):
    """A `ColourMap` for uint8 pixels on the CPU.

    The table takes 64 MiB; it is built when it is first needed, once, and does not
    travel with a pickle.
    """

    def __init__(self, colour_map: ColourMap) -> None:
        self._map = colour_map
        self._lock = threading.Lock()
        self._packed: NDArray[np.uint32] | None = None

    def __reduce__(self) -> tuple[type[ColourTable], tuple[ColourMap]]:
        """Travel without the table and its lock."""
        return type(self), (self._map,)

    def _kind(self, dtype: torch.dtype) -> type[np.uint8]:
        del dtype  # it holds grey levels that are whole
        return np.uint8

    def _interleaved(self, pixels: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        """See `PixelPass`.

        OpenCV's passes between three and four bytes are vectors, numpy's are not.
        """
        table, source, target = self._table(), pixels[None], out[None]
        source, target = (each.reshape(1, -1, 3) for each in (source, target))
        for start in range(0, source.shape[1], _CHUNK):
            part = slice(start, start + _CHUNK)
            four = cv2.cvtColor(source[:, part], cv2.COLOR_RGB2BGRA)
            codes = four.view(_PACKED).ravel() & (_COLOURS - 1)
            found = _looked_up(table, codes)
            cv2.cvtColor(found, cv2.COLOR_BGRA2RGB, dst=target[:, part])

    def _planar(self, pixels: NDArray[np.uint8], out: NDArray[Any]) -> None:
        table = self._table()
        for start in range(0, pixels.shape[1], _CHUNK):
            part = slice(start, start + _CHUNK)
            red, green, blue = pixels[:, None, part]
            four = cv2.merge([blue, green, red, np.zeros_like(red)])
            found = _looked_up(table, four.view(_PACKED).ravel())
            red, green, blue = out[:, None, part]
            cv2.split(found, [blue, green, red, np.empty_like(red)])

    @property
    def is_full(self) -> bool:
        """Tell whether there is a table."""
        return self._packed is not None

    def fill(self) -> None:
        """Make the table, if there is none."""
        self._table()

    def empty(self) -> None:
        """Give its memory back, until it is needed again."""
        with self._lock:
            self._packed = None

    def _table(self) -> NDArray[np.uint32]:
        """Return the table, of `_PACKED` (2^24,), in order of `colour_codes`."""
        with self._lock:
            if self._packed is None:
                self._packed = self._built()
            return self._packed

    def _built(self) -> NDArray[np.uint32]:
        packed = np.empty(_COLOURS, _PACKED)

        def fill(start: int) -> None:
            colours = colours_of(np.arange(start, start + _CHUNK, dtype=np.uint32))
            packed[start : start + _CHUNK] = colour_codes(rounded(self._map(colours)))

        jobs = (partial(fill, start) for start in range(0, _COLOURS, _CHUNK))
        run_parallel(jobs, os.cpu_count() or 1)
        return packed


class LearntPass:
    """A pass that becomes a table once it has seen as many pixels as fill one.

    For what a table does sooner. It answers the same, to the bit: the pass fills it.

    Parameters
    ----------
    by_pixel : PixelPass
    """

    def __init__(self, by_pixel: PixelPass) -> None:
        self._by_pixel = by_pixel
        self._table = ColourTable(by_pixel.of_array)
        self._seen = 0
        self._filling = threading.Lock()

    def __reduce__(self) -> tuple[type[LearntPass], tuple[PixelPass]]:
        """Travel without the table."""
        return type(self), (self._by_pixel,)

    def of_array(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See `PixelPass`."""
        return self._best(pixels.size // 3).of_array(pixels)

    def of_tensor(self, tiles: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """See `PixelPass`; what need not be whole has no table."""
        if dtype != torch.uint8:
            return self._by_pixel.of_tensor(tiles, dtype)
        return self._best(math.prod(tiles.shape) // 3).of_tensor(tiles, dtype)

    def _best(self, pixels: int) -> PixelPass:
        """Return what answers so many pixels soonest."""
        if self._table.is_full:
            return self._table
        self._seen += pixels
        if self._seen < _COLOURS or not self._filling.acquire(blocking=False):
            return self._by_pixel
        try:
            _keep(self._table)
        finally:
            self._seen = 0
            self._filling.release()
        return self._table


_kept: list[ref[ColourTable]] = []
_keeping = threading.Lock()


def _keep(table: ColourTable) -> None:
    """Fill a table, and empty the one filled longest ago if there are many."""
    table.fill()
    with _keeping:
        there = [each for each in _kept if each() is not None]
        _kept[:] = [*there, ref(table)]
        oldest = _kept.pop(0)() if len(_kept) > _TABLES else None
    if oldest is not None:
        oldest.empty()


def _looked_up(
    table: NDArray[np.uint32], codes: NDArray[np.uint32]
) -> NDArray[np.uint8]:
    """Return entries of the table as bytes, (1, K, 4): blue, green, red and none."""
    # No code lies outside; "clip" only spares numpy the test.
    return (
        table.take(codes.astype(np.intp), mode="clip").view(np.uint8).reshape(1, -1, 4)
    )


def rounded(levels: NDArray[np.number]) -> NDArray[np.uint8]:
    """Return grey levels as uint8: to the nearest, halves to even, cut to 0 to 255."""
    whole: NDArray[np.uint8] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return whole
