"""Measures of instances: size, shape and amount of stain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numba
import numpy as np

from workbench.instances.scanline import cross_ring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.instances.instances import Instances

SHAPES: Final = (
    "area_um2",
    "perimeter_um",
    "eccentricity",
    "solidity",
    "circularity",
)
"""Shape measures: area and perimeter; the eccentricity of the ellipse with the same
second moments (0: a circle, towards 1: a line); solidity, the filled share of the
convex hull; circularity, 4 pi area / perimeter² (1: a circle)."""


def measure(
    instances: Instances,
    pixels: NDArray[np.uint8],
    box: Box,
    mpp: float,
    stains: Mapping[str, NDArray[np.float32]],
) -> Instances:
    """Return the instances with their measures.

    Parameters
    ----------
    instances : Instances
    pixels : uint8 (H, W, 3)
        sRGB of `box`; pixels outside are ignored.
    box : Box
        Level-0 pixels.
    mpp : float
        Micrometres per level-0 pixel.
    stains : mapping of str to float32 (3, 256)
        For each measure its amount by grey level of red, green and blue, which are
        added (`StainSet.tables`). The mean over the pixels whose centre lies in an
        instance is measured; NaN if there are none.

    Returns
    -------
    Instances
        With `SHAPES` and one measure for each stain, which replace earlier measures.
    """
    shapes = shapes_of(instances, mpp)
    return replace(
        instances, measures=shapes | _amounts(instances, pixels, box, stains)
    )


def shapes_of(instances: Instances, mpp: float) -> dict[str, NDArray[np.float32]]:
    """Return `SHAPES` of each instance, float32 (N,); mpp is that of level 0."""
    points = instances.points.astype(np.float64) * mpp
    found = np.empty((len(SHAPES), len(instances)), np.float32)
    _shapes(points, instances.ends, found)
    return dict(zip(SHAPES, found, strict=True))


def _amounts(
    instances: Instances,
    pixels: NDArray[np.uint8],
    box: Box,
    stains: Mapping[str, NDArray[np.float32]],
) -> dict[str, NDArray[np.float32]]:
    height, width = pixels.shape[:2]
    scale = np.array([width / box.width, height / box.height])
    points = (instances.points.astype(np.float64) - [box.x0, box.y0]) * scale
    found = np.empty((len(stains), len(instances)), np.float32)
    if stains:
        tables = np.stack(list(stains.values()), axis=-1).astype(np.float32)
        _means(points, instances.ends, np.ascontiguousarray(pixels), tables, found)
    return dict(zip(stains, found, strict=True))


@numba.njit(nogil=True, cache=True)
def _shapes(
    points: NDArray[np.float64], ends: NDArray[np.int64], found: NDArray[np.float32]
) -> None:
    start = 0
    for i in range(len(ends)):
        ring = points[start : ends[i]] - points[start]
        area, eccentricity = _moments(ring)
        around = 0.0
        for at in range(len(ring)):
            around += np.hypot(
                ring[at, 0] - ring[at - 1, 0], ring[at, 1] - ring[at - 1, 1]
            )
        hull = _hull_area(ring)
        found[0, i] = area
        found[1, i] = around
        found[2, i] = eccentricity
        found[3, i] = min(1.0, area / hull) if hull > 0 else np.nan
        found[4, i] = min(1.0, 4 * np.pi * area / around**2) if around > 0 else np.nan
        start = ends[i]


@numba.njit(nogil=True, cache=True)
def _moments(ring: NDArray[np.float64]) -> tuple[float, float]:
    """Return area and eccentricity, by Green's theorem."""
    double, mx, my, xx, yy, xy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for at in range(len(ring)):
        ax, ay, bx, by = ring[at - 1, 0], ring[at - 1, 1], ring[at, 0], ring[at, 1]
        cross = ax * by - bx * ay
        double += cross
        mx += (ax + bx) * cross
        my += (ay + by) * cross
        xx += (ax * ax + ax * bx + bx * bx) * cross
        yy += (ay * ay + ay * by + by * by) * cross
        xy += (ax * by + 2 * ax * ay + 2 * bx * by + bx * ay) * cross
    if double == 0:
        return 0.0, np.nan
    mx, my = mx / (3 * double), my / (3 * double)
    xx = xx / (6 * double) - mx * mx
    yy = yy / (6 * double) - my * my
    xy = xy / (12 * double) - mx * my
    apart = np.sqrt((xx - yy) ** 2 + 4 * xy * xy)
    longer, shorter = xx + yy + apart, xx + yy - apart
    return abs(double) / 2, np.sqrt(max(0.0, 1 - max(0.0, shorter) / longer))


@numba.njit(nogil=True, cache=True)
def _hull_area(ring: NDArray[np.float64]) -> float:
    """Return the area of the convex hull (Andrew's monotone chain, 1979)."""
    order = _by_x(ring)
    hull = np.empty((2 * len(ring) + 1, 2))
    size = 0
    for turn in range(2):
        floor = size + 1
        for step in range(len(ring)):
            at = step if turn == 0 else len(ring) - 1 - step
            x, y = ring[order[at], 0], ring[order[at], 1]
            while size > floor and (
                (hull[size - 1, 0] - hull[size - 2, 0]) * (y - hull[size - 2, 1])
                <= (hull[size - 1, 1] - hull[size - 2, 1]) * (x - hull[size - 2, 0])
            ):
                size -= 1
            hull[size, 0], hull[size, 1] = x, y
            size += 1
        size -= 1
    hull = hull[:size]
    double = 0.0
    for at in range(size):
        double += hull[at - 1, 0] * hull[at, 1] - hull[at, 0] * hull[at - 1, 1]
    return abs(double) / 2


@numba.njit(nogil=True, cache=True)
def _by_x(ring: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the order of points by x, then y; by insertion, as they are few."""
    order = np.arange(len(ring))
    for at in range(1, len(ring)):
        new, place = order[at], at
        x, y = ring[new, 0], ring[new, 1]
        while place > 0 and (
            ring[order[place - 1], 0] > x
            or (ring[order[place - 1], 0] == x and ring[order[place - 1], 1] > y)
        ):
            order[place] = order[place - 1]
            place -= 1
        order[place] = new
    return order


@numba.njit(nogil=True, cache=True)
def _means(
    points: NDArray[np.float64],
    ends: NDArray[np.int64],
    pixels: NDArray[np.uint8],
    tables: NDArray[np.float32],
    found: NDArray[np.float32],
) -> None:
    """Fill `found` with the mean over the pixels whose centre lies in each ring.

    Points are in pixels; tables are (3, 256, stains).
    """
    height, width = pixels.shape[:2]
    stains = tables.shape[2]
    crossings = np.empty(64, np.float64)
    start = 0
    for i in range(len(ends)):
        ring = points[start : ends[i]]
        if len(crossings) < len(ring):
            crossings = np.empty(2 * len(ring), np.float64)
        sums = np.zeros(stains, np.float64)
        held = 0
        top = max(0, int(np.floor(ring[:, 1].min())))
        bottom = min(height, int(np.ceil(ring[:, 1].max())))
        for y in range(top, bottom):
            count = cross_ring(
                ring[:, 0], ring[:, 1], (0, len(ring)), y + 0.5, crossings
            )
            for pair in range(0, count - 1, 2):
                left = max(0, int(np.ceil(crossings[pair] - 0.5)))
                right = min(width, int(np.ceil(crossings[pair + 1] - 0.5)))
                for x in range(left, right):
                    red, green, blue = pixels[y, x]
                    for stain in range(stains):
                        sums[stain] += (
                            tables[0, red, stain]
                            + tables[1, green, stain]
                            + tables[2, blue, stain]
                        )
                held += max(0, right - left)
        for stain in range(stains):
            found[stain, i] = sums[stain] / held if held else np.nan
        start = ends[i]
