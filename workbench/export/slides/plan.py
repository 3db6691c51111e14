"""What a converted slide will be: its box, size, levels and blocks of work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from workbench.errors import OutOfBoundsError
from workbench.geometry import Box, objective_of_mpp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.geometry import BoxLike
    from workbench.slide.slide import Slide

_BLOCK_PX: Final = 2048
"""Approximate side of the blocks in which a slide is read, in pixels of level 0."""

_FINER: Final = 0.999
_OBJECTIVE: Final = "openslide.objective-power"
_SAME: Final = 1e-6
_TILES: Final = (64, 2048)


@dataclass(frozen=True, slots=True)
class Block:
    """A square of tiles that is read at once."""

    x: int
    """Left edge in pixels of the result; a multiple of the block's side."""

    y: int
    width: int
    """Width in pixels of the result; a multiple of the side of a tile."""

    height: int
    box: Box
    """Box that is read, in level-0 pixels of the slide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionPlan:
    """A part of a slide at a resolution, as a pyramid of square tiles."""

    box: Box
    """Part of the slide, in its level-0 pixels."""

    step: float
    """Level-0 pixels of the slide per pixel of the result."""

    tile_px: int
    """Side of a tile; a multiple of 16."""

    sizes: tuple[tuple[int, int], ...]
    """Width and height of each level, the finest first; each half of the one before,
    rounded up."""

    mpp: float | None
    """Micrometres per pixel of the finest level."""

    objective: float | None
    """Magnification of the objective, scaled with the resolution."""

    @classmethod
    def of(
        cls,
        slide: Slide,
        *,
        box: BoxLike | None = None,
        mpp: float | None = None,
        tile_px: int,
    ) -> Self:
        """Plan a conversion.

        Parameters
        ----------
        slide : Slide
        box : Box, optional
            Part to convert, in level-0 pixels. Default: the whole slide.
        mpp : float, optional
            Micrometres per pixel of the result. Default: that of the slide. It is
            rounded (by less than 1 in 4,000) so that blocks begin at whole pixels.
        tile_px : int
            Side of a tile: 64 to 2,048, a multiple of 16.

        Raises
        ------
        OutOfBoundsError
            If the box is empty, not on the slide, or the resolution finer than that
            of the slide.
        MissingMppError
            If `mpp` is given and the slide's is not known.
        """
        if tile_px % 16 or not _TILES[0] <= tile_px <= _TILES[1]:
            message = f"Tiles of {tile_px} pixels cannot be written."
            raise OutOfBoundsError(message, "Give a multiple of 16 from 64 to 2048.")
        whole = slide.box if box is None else Box.of(box).intersection(slide.box)
        if not whole.area:
            message = f"The box {box} is not on '{slide.name}'."
            raise OutOfBoundsError(message, f"The slide is {slide.box}.")
        step = _step(slide, mpp, _block_px(tile_px))
        width = max(1, round(whole.width / step))
        height = max(1, round(whole.height / step))
        sizes = [(width, height)]
        while max(sizes[-1]) > tile_px:
            width, height = sizes[-1]
            sizes.append((-(-width // 2), -(-height // 2)))
        power = _objective(slide)
        return cls(
            box=whole,
            step=step,
            tile_px=tile_px,
            sizes=tuple(sizes),
            mpp=slide.mpp and slide.mpp * step,
            objective=power and round(power / step, 3),
        )

    @property
    def block_px(self) -> int:
        """Side of a block in pixels of the result."""
        return _block_px(self.tile_px)

    @property
    def block_levels(self) -> int:
        """Number of levels whose tiles a block holds whole."""
        inner = (self.block_px // self.tile_px).bit_length()
        return min(inner, len(self.sizes))

    @property
    def strips(self) -> int:
        """Number of rows of blocks."""
        return -(-self.sizes[0][1] // self.block_px)

    def tiles(self, level: int) -> tuple[int, int]:
        """Return the number of columns and rows of tiles of a level."""
        width, height = self.sizes[level]
        return -(-width // self.tile_px), -(-height // self.tile_px)

    def tiles_of(self, block: Block) -> int:
        """Return the number of tiles of a block."""
        return (block.width // self.tile_px) * (block.height // self.tile_px)

    def blocks(self, strip: int) -> Iterator[Block]:
        """Return the blocks of a row, from left to right."""
        side, tile = self.block_px, self.tile_px
        columns, rows = (count * tile for count in self.tiles(0))
        y = strip * side
        for x in range(0, columns, side):
            width, height = min(side, columns - x), min(side, rows - y)
            corner = round(x * self.step), round(y * self.step)
            size = round(width * self.step), round(height * self.step)
            left, upper = self.box.x0 + corner[0], self.box.y0 + corner[1]
            yield Block(x, y, width, height, Box.at(left, upper, *size))


def _block_px(tile_px: int) -> int:
    doublings = max(0, math.floor(math.log2(_BLOCK_PX / tile_px)))
    return int(tile_px * 2**doublings)


def _step(slide: Slide, mpp: float | None, block_px: int) -> float:
    """Return level-0 pixels per pixel, so that a block has a whole number of them."""
    if mpp is None:
        return 1.0
    step = mpp / slide.require_mpp()
    if step < _FINER:
        message = f"{mpp:g} µm is finer than the {slide.mpp:.4g} µm of '{slide.name}'."
        raise OutOfBoundsError(message, "Give a coarser resolution, or none.")
    return 1.0 if abs(step - 1) < _SAME else round(step * block_px) / block_px


def _objective(slide: Slide) -> float | None:
    """Return the magnification that the file states, else that of its pixel size."""
    try:
        return float(slide.properties[_OBJECTIVE])
    except (KeyError, ValueError):
        return slide.mpp and round(objective_of_mpp(slide.mpp), 1)
