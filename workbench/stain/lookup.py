"""A function of the colour as a table of all 2^24 colours.

One look-up is quicker than any arithmetic that it replaces, and gives every pixel
the same answer, whatever the size of the tile or the layout. It needs no compiler.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Protocol

import cv2
import numpy as np

from workbench.stain.optical_density import colour_codes, colours_of
from workbench.stain.passes import PixelPass

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

_COLOURS: Final = 1 << 24
_CHUNK: Final = 1 << 15
"""Pixels at a time: what is looked up stays in the cache."""

_PACKED: Final = np.dtype("<u4")
"""A colour in one number, as `colour_codes` has it, whose bytes lie as OpenCV's BGRA.

One number is fetched several times as fast as three bytes.
"""


class ColourMap(Protocol):
    """A pure function of the colour."""

    def __call__(self, colours: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Return grey levels, float (K, 3), of uint8 (K, 3)."""


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

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(fill, range(0, _COLOURS, _CHUNK)):
                pass
        return packed


def _looked_up(
    table: NDArray[np.uint32], codes: NDArray[np.uint32]
) -> NDArray[np.uint8]:
    """Return entries of the table as bytes, (1, K, 4): blue, green, red and none."""
    # No code lies outside; "clip" only spares numpy the test.
    return (
        table.take(codes.astype(np.intp), mode="clip").view(np.uint8).reshape(1, -1, 4)
    )


def rounded(levels: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return grey levels as uint8: to the nearest, halves to even, cut to 0 to 255."""
    whole: NDArray[np.uint8] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return whole
