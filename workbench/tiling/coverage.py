"""Coverage of a run: the cores of its finished tiles, within its region.

Densities are counts divided by this area. An area that the run did not process has no
density; one that it processed partly has the density of that part.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import shapely

from workbench.area import Area
from workbench.geometry import Box
from workbench.tiling.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray
    from shapely.geometry.base import BaseGeometry

    from workbench.tissue import Tissue


@dataclass(frozen=True, eq=False)
class Coverage:
    """The part of a slide that a run has processed."""

    grid: Grid
    tiles: NDArray[np.int64]
    """Numbers of the finished tiles, int64 (N,), ascending; without pending and failed
    tiles."""

    region: Box | Area | None = None
    """Region of the run; None: the whole slide."""

    @classmethod
    def of_values(
        cls, grid: Grid, values: NDArray[np.float32], region: Box | Area | None
    ) -> Self:
        """Return the coverage of a raster of values: the tiles that have a value.

        Parameters
        ----------
        grid : Grid
        values : float32 (classes, rows, columns)
            With an integer number of cells along each tile. NaN: not processed, or
            outside the region.
        region : Box or Area, optional
            Region of the run.
        """
        cells = values.shape[1] // grid.rows
        finite = np.isfinite(values[0]).reshape(grid.rows, cells, grid.columns, cells)
        answered = finite.any(axis=(1, 3))
        return cls(grid, np.flatnonzero(answered), region)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return the coverage from the result of `to_dict`."""
        spans = np.array(facts["tiles"], np.int64).reshape(-1, 2)
        tiles = [np.arange(first, first + count) for first, count in spans.tolist()]
        grid = {**facts["grid"], "slide_size": tuple(facts["grid"]["slide_size"])}
        return cls(
            Grid(**grid),
            np.concatenate([np.empty(0, np.int64), *tiles]),
            region_of(facts["region"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-compatible dict; tiles are runs of [first, count]."""
        grid, region = self.grid, self.region
        breaks = np.flatnonzero(np.diff(self.tiles) != 1) + 1
        runs = [part for part in np.split(self.tiles, breaks) if len(part)]
        numbers: Any = region.coordinates if isinstance(region, Area) else None
        if isinstance(region, Box):
            numbers = [region.x0, region.y0, region.x1, region.y1]
        return {
            "grid": {**asdict(grid), "slide_size": list(grid.slide_size)},
            "tiles": [[int(part[0]), len(part)] for part in runs],
            "region": numbers,
        }

    def holds(self, xs: ArrayLike, ys: ArrayLike) -> NDArray[np.bool_]:
        """Return which points (level-0 pixels) are covered: bool (N,)."""
        xs, ys = np.asarray(xs, np.float64), np.asarray(ys, np.float64)
        answered = np.zeros((self.grid.rows + 2, self.grid.columns + 2), bool)
        answered[1:-1, 1:-1].flat[self.tiles] = True
        right, down = self.grid.edges
        inside: NDArray[np.bool_] = answered[
            np.searchsorted(down, ys, "right"), np.searchsorted(right, xs, "right")
        ]
        if self.region is not None:
            inside &= within(self.region, xs, ys)
        return inside

    @cached_property
    def shape(self) -> BaseGeometry:
        """Outline, in level-0 pixels."""
        answered = np.zeros((self.grid.rows, self.grid.columns), bool)
        answered.flat[self.tiles] = True
        shape = _outline_cells(answered, *self.grid.edges)
        if self.region is None:
            return shape
        return _intersection(shape, shape_of(self.region))

    def px(self, place: Box | Area | Tissue | None = None) -> float:
        """Return the covered area of a place, in level-0 pixels; None: of the slide."""
        if place is None:
            return float(self.shape.area)
        if self.region is None and not isinstance(place, Box | Area):
            cores = [self.grid.core(tile) for tile in self.tiles.tolist()]
            areas = np.array([core.area for core in cores], np.float64)
            return float(areas @ place.fractions(cores))
        return float(_intersection(self.shape, shape_of(place)).area)


def region_of(region: Any) -> Box | Area | None:
    """Return the region of a recipe as a box or an area; None: the whole slide."""
    if region is None:
        return None
    if all(isinstance(edge, int) for edge in region):
        return Box(*region)
    return Area.of(region)


def within(
    place: Box | Area | Tissue,
    x: NDArray[np.floating[Any]],
    y: NDArray[np.floating[Any]],
) -> NDArray[np.bool_]:
    """Return which points are inside a box, an area or tissue: bool (N,)."""
    if isinstance(place, Box):
        inside: NDArray[np.bool_] = (x >= place.x0) & (x < place.x1)
        return inside & (y >= place.y0) & (y < place.y1)
    if isinstance(place, Area):
        return place.holds(x, y)
    rows, columns = (np.floor(at / place.downsample).astype(np.int64) for at in (y, x))
    height, width = place.mask.shape
    on: NDArray[np.bool_] = (
        (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    )
    on[on] = place.mask[rows[on], columns[on]]
    return on


def covered_px(
    right: NDArray[np.float64], down: NDArray[np.float64], region: Box | Area | None
) -> NDArray[np.float64]:
    """Return the area of each cell that a region covers, in level-0 pixels.

    Parameters
    ----------
    right, down : float64 (columns + 1,) and (rows + 1,)
        Edges of the cells along x and y, ascending.
    region : Box or Area, optional
        None: cells are covered completely.

    Returns
    -------
    float64 (rows, columns)
    """
    if isinstance(region, Box):
        right = np.clip(right, region.x0, region.x1)
        down = np.clip(down, region.y0, region.y1)
    whole = np.outer(np.diff(down), np.diff(right))
    if not isinstance(region, Area):
        return whole
    # Crop first: an outline may have very many points.
    hull = shapely.box(right[0], down[0], right[-1], down[-1])
    near = _intersection(hull, region.shape)
    if near.area >= hull.area:
        return whole
    cells = shapely.box(right[:-1], down[:-1, None], right[1:], down[1:, None])
    areas: NDArray[np.float64] = shapely.area(_intersection(cells, near))
    return areas


def shape_of(place: Box | Area | Tissue) -> BaseGeometry:
    """Return the outline of a box, an area or tissue, in level-0 pixels."""
    if isinstance(place, Box):
        return shapely.box(place.x0, place.y0, place.x1, place.y1)
    if isinstance(place, Area):
        return place.shape
    rows, columns = place.mask.shape
    right, down = (np.arange(n + 1) * place.downsample for n in (columns, rows))
    return _outline_cells(place.mask, right, down)


def _outline_cells(
    mask: NDArray[np.bool_], right: NDArray[np.float64], down: NDArray[np.float64]
) -> BaseGeometry:
    """Return the outline of the cells of a mask; `right`, `down`: edges along x, y."""
    steps = np.diff(mask.astype(np.int8), axis=1, prepend=0, append=0)
    rows, first = np.nonzero(steps == 1)
    _, last = np.nonzero(steps == -1)
    boxes = shapely.box(right[first], down[rows], right[last], down[rows + 1])
    return shapely.unary_union(boxes)


def _intersection(one: Any, other: BaseGeometry) -> Any:
    return shapely.intersection(one, other)
