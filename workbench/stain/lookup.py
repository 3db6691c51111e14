"""A function of the colour as a table of all 2^24 colours.

One look-up is quicker than any arithmetic that it replaces, and gives every pixel
the same answer, whatever the size of the tile, the layout or the device.
"""

from __future__ import annotations

import threading
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
    """A `ColourMap` for uint8 pixels on any device.

    The table takes 64 MiB on each device that it is used on; it is built when it is
    first needed, once, and does not travel with a pickle.
    """

    def __init__(self, colour_map: ColourMap) -> None:
        self._map = colour_map
        self._lock = threading.Lock()
        self._packed: NDArray[np.uint32] | None = None
        self._on_device: dict[torch.device, torch.Tensor] = {}

    def __reduce__(self) -> tuple[type[ColourTable], tuple[ColourMap]]:
        """Travel without the table and its lock."""
        return type(self), (self._map,)

    def of_array(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the mapped pixels, uint8 (..., 3), of uint8 (..., 3)."""
        flat = pixels.reshape(-1, 3)
        mapped = np.empty(flat.shape, np.uint8)
        table = self._table()
        for start in range(0, len(flat), _CHUNK):
            codes = colour_codes(flat[start : start + _CHUNK])
            packed = table.take(codes)
            mapped[start : start + _CHUNK] = packed.view(np.uint8).reshape(-1, 4)[:, :3]
        return mapped.reshape(pixels.shape)

    def of_tensor(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the mapped pixels, uint8 (N, 3, H, W), of uint8 (N, 3, H, W)."""
        red, green, blue = pixels.int().unbind(1)
        codes = (red << 16) | (green << 8) | blue
        packed = self._table_on(pixels.device).take(codes.long())
        planes = [packed & 255, packed >> 8 & 255, packed >> 16]
        return torch.stack(planes, 1).to(torch.uint8)

    def _table(self) -> NDArray[np.uint32]:
        """Return the table: red | green << 8 | blue << 16 at `colour_codes`."""
        with self._lock:
            if self._packed is None:
                self._packed = self._built()
            return self._packed

    def _table_on(self, device: torch.device) -> torch.Tensor:
        table = self._table()
        with self._lock:
            if device not in self._on_device:
                here = torch.from_numpy(table.view(np.int32))
                self._on_device[device] = here.to(device)
            return self._on_device[device]

    def _built(self) -> NDArray[np.uint32]:
        packed = np.empty(_COLOURS, np.uint32)
        for start in range(0, _COLOURS, _CHUNK):
            colours = colours_of(np.arange(start, start + _CHUNK, dtype=np.uint32))
            levels = rounded(self._map(colours)).astype(np.uint32)
            packed[start : start + _CHUNK] = (
                levels[:, 0] | levels[:, 1] << 8 | levels[:, 2] << 16
            )
        return packed


def rounded(levels: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return grey levels as uint8: to the nearest, halves to even, cut to 0 to 255."""
    whole: NDArray[np.uint8] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return whole
