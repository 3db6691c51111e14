"""Tiles that one level of a slide lacks, made from the levels that have them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from workbench.slide.readers.level_selection import Source
from workbench.slide.readers.resampling import resample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from workbench.slide.readers.tiff.tiles import StoredTiles

_BLOCK_PX: Final = 1024
"""Side of what is read of a finer level at once."""

_KEPT: Final = 64
_HALF: Final = 128
_WHOLE: Final = 255


class MissingTiles:
    """Makes the tiles that a level lacks from finer levels, else from coarser ones.

    Scanner software leaves tiles out where writing went wrong. The next finer level
    that has pixels there is averaged, then the ones below it; what no finer level has
    is enlarged from the next coarser. What no level has is nothing.

    Parameters
    ----------
    levels : sequence of StoredTiles
        Finest first.
    scales : sequence of (float, float)
        Level-0 pixels for each pixel of each level, along x and y.
    background : tuple of int
    from_coarser : bool
        Whether coarser levels are asked. Not where the scanner leaves out tiles that
        are blank: a coarser pixel has some of their neighbours in it.
    """

    def __init__(
        self,
        levels: Sequence[StoredTiles],
        scales: Sequence[tuple[float, float]],
        background: tuple[int, int, int],
        *,
        from_coarser: bool,
    ) -> None:
        self._levels, self._scales, self._background = levels, scales, background
        self._there = [~level.missing for level in levels]
        self._from_coarser = from_coarser
        self.tile = lru_cache(_KEPT)(self._tile)
        for number, there in enumerate(self._there):
            if not there.all():
                levels[number].fill = _Fill(self, number)

    @property
    def counts(self) -> list[int]:
        """How many tiles each level lacks."""
        return [int((~there).sum()) for there in self._there]

    def _tile(self, number: int, index: int) -> NDArray[np.uint8] | None:
        """Return a tile of a level as other levels have it, None where none has.

        Returns
        -------
        uint8 (height, width, 3), to be copied
        """
        level = self._levels[number]
        row, column = divmod(index, level.columns)
        canvas = _Canvas.of(level, column, row, self._background)
        for other in self._order(number):
            if canvas.is_full:
                break
            self._paint(canvas, number, other)
        return canvas.pixels if canvas.filled.any() else None

    def _order(self, number: int) -> Iterator[int]:
        yield from range(number - 1, -1, -1)
        if self._from_coarser:
            yield from range(number + 1, len(self._levels))

    def _paint(self, canvas: _Canvas, number: int, other: int) -> None:
        """Fill what is still empty of a tile from another level, block by block."""
        across, down = (
            own / theirs
            for own, theirs in zip(
                self._scales[number], self._scales[other], strict=True
            )
        )
        step_x = max(1, int(_BLOCK_PX / across))
        step_y = max(1, int(_BLOCK_PX / down))
        height, width = canvas.filled.shape
        for top in range(0, height, step_y):
            for left in range(0, width, step_x):
                bottom, right = min(height, top + step_y), min(width, left + step_x)
                block = slice(top, bottom), slice(left, right)
                if canvas.filled[block].all():
                    continue
                source = Source(
                    other,
                    (canvas.x + left) * across,
                    (canvas.y + top) * down,
                    (canvas.x + right) * across,
                    (canvas.y + bottom) * down,
                    margin=int(min(across, down) < 1),
                )
                self._paint_block(canvas, block, source)

    def _paint_block(
        self, canvas: _Canvas, block: tuple[slice, slice], source: Source
    ) -> None:
        pixels, there = self._stored(source)
        if not there.any():
            return
        shape = canvas.pixels[block].shape
        colours, share = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
        limit = self._levels[source.level].limit
        resample(pixels, source, colours, limit)
        resample(np.repeat(there[..., None], 3, 2), source, share, limit)
        known = (share[..., 0] >= _HALF) & ~canvas.filled[block]
        if not there.all():  # what is not there is black, and does not count
            lit = colours.astype(np.uint32) * _WHOLE // np.maximum(share, 1)
            colours = np.minimum(lit, _WHOLE).astype(np.uint8)
        canvas.pixels[block][known] = colours[known]
        canvas.filled[block] |= known

    def _stored(self, source: Source) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the stored pixels under a source, black elsewhere, and where they are.

        Returns
        -------
        uint8 (H, W, 3) and uint8 (H, W), 255 where there are any
        """
        level, there = self._levels[source.level], self._there[source.level]
        (x, y), (width, height) = source.origin, source.size
        pixels = np.zeros((height, width, 3), np.uint8)
        mask = np.zeros((height, width), np.uint8)
        right = min(level.limit[0], x + width)
        bottom = min(level.limit[1], y + height)
        for row in range(max(0, y) // level.height, -(-bottom // level.height)):
            for column in range(max(0, x) // level.width, -(-right // level.width)):
                if not there[row, column]:
                    continue
                tile = level.decode(row * level.columns + column)
                x0, y0 = max(x, column * level.width), max(y, row * level.height)
                x1 = min(right, (column + 1) * level.width)
                y1 = min(bottom, (row + 1) * level.height)
                inside = tile[
                    y0 - row * level.height : y1 - row * level.height,
                    x0 - column * level.width : x1 - column * level.width,
                ]
                pixels[y0 - y : y1 - y, x0 - x : x1 - x] = inside
                mask[y0 - y : y1 - y, x0 - x : x1 - x] = _WHOLE
        return pixels, mask


class _Fill:
    """Asks for the tiles of one level."""

    def __init__(self, tiles: MissingTiles, number: int) -> None:
        self._tiles, self._number = tiles, number

    def __call__(self, index: int) -> NDArray[np.uint8] | None:
        return self._tiles.tile(self._number, index)


class _Canvas(NamedTuple):
    """A tile that is being made."""

    x: int
    y: int
    """Of its upper left corner, in pixels of its level."""

    pixels: NDArray[np.uint8]
    filled: NDArray[np.bool_]
    """Where there is something, bool (H, W) without what is outside the level."""

    @classmethod
    def of(
        cls, level: StoredTiles, column: int, row: int, colour: tuple[int, int, int]
    ) -> _Canvas:
        x, y = column * level.width, row * level.height
        width = max(1, min(level.width, level.limit[0] - x))
        height = max(1, min(level.height, level.limit[1] - y))
        pixels = np.empty((height, width, 3), np.uint8)
        pixels[:] = colour
        return cls(x, y, pixels, np.zeros((height, width), np.bool_))

    @property
    def is_full(self) -> bool:
        return bool(self.filled.all())
