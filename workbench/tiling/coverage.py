"""What a run covered: the cores of the tiles it answered, within the region asked for.

Whatever is counted is divided by this area. A place that the run did not look at has no
density, and one that it looked at in part has that of the part.
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
    """The part of a slide in which a run has looked for something."""

    grid: Grid
    tiles: NDArray[np.int64]
    """Numbers of the tiles that are answered, int64 (N,), in order; neither those that
    are still to come nor those that failed."""

    region: Box | Area | None = None
    """What was asked for; None: the whole slide."""

    @classmethod
    def of_values(
        cls, grid: Grid, values: NDArray[np.float32], region: Box | Area | None
    ) -> Self:
        """Return what a raster of values covers: the tiles that have one.

        Parameters
        ----------
        grid : Grid
        values : float32 (classes, rows, columns)
            With a whole number of cells along each tile. NaN: there is no answer, or
            the cell lies outside the region.
        region : Box or Area, optional
            What was asked for.
        """
        cells = values.shape[1] // grid.rows
        known = np.isfinite(values[0]).reshape(grid.rows, cells, grid.columns, cells)
        answered = known.any(axis=(1, 3))
        return cls(grid, np.flatnonzero(answered), region)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on."""
        spans = np.array(facts["tiles"], np.int64).reshape(-1, 2)
        tiles = [np.arange(first, first + count) for first, count in spans.tolist()]
        known = {**facts["grid"], "slide_size": tuple(facts["grid"]["slide_size"])}
        return cls(
            Grid(**known),
            np.concatenate([np.empty(0, np.int64), *tiles]),
            region_of(facts["region"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON: tiles as stretches of [first, number]."""
        grid, region = self.grid, self.region
        breaks = np.flatnonzero(np.diff(self.tiles) != 1) + 1
        stretches = [part for part in np.split(self.tiles, breaks) if len(part)]
        asked: Any = region.coordinates if isinstance(region, Area) else None
        if isinstance(region, Box):
            asked = [region.x0, region.y0, region.x1, region.y1]
        return {
            "grid": {**asdict(grid), "slide_size": list(grid.slide_size)},
            "tiles": [[int(part[0]), len(part)] for part in stretches],
            "region": asked,
        }

    def holds(self, xs: ArrayLike, ys: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points (level-0 pixels) lie in it: bool (N,)."""
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
        """Its outline, in level-0 pixels."""
        answered = np.zeros((self.grid.rows, self.grid.columns), bool)
        answered.flat[self.tiles] = True
        shape = _strips(answered, *self.grid.edges)
        return shape if self.region is None else _shared(shape, shape_of(self.region))

    def px(self, place: Box | Area | Tissue | None = None) -> float:
        """Return how much of a place is covered, in level-0 pixels; None: all of it."""
        if place is None:
            return float(self.shape.area)
        if self.region is None and not isinstance(place, Box | Area):
            cores = [self.grid.core(tile) for tile in self.tiles.tolist()]
            areas = np.array([core.area for core in cores], np.float64)
            return float(areas @ place.fractions(cores))
        return float(_shared(self.shape, shape_of(place)).area)


def region_of(asked: Any) -> Box | Area | None:
    """Return the region of a recipe as a place; None: the whole slide."""
    if asked is None:
        return None
    if all(isinstance(edge, int) for edge in asked):
        return Box(*asked)
    return Area.of(asked)


def within(
    place: Box | Area | Tissue,
    x: NDArray[np.floating[Any]],
    y: NDArray[np.floating[Any]],
) -> NDArray[np.bool_]:
    """Tell which points lie in a place: bool (N,)."""
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
    """Return how much of each cell a region covers, in level-0 pixels: (rows, columns).

    Parameters
    ----------
    right, down : float64 (columns + 1,) and (rows + 1,)
        Edges of the cells along x and y, in growing order.
    region : Box or Area, optional
        None: the cells count whole.
    """
    if isinstance(region, Box):
        right = np.clip(right, region.x0, region.x1)
        down = np.clip(down, region.y0, region.y1)
    whole = np.outer(np.diff(down), np.diff(right))
    if not isinstance(region, Area):
        return whole
    # First what is near: an outline may have very many points.
    hull = shapely.box(right[0], down[0], right[-1], down[-1])
    near = _shared(hull, region.shape)
    if near.area >= hull.area:
        return whole
    cells = shapely.box(right[:-1], down[:-1, None], right[1:], down[1:, None])
    areas: NDArray[np.float64] = shapely.area(_shared(cells, near))
    return areas


def shape_of(place: Box | Area | Tissue) -> BaseGeometry:
    """Return the outline of a place, in level-0 pixels."""
    if isinstance(place, Box):
        return shapely.box(place.x0, place.y0, place.x1, place.y1)
    if isinstance(place, Area):
        return place.shape
    rows, columns = place.mask.shape
    right, down = (np.arange(n + 1) * place.downsample for n in (columns, rows))
    return _strips(place.mask, right, down)


def _strips(
    mask: NDArray[np.bool_], right: NDArray[np.float64], down: NDArray[np.float64]
) -> BaseGeometry:
    """Return the outline of cells whose edges along x and y are given."""
    steps = np.diff(mask.astype(np.int8), axis=1, prepend=0, append=0)
    rows, first = np.nonzero(steps == 1)
    _, last = np.nonzero(steps == -1)
    boxes = shapely.box(right[first], down[rows], right[last], down[rows + 1])
    return shapely.unary_union(boxes)


def _shared(one: Any, other: BaseGeometry) -> Any:
    return shapely.intersection(one, other)
