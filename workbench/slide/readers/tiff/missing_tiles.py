"""Reconstruction of tiles that are missing in one level, from other levels."""

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
"""Side in pixels of the blocks that are read of a finer level."""

_KEPT: Final = 64
_HALF: Final = 128
_WHOLE: Final = 255


class MissingTiles:
    """Reconstructs missing tiles of a level from finer levels, else from coarser ones.

    Scanner software omits tiles where writing failed. Pixels are averaged from the next
    finer level that has them, then from the finer ones after it; the rest is enlarged
    from the next coarser level. Pixels that no level has are background.

    Parameters
    ----------
    levels : sequence of StoredTiles
        The levels, finest first.
    scales : sequence of (float, float)
        Level-0 pixels per pixel of each level, along x and y.
    background : tuple of int
        sRGB of pixels that no level has.
    from_coarser : bool
        Whether to use coarser levels. False where the scanner omits blank tiles,
        because pixels of a coarser level also contain their neighbours.
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
        self._present = [~level.missing for level in levels]
        self._from_coarser = from_coarser
        self.tile = lru_cache(_KEPT)(self._make_tile)
        for number, present in enumerate(self._present):
            if not present.all():
                levels[number].fill = _Fill(self, number)

    @property
    def counts(self) -> list[int]:
        """Number of missing tiles of each level."""
        return [int((~present).sum()) for present in self._present]

    def _make_tile(self, number: int, index: int) -> NDArray[np.uint8] | None:
        """Return a tile of a level made from other levels; None if none has pixels.

        Returns
        -------
        uint8 (height, width, 3)
            Cached: copy it before changing it.
        """
        level = self._levels[number]
        row, column = divmod(index, level.columns)
        canvas = _Canvas.of(level, column, row, self._background)
        for other in self._source_levels(number):
            if canvas.is_full:
                break
            self._paint(canvas, number, other)
        return canvas.pixels if canvas.filled.any() else None

    def _source_levels(self, number: int) -> Iterator[int]:
        yield from range(number - 1, -1, -1)
        if self._from_coarser:
            yield from range(number + 1, len(self._levels))

    def _paint(self, canvas: _Canvas, number: int, other: int) -> None:
        """Fill the empty pixels of a tile from another level, block by block."""
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
        pixels, mask = self._read_present(source)
        if not mask.any():
            return
        shape = canvas.pixels[block].shape
        colours, share = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
        limit = self._levels[source.level].limit
        resample(pixels, source, colours, limit)
        resample(np.repeat(mask[..., None], 3, 2), source, share, limit)
        usable = (share[..., 0] >= _HALF) & ~canvas.filled[block]
        if not mask.all():  # missing pixels are black and have no weight
            lit = colours.astype(np.uint32) * _WHOLE // np.maximum(share, 1)
            colours = np.minimum(lit, _WHOLE).astype(np.uint8)
        canvas.pixels[block][usable] = colours[usable]
        canvas.filled[block] |= usable

    def _read_present(
        self, source: Source
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the stored pixels of a source and their mask; missing ones are black.

        Returns
        -------
        uint8 (H, W, 3) and uint8 (H, W), 255 where pixels are stored
        """
        level, present = self._levels[source.level], self._present[source.level]
        (x, y), (width, height) = source.origin, source.size
        pixels = np.zeros((height, width, 3), np.uint8)
        mask = np.zeros((height, width), np.uint8)
        right = min(level.limit[0], x + width)
        bottom = min(level.limit[1], y + height)
        for row in range(max(0, y) // level.height, -(-bottom // level.height)):
            for column in range(max(0, x) // level.width, -(-right // level.width)):
                if not present[row, column]:
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
    """Returns the reconstructed tiles of one level."""

    def __init__(self, tiles: MissingTiles, number: int) -> None:
        self._tiles, self._number = tiles, number

    def __call__(self, index: int) -> NDArray[np.uint8] | None:
        return self._tiles.tile(self._number, index)


class _Canvas(NamedTuple):
    """A tile that is being reconstructed."""

    x: int
    y: int
    """Upper left corner, in pixels of the level."""

    pixels: NDArray[np.uint8]
    filled: NDArray[np.bool_]
    """Pixels that are filled, bool (H, W), without the part outside the level."""

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
