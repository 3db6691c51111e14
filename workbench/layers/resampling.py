"""Which cells of a raster lie under each pixel of a tile."""

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
    """Return the raster's values at `rows` x `columns`, `outside` where it has none.

    Both in ascending order, as under a tile.
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
    """Return cells at `down` x `right`; that is faster than to look up each pixel."""
    return cells.take(right, axis=1).take(down, axis=0)


class HasHeatmap(Protocol):
    """What a run is to a layer."""

    @property
    def heatmap(self) -> Heatmap:
        """The values so far."""


@dataclass(frozen=True, eq=False, slots=True)
class Under:
    """What of a heatmap lies under the pixels of a tile."""

    values: NDArray[np.float32]
    """float32 (classes, rows, columns), each cell once; NaN where there is none."""

    down: NDArray[np.intp]
    """The row of each row of pixels, (tile_px,)."""

    right: NDArray[np.intp]
    """The column of each column of pixels, (tile_px,)."""

    asked: NDArray[np.bool_]
    """Which pixels are asked for, bool (tile_px, tile_px)."""

    inside: NDArray[np.bool_] | None = None
    """Which pixels the values are of, bool (tile_px, tile_px); None: all."""

    @property
    def pending(self) -> NDArray[np.bool_]:
        """Which are asked for and have no value, bool (tile_px, tile_px)."""
        unknown = self.spread(np.isnan(self.values[0]))
        pending: NDArray[np.bool_] = self.asked & unknown
        return pending

    def spread(self, cells: NDArray[Each]) -> NDArray[Each]:
        """Return what is known of each cell for each pixel; 0 where that is nothing."""
        spread: NDArray[Each] = _spread(cells, self.down, self.right)
        if self.inside is not None:
            spread[~self.inside] = 0
        return spread


class Values:
    """The values of a heatmap, or of a run as they are by then, under tiles.

    A pixel that many cells lie under has what sums them up, so that nothing is missed
    where a cell is smaller than a pixel.

    Parameters
    ----------
    source : Run or Heatmap
    pyramid : Pyramid
        Of the slide that it lies over.
    summary : {"mean", "highest"}
        Of the cells under one pixel.
    """

    def __init__(
        self,
        source: HasHeatmap | Heatmap,
        pyramid: Pyramid,
        summary: Summary = "mean",
    ) -> None:
        self._source = source
        self._pyramid = pyramid
        self._summary = summary
        self._own = Mipmap(self.heatmap.values)

    @property
    def heatmap(self) -> Heatmap:
        """All values, as they are now."""
        source = self._source
        return source if isinstance(source, Heatmap) else source.heatmap

    def under(self, place: Place, channels: Sequence[int]) -> Under:
        """Return the values of some classes under a tile.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        heatmap = self.heatmap
        overview = self._overview(heatmap)
        level = overview.level_for(self._pyramid.downsample(place[0]) / heatmap.cell)
        rows, columns = cells_under(self._pyramid, place, heatmap.cell * 2**level)
        # Each cell is looked at once, however many pixels it fills.
        own_rows, down = np.unique(rows, return_inverse=True)
        own_columns, right = np.unique(columns, return_inverse=True)
        values = [
            take_cells(raster, own_rows, own_columns, outside=np.nan)
            for raster in (overview.at(level, i, self._summary) for i in channels)
        ]
        asked, inside = self._asked(heatmap, place), self._inside(heatmap, place)
        return Under(np.stack(values), down, right, asked, inside)

    def _overview(self, heatmap: Heatmap) -> Mipmap:
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

    def _asked(self, heatmap: Heatmap, place: Place) -> NDArray[np.bool_]:
        asked = heatmap.asked
        if asked is None:
            return np.zeros((self._pyramid.tile_px,) * 2, bool)
        side = heatmap.cell * (heatmap.values.shape[1] // asked.shape[0])
        rows, columns = cells_under(self._pyramid, place, side)
        inside: NDArray[np.bool_] = (
            take_cells(asked.view(np.uint8), rows, columns, outside=0) > 0
        )
        return inside
