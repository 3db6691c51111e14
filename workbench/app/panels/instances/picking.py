"""Selection of instances on the slide: by a click, and within a drawn region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from workbench.app.panels.instances.shown import ShownInstances

_POINT: Final = 2
"""Numbers of one point."""

_REGION: Final = 6
"""Fewest numbers of a region."""


def pick(shown: ShownInstances, picked: dict[str, Any]) -> None:
    """Select what the user has picked on the slide.

    Parameters
    ----------
    shown : ShownInstances
    picked : dict
        `points`: [x, y, ...] in level-0 pixels: a click, the outline of a region, or
        empty for nothing. `add`: whether it is added to what is selected; a click
        takes out what is selected already.
    """
    points, add = picked.get("points", []), bool(picked.get("add"))
    if not points:
        shown.choose([])
    elif len(points) == _POINT:
        found = shown.at(*points)
        one = np.array([] if found is None else [found], np.int64)
        shown.choose(np.setxor1d(shown.chosen, one) if add else one)
    elif len(points) >= _REGION:
        found_there = ids_within(shown, region_of(points))
        shown.choose(np.union1d(shown.chosen, found_there) if add else found_there)


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


def ids_within(shown: ShownInstances, region: BaseGeometry) -> NDArray[np.int64]:
    """Return the ids of the instances shown whose centre lies in a region, int64 (n,).

    Parameters
    ----------
    shown : ShownInstances
    region : BaseGeometry
        In level-0 pixels.
    """
    if region.is_empty:
        return np.empty(0, np.int64)
    places = shown.now.columns(["x", "y"])
    x, y = places["x"], places["y"]
    x0, y0, x1, y1 = region.bounds
    near = shown.shown & (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    ids = np.flatnonzero(near)
    shapely.prepare(region)
    inside: NDArray[np.int64] = ids[shapely.contains_xy(region, x[ids], y[ids])]
    return inside
