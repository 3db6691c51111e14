"""Outlines of label images: rings that, when filled, reproduce the labels.

A ring passes through the midpoints of the pixel edges between an instance and its
surroundings, so it cuts the corners of the staircase: it is shorter than the staircase,
encloses the area of the pixels to half a pixel, contains the centres of exactly these
pixels, and neighbours share it where they touch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from workbench.instances.instances import STEPS_PER_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Outlines(NamedTuple):
    """Rings of points, one after another; see `Instances`."""

    points: NDArray[np.float32]
    """float32 (P, 2), x and y."""

    ends: NDArray[np.int64]
    """End of each ring in `points`: int64 (N,)."""


def trace(
    labels: NDArray[np.int32],
    *,
    origin: tuple[float, float] = (0, 0),
    scale: float = 1.0,
) -> Outlines:
    """Return the outline of each label.

    Of an instance in several parts (pixels that meet at a corner are one part) the
    largest is traced; holes are filled.

    Parameters
    ----------
    labels : int32 (H, W)
        0 is background; instances are 1 to n.
    origin : (float, float)
        Upper left corner of the labels, in level-0 pixels.
    scale : float
        Level-0 pixels per pixel of the labels.

    Returns
    -------
    Outlines
        n rings, clockwise on the screen, in level-0 pixels; a number below n without
        pixels has an empty ring.
    """
    whole, first = largest_parts(labels)
    return rings(whole, first, origin=origin, scale=scale)


def largest_parts(
    labels: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the labels with only the largest part of each instance.

    Returns
    -------
    labels : int32 (H, W)
    first : int64 (n,)
        Index of the first pixel of each instance in the flat raster; -1: none.
    """
    whole = np.array(labels, np.int32, order="C")
    first = np.full(int(whole.max(initial=0)), -1, np.int64)
    _keep_largest(whole, first)
    return whole, first


def rings(
    labels: NDArray[np.int32],
    first: NDArray[np.int64],
    *,
    origin: tuple[float, float],
    scale: float,
) -> Outlines:
    """Trace the instances with first pixels `first`, one part each; -1: empty ring."""
    halves, ends = _follow(labels, first)
    points = np.asarray(origin) + halves * (scale / 2)
    on_raster = np.rint(points * STEPS_PER_PX) / STEPS_PER_PX
    return Outlines(on_raster.astype(np.float32), ends)


@numba.njit(nogil=True, cache=True)
def _root(parent: NDArray[np.int32], pixel: int) -> int:
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]
        pixel = parent[pixel]
    return pixel


@numba.njit(nogil=True, cache=True)
def _joined(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return a parent for each pixel, flat, that leads to the first of its part."""
    height, width = labels.shape
    flat = labels.ravel()
    parent = np.empty(flat.size, np.int32)
    for y in range(height):
        for x in range(width):
            here = y * width + x
            parent[here] = here
            label = flat[here]
            if label <= 0:
                continue
            # The pixel above is joined already to its left and right neighbours.
            if y > 0 and flat[here - width] == label:
                parent[here] = parent[here - width]
                continue
            if x > 0 and flat[here - 1] == label:
                parent[here] = parent[here - 1]
            elif x > 0 and y > 0 and flat[here - width - 1] == label:
                parent[here] = parent[here - width - 1]
            if y > 0 and x + 1 < width and flat[here - width + 1] == label:
                one, other = _root(parent, here), _root(parent, here - width + 1)
                parent[max(one, other)] = min(one, other)
    return parent


@numba.njit(nogil=True, cache=True)
def _keep_largest(labels: NDArray[np.int32], first: NDArray[np.int64]) -> None:
    """Clear all parts but the largest of each instance; set its first pixel."""
    flat = labels.ravel()
    parent = _joined(labels)
    size = np.zeros(flat.size, np.int32)
    for here in range(flat.size):
        if flat[here] > 0:  # parents come first, and have found their root
            parent[here] = parent[parent[here]]
            size[parent[here]] += 1
    for here in range(flat.size):
        if flat[here] > 0 and parent[here] == here:
            best = first[flat[here] - 1]
            if best < 0 or size[here] > size[best]:
                first[flat[here] - 1] = here
    for here in range(flat.size):
        if flat[here] <= 0 or first[flat[here] - 1] != parent[here]:
            flat[here] = 0


@numba.njit(nogil=True, cache=True)
def _follow(
    labels: NDArray[np.int32], first: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Follow the edges of each instance, clockwise, from its first pixel.

    Returns the midpoints of edges in half pixels, without those on straight runs.
    """
    height, width = labels.shape
    points = np.empty((1024 + 32 * len(first), 2), np.int32)
    ends = np.empty(len(first), np.int64)
    count = 0
    for number in range(len(first)):
        if first[number] < 0:
            ends[number] = count
            continue
        label = labels[first[number] // width, first[number] % width]
        y0, x0 = first[number] // width, first[number] % width
        x, y, dx, dy = x0, y0, 1, 0
        came_x, came_y = 1, -1  # up the left edge, around the corner
        while True:
            # The pixels ahead, left and right of the end of this edge.
            left_x, left_y = x + dx + (dx + dy - 1) // 2, y + dy + (dy - dx - 1) // 2
            right_x, right_y = left_x - dy, left_y + dx
            turn_x, turn_y = -dy, dx  # to the right
            if (
                0 <= left_x < width
                and 0 <= left_y < height
                and labels[left_y, left_x] == label
            ):
                turn_x, turn_y = dy, -dx
            elif (
                0 <= right_x < width
                and 0 <= right_y < height
                and labels[right_y, right_x] == label
            ):
                turn_x, turn_y = dx, dy
            go_x, go_y = dx + turn_x, dy + turn_y
            if go_x != came_x or go_y != came_y:
                if count == len(points):
                    more = np.empty((2 * count, 2), np.int32)
                    more[:count] = points
                    points = more
                points[count, 0] = 2 * x + dx
                points[count, 1] = 2 * y + dy
                count += 1
            came_x, came_y = go_x, go_y
            x, y, dx, dy = x + dx, y + dy, turn_x, turn_y
            if x == x0 and y == y0 and dx == 1:
                break
        ends[number] = count
    return points[:count], ends
