"""Answers that reach beyond their cores, blended with those of their neighbours."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from workbench.results.tile_results import Raster

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.models.card import ModelCard
    from workbench.results.tile_results import TileResults
    from workbench.tiling.grid import Grid


def raster_of(grid: Grid, card: ModelCard) -> Raster:
    """Return an empty raster for the answers of a model."""
    if card.blend_cells:
        return BlendedRaster(grid, len(card.classes), card.cells, card.blend_cells)
    return Raster(grid, len(card.classes), card.cells)


class BlendedRaster(Raster):
    """Answers of which each reaches a few cells into the cores around its own.

    Where several reach, they are averaged with weights that go smoothly from one core
    to the next (raised cosines, which sum to 1), so that no seam is left. Tiles of the
    same parity of row and column never meet: each of the four kinds is kept in a
    plane of its own, and the planes are always summed in the same order. So the values
    are the same, bit for bit, in whichever order tiles were answered, and a tile that
    is answered again replaces its earlier answer. It takes five times the memory of a
    `Raster`.

    A cell has a value where the tile whose core it is in has one.

    Parameters
    ----------
    grid : Grid
    classes, cells : int
        As of a `Raster`.
    reach : int
        How many cells an answer reaches beyond its core, at most half of `cells`;
        answers are (N, classes, cells + 2 * reach, cells + 2 * reach).
    """

    def __init__(self, grid: Grid, classes: int, cells: int, reach: int) -> None:
        super().__init__(grid, classes, cells)
        self._reach = reach
        self._side = cells + 2 * reach
        _, rows, columns = self.values.shape
        self._down = _profiles(rows, cells, reach)
        self._right = _profiles(columns, cells, reach)
        shape = (2, 2, classes, rows + 2 * reach, columns + 2 * reach)
        self._planes = np.full(shape, np.nan, np.float32)

    def _place(self, answers: TileResults) -> None:
        for tile, values in zip(answers.tiles.tolist(), answers.values, strict=True):
            row, column = divmod(tile, self._columns)
            y, x = row * self._cells, column * self._cells
            plane = self._planes[row % 2, column % 2]
            plane[:, y : y + self._side, x : x + self._side] = values
            self._blend(y, x)

    def _blend(self, y: int, x: int) -> None:
        """Average anew what an answer reaches, from its first row and column on."""
        here = np.s_[..., y : y + self._side, x : x + self._side]
        total, weights = np.zeros((2, *self._planes[0, 0][here].shape))
        own = np.zeros(total.shape[1:], bool)
        for i, j in itertools.product((0, 1), (0, 1)):
            values = self._planes[i, j][here]
            known = ~np.isnan(values)
            down, mine_down = (p[i, y : y + self._side] for p in self._down)
            right, mine_right = (p[j, x : x + self._side] for p in self._right)
            weight = np.outer(down, right) * known
            total += weight * np.where(known, values, 0)
            weights += weight
            own |= np.outer(mine_down, mine_right) & known[0]
        blended = np.where(
            own, total / np.maximum(weights, np.finfo(float).tiny), np.nan
        )
        self._put(blended.astype(np.float32), y - self._reach, x - self._reach)

    def _put(self, blended: NDArray[np.float32], y: int, x: int) -> None:
        """Keep what lies on the raster of values that begin at a row and column."""
        _, height, width = self.values.shape
        rows = np.arange(max(0, y), min(height, y + self._side))
        columns = np.arange(max(0, x), min(width, x + self._side))
        inside = np.s_[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        self.values[inside] = blended[:, rows - y][:, :, columns - x]
        self.overview.touch(rows[:, None], columns[None])


def _profiles(
    length: int, cells: int, reach: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the weights of even and odd tiles along a side, and where they are owners.

    Both are (2, length + 2 * reach), from `reach` cells before the first core on.
    """
    at = np.arange(-reach, length + reach)
    within = np.stack([(at + cells * odd + reach) % (2 * cells) for odd in (0, 1)])
    rising = np.sin(np.pi / 2 * (np.arange(2 * reach) + 0.5) / (2 * reach)) ** 2
    period = np.zeros(2 * cells)
    period[: 2 * reach] += rising
    period[2 * reach : cells] = 1
    period[cells : cells + 2 * reach] += rising[::-1]
    owner = ((within >= reach) & (within < reach + cells)).astype(bool)
    return period[within], owner
