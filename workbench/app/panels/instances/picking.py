"""Selection of instances on the slide: by a click, and within a drawn region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

_POINT: Final = 2
"""Numbers of one point."""

_REGION: Final = 6
"""Fewest numbers of a region."""


def chosen_by(
    picked: dict[str, Any],
    chosen: NDArray[np.int64],
    *,
    at: Callable[[float, float], int | None],
    within: Callable[[BaseGeometry], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Return the ids that are selected once the user has picked on the slide.

    Parameters
    ----------
    picked : dict
        `points`: [x, y, ...] in level-0 pixels: a click, the outline of a region, or
        empty for nothing. `add`: whether it is added to what is selected; a click
        takes out what is selected already.
    chosen : int64 (n,)
        Ids selected until now.
    at, within : callable
        Return the id at a point, and the ids within a region.
    """
    points, add = picked.get("points", []), bool(picked.get("add"))
    if not points:
        return np.empty(0, np.int64)
    if len(points) == _POINT:
        found = at(*points)
        one = np.array([] if found is None else [found], np.int64)
        return np.setxor1d(chosen, one) if add else one
    if len(points) < _REGION:
        return chosen
    found_there = within(region_of(points))
    return np.union1d(chosen, found_there) if add else found_there


def region_of(points: Sequence[float]) -> BaseGeometry:
    """Return the region within an outline, which may cross itself.

    Parameters
    ----------
    points : sequence of float
        [x, y, x, y, ...], not closed.
    """
    ring = np.asarray(points, float).reshape(-1, 2)
    parts = shapely.get_parts(shapely.make_valid(shapely.Polygon(ring)))
    whole = shapely.get_parts(parts)
    return shapely.union_all([part for part in whole if part.geom_type == "Polygon"])


def centres_within(
    region: BaseGeometry,
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    shown: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return the ids of the instances shown whose centre lies in a region, int64 (n,).

    Parameters
    ----------
    region : BaseGeometry
        In level-0 pixels.
    x, y : float (n,)
        Centres of all instances in level-0 pixels, by id.
    shown : bool (n,)
    """
    if region.is_empty:
        return np.empty(0, np.int64)
    x0, y0, x1, y1 = region.bounds
    near = shown & (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    ids = np.flatnonzero(near)
    shapely.prepare(region)
    inside: NDArray[np.int64] = ids[shapely.contains_xy(region, x[ids], y[ids])]
    return inside
