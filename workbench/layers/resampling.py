"""Nearest-neighbour resampling of rasters to tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from workbench.results.heatmap import Heatmap
from workbench.results.mipmap import Mipmap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.layers.layer import Pyramid
    from workbench.results.mipmap import Summary

Cell = TypeVar("Cell", np.uint8, np.float32)
Each = TypeVar("Each", np.uint8, np.bool_)

Place = tuple[int, int, int]
"""Zoom, column and row of a tile."""


def cells_under(
    pyramid: Pyramid,
    place: Place,
    cell: float,
    *,
    margin: int = 0,
    origin: tuple[float, float] = (0.0, 0.0),
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the raster's rows and columns under the pixels of a tile.

    A pixel shows the cell that contains its centre, so cells are drawn at their exact
    place at every zoom, even if their side is not a whole number of pixels. Indices
    may lie outside the raster.

    Parameters
    ----------
    place : tuple
        (z, x, y) of the tile.
    cell : float
        Side of a cell in level-0 pixels.
    margin : int
        Additional pixels on each side of the tile.
    origin : (float, float)
        Upper left corner of the raster, in level-0 pixels.

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
    rows = np.floor((box.y0 - origin[1] + at) / cell).astype(np.int64)
    columns = np.floor((box.x0 - origin[0] + at) / cell).astype(np.int64)
    return rows, columns


def take_cells(
    raster: NDArray[Cell],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    *,
    outside: float,
) -> NDArray[Cell]:
    """Return the raster's values at `rows` x `columns`, and `outside` beyond its edge.

    `rows` and `columns` must be in ascending order.
    """
    height, width = raster.shape
    down, right = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top, left = down[0], right[0]
    near = raster[top : down[-1] + 1, left : right[-1] + 1]
    values: NDArray[Cell] = _spread(near, down - top, right - left)
    values[(rows < 0) | (rows >= height)] = outside
    values[:, (columns < 0) | (columns >= width)] = outside
    return values


def _spread(
    cells: NDArray[Any], down: NDArray[np.intp], right: NDArray[np.intp]
) -> NDArray[Any]:
    """Return cells at `down` x `right`, by axis: faster than indexing each pixel."""
    return cells.take(right, axis=1).take(down, axis=0)


class HeatmapSource(Protocol):
    """Something with a heatmap that may grow, such as a run."""

    @property
    def heatmap(self) -> Heatmap:
        """The current heatmap."""


@dataclass(frozen=True, eq=False, slots=True)
class TileCells:
    """The cells of a heatmap under the pixels of a tile."""

    values: NDArray[np.float32]
    """float32 (classes, rows, columns), each cell once; NaN if it has no value."""

    down: NDArray[np.intp]
    """Row in `values` of each row of pixels, (tile_px,)."""

    right: NDArray[np.intp]
    """Column in `values` of each column of pixels, (tile_px,)."""

    requested: NDArray[np.bool_]
    """Pixels that the run computes, bool (tile_px, tile_px)."""

    inside: NDArray[np.bool_] | None = None
    """Pixels inside the area of the run, bool (tile_px, tile_px); None: all."""

    @property
    def pending(self) -> NDArray[np.bool_]:
        """Pixels that are requested and have no value, bool (tile_px, tile_px)."""
        unknown = self.spread(np.isnan(self.values[0]))
        pending: NDArray[np.bool_] = self.requested & unknown
        return pending

    def spread(self, cells: NDArray[Each]) -> NDArray[Each]:
        """Return the value of each pixel from that of each cell; 0 outside the area."""
        spread: NDArray[Each] = _spread(cells, self.down, self.right)
        if self.inside is not None:
            spread[~self.inside] = 0
        return spread


class HeatmapTiles:
    """The values of a heatmap, or the current values of a run, tile by tile.

    Several cells under one pixel are summarized, so that no cell is missed at low
    zooms.

    Parameters
    ----------
    source : Run or Heatmap
    pyramid : Pyramid
        Pyramid of the slide.
    summary : {"mean", "highest"}
        Summary of the cells under one pixel.
    origin : (float, float)
        Upper left corner of the raster, in level-0 pixels.
    """

    def __init__(
        self,
        source: HeatmapSource | Heatmap,
        pyramid: Pyramid,
        summary: Summary = "mean",
        *,
        origin: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self._origin = origin
        self._source = source
        self._pyramid = pyramid
        self._summary = summary
        self._own = Mipmap(self.heatmap.values)

    @property
    def heatmap(self) -> Heatmap:
        """The current heatmap."""
        source = self._source
        return source if isinstance(source, Heatmap) else source.heatmap

    def cells(self, place: Place, channels: Sequence[int]) -> TileCells:
        """Return the values of some classes under a tile.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        heatmap = self.heatmap
        mipmap = self._mipmap(heatmap)
        level = mipmap.level_for(self._pyramid.downsample(place[0]) / heatmap.cell)
        rows, columns = cells_under(
            self._pyramid, place, heatmap.cell * 2**level, origin=self._origin
        )
        # Each cell is read once, however many pixels it covers.
        own_rows, down = np.unique(rows, return_inverse=True)
        own_columns, right = np.unique(columns, return_inverse=True)
        values = [
            take_cells(raster, own_rows, own_columns, outside=np.nan)
            for raster in (mipmap.at(level, i, self._summary) for i in channels)
        ]
        requested = self._requested(heatmap, place)
        inside = self._inside(heatmap, place)
        return TileCells(np.stack(values), down, right, requested, inside)

    def _mipmap(self, heatmap: Heatmap) -> Mipmap:
        if heatmap.overview is not None:
            return heatmap.overview
        if not self._own.is_of(heatmap.values):
            self._own = Mipmap(heatmap.values)
        return self._own

    def _inside(self, heatmap: Heatmap, place: Place) -> NDArray[np.bool_] | None:
        if heatmap.region is None:
            return None
        box = self._pyramid.box(*place)
        centres = np.arange(self._pyramid.tile_px) + 0.5
        at = centres * self._pyramid.downsample(place[0])
        return heatmap.region.lattice(box.x0 + at, box.y0 + at)

    def _requested(self, heatmap: Heatmap, place: Place) -> NDArray[np.bool_]:
        tiles = heatmap.selected
        if tiles is None:
            return np.zeros((self._pyramid.tile_px,) * 2, bool)
        side = heatmap.cell * (heatmap.values.shape[1] // tiles.shape[0])
        rows, columns = cells_under(self._pyramid, place, side, origin=self._origin)
        requested: NDArray[np.bool_] = (
            take_cells(tiles.view(np.uint8), rows, columns, outside=0) > 0
        )
        return requested
