"""Lookup table of a function of the colour, for all 2^24 colours.

One look-up is faster than the arithmetic that it replaces, and gives the same result
for a pixel whatever the size of the tile or the layout. It needs no compiler.
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
"""Pixels at a time; their data stay in the cache."""

_TABLES: Final = 4
"""Maximum number of tables kept by `AdaptivePass`."""

_PACKED: Final = np.dtype("<u4")
"""A colour in one number, as in `colour_codes`, with the bytes of OpenCV's BGRA.

One number is fetched several times as fast as three bytes.
"""


class ColourMap(Protocol):
    """A pure function of the colour."""

    def __call__(self, colours: NDArray[np.uint8], /) -> NDArray[np.number]:
        """Return grey levels, (K, 3), of uint8 (K, 3)."""


class ColourTable(PixelPass):
    """A `ColourMap` for uint8 pixels on the CPU.

    The table takes 64 MiB; it is built once, when first needed, and is not pickled.
    """

    def __init__(self, colour_map: ColourMap) -> None:
        self._map = colour_map
        self._lock = threading.Lock()
        self._packed: NDArray[np.uint32] | None = None

    def __reduce__(self) -> tuple[type[ColourTable], tuple[ColourMap]]:
        """Pickle without the table and its lock."""
        return type(self), (self._map,)

    def _kind(self, dtype: torch.dtype) -> type[np.uint8]:
        del dtype  # the table holds integers
        return np.uint8

    def _interleaved(self, pixels: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        """Normalize interleaved pixels.

        OpenCV's conversions between three and four bytes are vectorized, NumPy's are
        not.
        """
        table, source, target = self._table(), pixels[None], out[None]
        source, target = (each.reshape(1, -1, 3) for each in (source, target))
        for start in range(0, source.shape[1], _CHUNK):
            part = slice(start, start + _CHUNK)
            four = cv2.cvtColor(source[:, part], cv2.COLOR_RGB2BGRA)
            codes = four.view(_PACKED).ravel() & (_COLOURS - 1)
            found = _look_up(table, codes)
            cv2.cvtColor(found, cv2.COLOR_BGRA2RGB, dst=target[:, part])

    def _planar(self, pixels: NDArray[np.uint8], out: NDArray[Any]) -> None:
        table = self._table()
        for start in range(0, pixels.shape[1], _CHUNK):
            part = slice(start, start + _CHUNK)
            red, green, blue = pixels[:, None, part]
            four = cv2.merge([blue, green, red, np.zeros_like(red)])
            found = _look_up(table, four.view(_PACKED).ravel())
            red, green, blue = out[:, None, part]
            cv2.split(found, [blue, green, red, np.empty_like(red)])

    @property
    def is_full(self) -> bool:
        """Whether the table is built."""
        return self._packed is not None

    def fill(self) -> None:
        """Build the table, if there is none."""
        self._table()

    def empty(self) -> None:
        """Free the memory of the table, until it is needed again."""
        with self._lock:
            self._packed = None

    def _table(self) -> NDArray[np.uint32]:
        """Return the table, of `_PACKED` (2^24,), in order of `colour_codes`."""
        with self._lock:
            if self._packed is None:
                self._packed = self._build()
            return self._packed

    def _build(self) -> NDArray[np.uint32]:
        packed = np.empty(_COLOURS, _PACKED)

        def fill(start: int) -> None:
            colours = colours_of(np.arange(start, start + _CHUNK, dtype=np.uint32))
            packed[start : start + _CHUNK] = colour_codes(
                to_grey_levels(self._map(colours))
            )

        jobs = (partial(fill, start) for start in range(0, _COLOURS, _CHUNK))
        run_parallel(jobs, os.cpu_count() or 1)
        return packed


class AdaptivePass:
    """A pass that becomes a table once it has processed as many pixels as fill one.

    For maps that a table does faster. The results are equal to the bit, since the pass
    fills the table.

    Parameters
    ----------
    by_pixel : PixelPass
    """

    def __init__(self, by_pixel: PixelPass) -> None:
        self._by_pixel = by_pixel
        self._table = ColourTable(by_pixel.of_array)
        self._seen = 0
        self._filling = threading.Lock()

    def __reduce__(self) -> tuple[type[AdaptivePass], tuple[PixelPass]]:
        """Pickle without the table."""
        return type(self), (self._by_pixel,)

    def of_array(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the normalized pixels; see `PixelPass`."""
        return self._fastest(pixels.size // 3).of_array(pixels)

    def of_tensor(self, tiles: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Return normalized tiles; see `PixelPass`. The table is for uint8 only."""
        if dtype != torch.uint8:
            return self._by_pixel.of_tensor(tiles, dtype)
        return self._fastest(math.prod(tiles.shape) // 3).of_tensor(tiles, dtype)

    def _fastest(self, pixels: int) -> PixelPass:
        """Return the faster pass for a number of pixels."""
        if self._table.is_full:
            return self._table
        self._seen += pixels
        if self._seen < _COLOURS or not self._filling.acquire(blocking=False):
            return self._by_pixel
        try:
            _fill_table(self._table)
        finally:
            self._seen = 0
            self._filling.release()
        return self._table


_filled: list[ref[ColourTable]] = []
_filled_lock = threading.Lock()


def _fill_table(table: ColourTable) -> None:
    """Fill a table, and empty the oldest one if there are too many."""
    table.fill()
    with _filled_lock:
        alive = [each for each in _filled if each() is not None]
        _filled[:] = [*alive, ref(table)]
        oldest = _filled.pop(0)() if len(_filled) > _TABLES else None
    if oldest is not None:
        oldest.empty()


def _look_up(table: NDArray[np.uint32], codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return entries of the table as bytes, (1, K, 4): blue, green, red and zero."""
    # All codes are inside; "clip" only skips NumPy's check.
    return (
        table.take(codes.astype(np.intp), mode="clip").view(np.uint8).reshape(1, -1, 4)
    )


def to_grey_levels(levels: NDArray[np.number]) -> NDArray[np.uint8]:
    """Return grey levels as uint8, rounded (halves to even) and clipped to 0 to 255."""
    whole: NDArray[np.uint8] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return whole
