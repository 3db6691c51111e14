"""Blending of results that reach beyond the core of their tile."""

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
    """Return an empty raster for the results of a model."""
    if card.blend_cells:
        return BlendedRaster(grid, len(card.classes), card.cells, card.blend_cells)
    return Raster(grid, len(card.classes), card.cells)


class BlendedRaster(Raster):
    """A raster of results that reach a few cells into the cores around their own.

    Overlapping results are averaged with weights that change smoothly from one core to
    the next (raised cosines, which sum to 1), so there is no visible seam. Tiles with
    the same parity of row and column never overlap: each of the four combinations has
    its own plane, and the planes are always summed in the same order. So the values do
    not depend on the order of the tiles, bit for bit, and a later result of a tile
    replaces the earlier one. It uses five times the memory of a `Raster`.

    A cell has a value if the tile whose core contains it has one.

    Parameters
    ----------
    grid : Grid
    classes, cells : int
        As for a `Raster`.
    reach : int
        Cells that a result reaches beyond its core, at most half of `cells`; results
        are (N, classes, cells + 2 * reach, cells + 2 * reach).
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

    def _put(self, results: TileResults) -> None:
        for tile, values in zip(results.tiles.tolist(), results.values, strict=True):
            row, column = divmod(tile, self._columns)
            y, x = row * self._cells, column * self._cells
            plane = self._planes[row % 2, column % 2]
            plane[:, y : y + self._side, x : x + self._side] = values
            self._blend(y, x)

    def _blend(self, y: int, x: int) -> None:
        """Recompute the average of the cells of a result, from its row and column."""
        window = np.s_[..., y : y + self._side, x : x + self._side]
        total, weights = np.zeros((2, *self._planes[0, 0][window].shape))
        own = np.zeros(total.shape[1:], bool)
        for i, j in itertools.product((0, 1), (0, 1)):
            values = self._planes[i, j][window]
            present = ~np.isnan(values)
            down, owned_down = (p[i, y : y + self._side] for p in self._down)
            right, owned_right = (p[j, x : x + self._side] for p in self._right)
            weight = np.outer(down, right) * present
            total += weight * np.where(present, values, 0)
            weights += weight
            own |= np.outer(owned_down, owned_right) & present[0]
        blended = np.where(
            own, total / np.maximum(weights, np.finfo(float).tiny), np.nan
        )
        self._store(blended.astype(np.float32), y - self._reach, x - self._reach)

    def _store(self, blended: NDArray[np.float32], y: int, x: int) -> None:
        """Store the part of blended values that lies on the raster."""
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

    Both have the shape (2, length + 2 * reach) and start `reach` cells before the
    first core.
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
