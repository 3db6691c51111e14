"""Decoded pixels of a slide's tiles at any zoom."""

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

_CACHE_BYTES: Final = 32 << 20
_CACHE_FROM: Final = 1.5
_MERGE_FROM: Final = 3
"""Ratios of a zoom's downsample to that of the coarsest stored level, from which
tiles are cached, and from which they are merged from the zoom below. A zoom twice as
coarse is therefore read from the file, and cached."""

_BACKGROUND: Final = 255


class TilePixels:
    """The tiles of a slide's pyramid, decoded.

    A tile much coarser than the coarsest stored level is merged from the four tiles
    of the next zoom, which are cached: reading it directly decodes dozens of stored
    tiles, and a user who zooms in from the whole slide needs those four next.
    Thread-safe.

    Parameters
    ----------
    slide : Slide
    pyramid : Pyramid
    """

    def __init__(self, slide: Slide, pyramid: Pyramid) -> None:
        self._slide = slide
        self._pyramid = pyramid
        self._coarsest = slide.levels[-1].downsample
        max_tiles = max(4, _CACHE_BYTES // (3 * pyramid.tile_px**2))
        self._cached_tile = lru_cache(maxsize=max_tiles)(self._build)

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
        if self._coarseness(z) < _CACHE_FROM:
            return self._read(box)
        return self._cached_tile(z, x, y)

    def _coarseness(self, z: int) -> float:
        """Return a zoom's downsample relative to the coarsest stored level."""
        return self._pyramid.downsample(z) / self._coarsest

    def _read(self, box: Box) -> NDArray[np.uint8]:
        side = self._pyramid.tile_px
        return self._slide.read(box, size=(side, side)).pixels

    def _build(self, z: int, x: int, y: int) -> NDArray[np.uint8]:
        """Read a tile, or merge it from the four tiles of the next zoom."""
        if self._coarseness(z) < _MERGE_FROM:
            return self._read(self._pyramid.box(z, x, y))
        side = self._pyramid.tile_px
        finer = np.full((2 * side, 2 * side, 3), _BACKGROUND, np.uint8)
        for down, right in product((0, 1), repeat=2):
            place = z + 1, 2 * x + right, 2 * y + down
            if place in self._pyramid:
                quarter = finer[down * side :, right * side :]
                quarter[:side, :side] = self._cached_tile(*place)
        merged: NDArray[np.uint8] = cv2.resize(
            finer, (side, side), interpolation=cv2.INTER_AREA
        )
        return merged
