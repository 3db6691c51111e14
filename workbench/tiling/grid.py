"""Tile grid over a slide; the cores of its tiles partition the slide.

A *tile* is the input of a model; its *core* is the part that the output is used for.
Cores have no gaps and no overlaps at any resolution, because their edges are rounded
from one common raster; so outputs of neighbouring tiles never conflict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.area import Area
from workbench.errors import OutOfBoundsError
from workbench.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_WHOLE: Final = 1e-6
"""Tolerance in tile pixels within which a position counts as an integer."""


@dataclass(frozen=True, slots=True)
class Grid:
    """All tiles of one size and resolution over one slide, numbered row by row."""

    slide_size: tuple[int, int]
    """Width and height of the slide, in level-0 pixels."""

    downsample: float
    """Level-0 pixels per tile pixel."""

    tile_px: int
    """Side of a tile, in tile pixels."""

    margin_px: int = 0
    """Width of the border of a tile around its core, in tile pixels."""

    def __post_init__(self) -> None:
        """Refuse a grid without a core or a slide."""
        if (
            min(self.slide_size) < 1
            or not math.isfinite(self.downsample)
            or not 0 <= 2 * self.margin_px < self.tile_px
            or self.step < 1
        ):
            message = f"{self} has no tiles."
            raise OutOfBoundsError(message, "Give a positive size and a core.")

    @property
    def step(self) -> float:
        """Side of a core, in level-0 pixels (not necessarily an integer)."""
        return (self.tile_px - 2 * self.margin_px) * self.downsample

    @property
    def columns(self) -> int:
        """Number of tiles along x."""
        return self._count(self.slide_size[0])

    @property
    def rows(self) -> int:
        """Number of tiles along y."""
        return self._count(self.slide_size[1])

    def __len__(self) -> int:
        """Return the number of tiles."""
        return self.rows * self.columns

    def place(self, index: int) -> tuple[int, int]:
        """Return (row, column) of a tile."""
        if not 0 <= index < len(self):
            raise _no_tile_error(index, len(self))
        return divmod(index, self.columns)

    def core(self, index: int) -> Box:
        """Return the core of a tile; clipped to the slide."""
        row, column = self.place(index)
        width, height = self.slide_size
        return Box(
            round(column * self.step),
            round(row * self.step),
            min(width, round((column + 1) * self.step)),
            min(height, round((row + 1) * self.step)),
        )

    def tile(self, index: int) -> Box:
        """Return the box of a tile; it may extend beyond the slide."""
        return self.tiles([index])[0]

    def tiles(self, indices: Iterable[int]) -> list[Box]:
        """Return the boxes of tiles; they may extend beyond the slide."""
        count, columns, step = len(self), self.columns, self.step
        margin = self.margin_px * self.downsample
        side = round(self.tile_px * self.downsample)
        boxes = []
        for index in indices:
            if not 0 <= index < count:
                raise _no_tile_error(index, count)
            row, column = divmod(index, columns)
            x, y = round(column * step - margin), round(row * step - margin)
            boxes.append(Box(x, y, x + side, y + side))
        return boxes

    @property
    def edges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Edges of the cores along x (columns + 1) and along y (rows + 1)."""
        width, height = self.slide_size
        return self._edges(width), self._edges(height)

    def on_slide(self, index: int) -> Box:
        """Return the box of the pixels of a tile that show the slide, in tile pixels.

        Pixels that the edge of the slide cuts are excluded, unless there are no others.
        """
        box = self.tile(index)
        scale = box.width / self.tile_px
        width, height = self.slide_size
        x0, x1 = _integer_range(-box.x0 / scale, (width - box.x0) / scale, self.tile_px)
        y0, y1 = _integer_range(
            -box.y0 / scale, (height - box.y0) / scale, self.tile_px
        )
        return Box(x0, y0, x1, y1)

    def centres(self) -> NDArray[np.float64]:
        """Return the centres (x, y) of all cores, float64 of shape (len, 2)."""
        return np.stack(np.meshgrid(*self._middles()), axis=-1).reshape(-1, 2)

    def inside(self, where: Box | Area) -> NDArray[np.int64]:
        """Return the tiles whose core has its centre in `where`, ascending."""
        x, y = self._middles()
        if isinstance(where, Area):
            return np.flatnonzero(where.lattice(x, y))
        hit_x = (x >= where.x0) & (x < where.x1)
        hit_y = (y >= where.y0) & (y < where.y1)
        return np.flatnonzero(hit_y[:, None] & hit_x)

    def touching(self, where: Box | Area) -> NDArray[np.int64]:
        """Return the tiles whose core overlaps `where`, ascending."""
        if isinstance(where, Area):
            near = self.touching(where.box)
            return near[where.touches(map(self.core, near.tolist()))]
        box = where
        x, y = map(self._edges, self.slide_size)
        if not box.area:
            return np.empty(0, np.int64)
        hit_x = (x[:-1] < box.x1) & (x[1:] > box.x0)
        hit_y = (y[:-1] < box.y1) & (y[1:] > box.y0)
        return np.flatnonzero(hit_y[:, None] & hit_x)

    def _count(self, length: int) -> int:
        """Return the number of cores along a side.

        A remainder at the end that rounds to 0 pixels is not a core.
        """
        count = math.ceil(length / self.step)
        return count - (round((count - 1) * self.step) >= length)

    def _middles(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the centres of all cores along x, and along y."""
        x, y = map(self._edges, self.slide_size)
        return (x[:-1] + x[1:]) / 2, (y[:-1] + y[1:]) / 2

    def _edges(self, length: int) -> NDArray[np.float64]:
        """Return the edges of the cores along a side, float64 (count + 1,)."""
        edges: NDArray[np.float64] = np.rint(
            np.arange(self._count(length) + 1) * self.step
        )
        return np.minimum(edges, length)


def _integer_range(first: float, last: float, side: int) -> tuple[int, int]:
    """Return the range of whole pixels between two positions, at least one pixel."""
    low = min(max(0, math.ceil(first - _WHOLE)), side - 1)
    return low, max(low + 1, min(side, math.floor(last + _WHOLE)))


def _no_tile_error(index: int, count: int) -> OutOfBoundsError:
    return OutOfBoundsError(f"There is no tile {index} in a grid of {count}.")
