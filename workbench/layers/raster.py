"""Which cell of a raster lies under each pixel of a tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.layers.layer import Pyramid

Cell = TypeVar("Cell", np.uint8, np.float32)

Place = tuple[int, int, int]
"""Zoom, column and row of a tile."""


def cells_under(
    pyramid: Pyramid, place: Place, cell: float, *, margin: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the raster's rows and columns under the pixels of a tile.

    A pixel shows the cell in which its centre lies; so a cell is painted where it
    is at every zoom, whether or not its side is a whole number of pixels. Indices
    may lie outside the raster.

    Parameters
    ----------
    place : tuple
        (z, x, y) of the tile.
    cell : float
        Side of a cell in level-0 pixels.
    margin : int
        Pixels more on each side of the tile.

    Returns
    -------
    rows, columns : int64 (tile_px + 2 * margin,)

    Raises
    ------
    OutOfBoundsError
        If the pyramid has no such tile.
    """
    box = pyramid.box(*place)
    centres = np.arange(-margin, pyramid.tile_px + margin) + 0.5
    at = centres * pyramid.downsample(place[0])
    rows = np.floor((box.y0 + at) / cell).astype(np.int64)
    columns = np.floor((box.x0 + at) / cell).astype(np.int64)
    return rows, columns


def take_cells(
    raster: NDArray[Cell],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    *,
    outside: float,
) -> NDArray[Cell]:
    """Return the raster's values at `rows` x `columns`, `outside` where it has none."""
    height, width = raster.shape
    inside = np.ix_(np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1))
    values: NDArray[Cell] = raster[inside]
    values[(rows < 0) | (rows >= height)] = outside
    values[:, (columns < 0) | (columns >= width)] = outside
    return values
