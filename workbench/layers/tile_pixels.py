"""Decoded pixels of a slide's tiles at any zoom, and stored values of channels."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from workbench.layers.layer import Pyramid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.slide.slide import Slide

_CACHE_BYTES: Final = 32 << 20
_CACHE_FROM: Final = 1.5
_MERGE_FROM: Final = 3
"""Ratios of a zoom's downsample to that of the coarsest stored level, from which
tiles are cached, and from which they are merged from the zoom below. A zoom twice as
coarse is therefore read from the file, and cached."""

_BACKGROUND: Final = 255
_VALUE_BYTES: Final = 96 << 20
"""Size of the cache of stored values of channels, in bytes."""


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


class ChannelTiles:
    """Stored values of a slide's tiles at any zoom, cached for other displays.

    Thread-safe. A change of colours or contrast needs no pixel of the file.

    Parameters
    ----------
    slide : Slide
        A slide with channels.
    """

    def __init__(self, slide: Slide) -> None:
        self.slide = slide
        self.pyramid = Pyramid(slide.size)
        self._names = [each.name for each in slide.require_channels()]
        self._coarsest = slide.levels[-1].downsample
        tile_bytes = self.pyramid.tile_px**2 * slide.dtype.itemsize
        self._plane = lru_cache(maxsize=_VALUE_BYTES // tile_bytes)(self._read_plane)

    def planes(
        self, place: tuple[int, int, int], channels: Sequence[int]
    ) -> NDArray[Any]:
        """Return the values of channels of a tile, (C, tile_px, tile_px).

        Parameters
        ----------
        place : (z, x, y)
        channels : sequence of int
            Indices of the channels.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        SlideReadError
            If the file is damaged there.
        """
        side = self.pyramid.tile_px
        out = np.empty((len(channels), side, side), self.slide.dtype)
        for plane, channel in zip(out, channels, strict=True):
            plane[:] = self._plane(*place, channel)
        return out

    def _read_plane(self, z: int, x: int, y: int, channel: int) -> NDArray[Any]:
        side = self.pyramid.tile_px
        box = self.pyramid.box(z, x, y)
        if self.pyramid.downsample(z) / self._coarsest < _MERGE_FROM:
            names = [self._names[channel]]
            region = self.slide.read_channels(box, channels=names, size=(side, side))
            whole: NDArray[Any] = region.values[0]
            return whole
        finer = np.zeros((2 * side, 2 * side), self.slide.dtype)
        for down, right in product((0, 1), repeat=2):
            place = z + 1, 2 * x + right, 2 * y + down
            if place in self.pyramid:
                quarter = finer[down * side :, right * side :]
                quarter[:side, :side] = self._plane(*place, channel)
        merged: NDArray[Any] = cv2.resize(
            finer, (side, side), interpolation=cv2.INTER_AREA
        )
        return merged
