"""The pixels of a slide, tile by tile, at any zoom."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.layers.layer import Pyramid
    from workbench.slide.slide import Slide

_KEPT_BYTES: Final = 32 << 20
_KEPT_BEYOND: Final = 1.5
_MADE_BEYOND: Final = 3
"""Times coarser than what is stored; a zoom twice as coarse is read, and kept."""

_BACKGROUND: Final = 255


class TilePixels:
    """The tiles of a slide's pyramid, decoded.

    A tile much coarser than all that the file stores is made of the four below it,
    which are kept: from the whole slide one zooms in to these, and to make one of what
    is stored takes dozens of stored tiles. Safe from any number of threads.

    Parameters
    ----------
    slide : Slide
    pyramid : Pyramid
    """

    def __init__(self, slide: Slide, pyramid: Pyramid) -> None:
        self._slide = slide
        self._pyramid = pyramid
        self._coarsest = slide.levels[-1].downsample
        most = max(4, _KEPT_BYTES // (3 * pyramid.tile_px**2))
        self._kept = lru_cache(maxsize=most)(self._made)

    def tile(self, z: int, x: int, y: int) -> NDArray[np.uint8]:
        """Return a tile, uint8 (tile_px, tile_px, 3) sRGB; do not write to it.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        SlideReadError
            If the file is damaged there.
        """
        box = self._pyramid.box(z, x, y)
        if self._beyond(z) < _KEPT_BEYOND:
            return self._read(box)
        return self._kept(z, x, y)

    def _beyond(self, z: int) -> float:
        """Return how many times coarser a zoom is than all that is stored."""
        return self._pyramid.downsample(z) / self._coarsest

    def _read(self, box: Box) -> NDArray[np.uint8]:
        side = self._pyramid.tile_px
        return self._slide.read(box, size=(side, side)).pixels

    def _made(self, z: int, x: int, y: int) -> NDArray[np.uint8]:
        if self._beyond(z) < _MADE_BEYOND:
            return self._read(self._pyramid.box(z, x, y))
        side = self._pyramid.tile_px
        below = np.full((2 * side, 2 * side, 3), _BACKGROUND, np.uint8)
        for down, right in product((0, 1), repeat=2):
            place = z + 1, 2 * x + right, 2 * y + down
            if place in self._pyramid:
                there = below[down * side :, right * side :]
                there[:side, :side] = self._kept(*place)
        made: NDArray[np.uint8] = cv2.resize(
            below, (side, side), interpolation=cv2.INTER_AREA
        )
        return made
