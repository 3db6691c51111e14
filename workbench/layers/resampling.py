"""Resampling of rasters to tiles: cells at their exact place, or interpolated."""

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
        return self.within(spread)

    def within(self, pixels: NDArray[Each]) -> NDArray[Each]:
        """Return pixels of the tile, which are changed: 0 outside the area."""
        if self.inside is not None:
            pixels[~self.inside] = 0
        return pixels


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
        inside = self.inside(place)
        return TileCells(np.stack(values), down, right, requested, inside)

    def interpolated(
        self, place: Place, channel: int, *, margin: int = 0
    ) -> NDArray[np.float32]:
        """Return the values of one class, interpolated between the centres of cells.

        Bilinear, over the cells that have a value. A pixel whose own cell has none is
        NaN, so that as much is covered as without interpolation; the area of a run is
        not cut out.

        Parameters
        ----------
        place : tuple
            (z, x, y) of the tile.
        channel : int
            Number of the class.
        margin : int
            Additional pixels on each side of the tile.

        Returns
        -------
        float32 (tile_px + 2 * margin, tile_px + 2 * margin)

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        heatmap, pyramid = self.heatmap, self._pyramid
        mipmap = self._mipmap(heatmap)
        level = mipmap.level_for(pyramid.downsample(place[0]) / heatmap.cell)
        cell = heatmap.cell * 2**level
        box = pyramid.box(*place)
        centres = np.arange(-margin, pyramid.tile_px + margin) + 0.5
        at = centres * pyramid.downsample(place[0])
        raster = mipmap.at(level, channel, self._summary)
        return _bilinear(
            raster,
            (box.y0 - self._origin[1] + at) / cell,
            (box.x0 - self._origin[0] + at) / cell,
        )

    def _mipmap(self, heatmap: Heatmap) -> Mipmap:
        if heatmap.overview is not None:
            return heatmap.overview
        if not self._own.is_of(heatmap.values):
            self._own = Mipmap(heatmap.values)
        return self._own

    def inside(self, place: Place) -> NDArray[np.bool_] | None:
        """Return which pixels of a tile are in the area of the run; None: all.

        Returns
        -------
        bool (tile_px, tile_px) or None
        """
        heatmap = self.heatmap
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


def _bilinear(
    raster: NDArray[np.float32], down: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return values between the centres of cells; NaN where the own cell has none.

    Parameters
    ----------
    raster : float32 (rows, columns)
    down, right : float64 (H,), (W,)
        Ascending places, in cells from the raster's upper left corner.
    """
    rows, upper = _weights(down)
    columns, left = _weights(right)
    near = take_cells(raster, rows, columns, outside=np.nan)
    known = ~np.isnan(near)
    # In places of `near`, whose rows and columns follow each other without a gap.
    at = [np.floor(where - 0.5).astype(np.intp) for where in (down, right)]
    first = (at[0] - rows[0], at[1] - columns[0])
    total = _blend(np.where(known, near, 0), first, (upper, left))
    weight = _blend(known.astype(np.float32), first, (upper, left))
    own = (np.floor(down).astype(np.intp), np.floor(right).astype(np.intp))
    has_value = _spread(known, own[0] - rows[0], own[1] - columns[0])
    values = np.full_like(total, np.nan)
    np.divide(total, weight, out=values, where=has_value & (weight > 0))
    return values


def _weights(at: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the cells that places lie between, and how far each is from its first."""
    first = np.floor(at - 0.5)
    cells = np.arange(int(first[0]), int(first[-1]) + 2)
    return cells, (at - 0.5 - first).astype(np.float32)


def _blend(
    cells: NDArray[np.float32],
    first: tuple[NDArray[np.intp], NDArray[np.intp]],
    shares: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Return cells mixed with the next ones along both axes, by their shares."""
    down, right = first
    lower, further = shares[0][:, None], shares[1]
    rows = cells.take(down, 0) * (1 - lower) + cells.take(down + 1, 0) * lower
    near, next_ = rows.take(right, 1), rows.take(right + 1, 1)
    blended = near * (1 - further) + next_ * further
    return blended.astype(np.float32, copy=False)
