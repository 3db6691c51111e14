"""A function of the colour as a table of all 2^24 colours.

One look-up is quicker than any arithmetic that it replaces, and gives every pixel
the same answer, whatever the size of the tile or the layout. It needs no compiler.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import torch

from workbench.stain.optical_density import colour_codes, colours_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLOURS: Final = 1 << 24
_CHUNK: Final = 1 << 16
"""Pixels at a time: what is looked up stays in the cache."""


class ColourMap(Protocol):
    """A pure function of the colour."""

    def __call__(self, colours: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Return grey levels, float (K, 3), of uint8 (K, 3)."""


class ColourTable:
    """A `ColourMap` for uint8 pixels on the CPU.

    The table takes 48 MiB; it is built when it is first needed, once, and does not
    travel with a pickle.
    """

    def __init__(self, colour_map: ColourMap) -> None:
        self._map = colour_map
        self._lock = threading.Lock()
        self._rows: NDArray[np.uint8] | None = None

    def __reduce__(self) -> tuple[type[ColourTable], tuple[ColourMap]]:
        """Travel without the table and its lock."""
        return type(self), (self._map,)

    def of_array(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the mapped pixels, uint8 (..., 3), of uint8 (..., 3)."""
        flat = pixels.reshape(-1, 3)
        mapped = np.empty(flat.shape, np.uint8)
        table = self.rows()
        for start in range(0, len(flat), _CHUNK):
            part = slice(start, start + _CHUNK)
            # No code lies outside; "clip" only spares numpy the copy that it makes
            # to leave `out` alone in case of an error.
            table.take(colour_codes(flat[part]), 0, out=mapped[part], mode="clip")
        return mapped.reshape(pixels.shape)

    def of_tensor(
        self, tiles: torch.Tensor, dtype: torch.dtype = torch.uint8
    ) -> torch.Tensor:
        """Return the mapped tiles (N, 3, H, W), rounded, of uint8 (N, 3, H, W)."""
        array = self.of_array(tiles.detach().permute(0, 2, 3, 1).numpy())
        return torch.from_numpy(array).permute(0, 3, 1, 2).contiguous().to(dtype)

    def rows(self) -> NDArray[np.uint8]:
        """Return the table, uint8 of shape (2^24, 3), in order of `colour_codes`."""
        with self._lock:
            if self._rows is None:
                self._rows = self._built()
            return self._rows

    def _built(self) -> NDArray[np.uint8]:
        rows = np.empty((_COLOURS, 3), np.uint8)

        def fill(start: int) -> None:
            colours = colours_of(np.arange(start, start + _CHUNK, dtype=np.uint32))
            rows[start : start + _CHUNK] = rounded(self._map(colours))

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(fill, range(0, _COLOURS, _CHUNK)):
                pass
        return rows


def rounded(levels: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return grey levels as uint8: to the nearest, halves to even, cut to 0 to 255."""
    whole: NDArray[np.uint8] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return whole
