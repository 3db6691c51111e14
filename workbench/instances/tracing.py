"""Outlines of labelled objects: rings that, filled again, give back the labels.

A ring goes through the middles of the pixel edges between an object and what is
around it, so it cuts the corners of the staircase: it is shorter than the staircase,
encloses the object's pixels to half a pixel of area, holds the centre of each of them
and of no other, and neighbours share it where they touch.
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
    """Where each ring ends in `points`: int64 (N,)."""


def trace(
    labels: NDArray[np.int32],
    *,
    origin: tuple[float, float] = (0, 0),
    scale: float = 1.0,
) -> Outlines:
    """Return the outline of each label.

    Of an object in several parts (pixels that meet at a corner are one part) the
    largest is traced; holes are filled.

    Parameters
    ----------
    labels : int32 (H, W)
        0 is background; objects are 1 to n.
    origin : (float, float)
        Where the upper left corner of the labels lies, in level-0 pixels.
    scale : float
        Level-0 pixels for each pixel of the labels.

    Returns
    -------
    Outlines
        n rings, clockwise as seen, in level-0 pixels; a number below n that labels
        no pixel has an empty one.
    """
    whole, first = largest_parts(labels)
    return rings(whole, first, origin=origin, scale=scale)


def largest_parts(
    labels: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the labels with only the largest part of each object.

    Returns
    -------
    labels : int32 (H, W)
    first : int64 (n,)
        Where each object begins in the flat raster, row by row; -1: nowhere.
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
    """Trace the objects that begin at `first`, each in one part; -1: an empty ring."""
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
            # What is above is joined already to what is left and right of it.
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
    """Clear all parts but the largest of each object; tell where that begins."""
    flat = labels.ravel()
    parent = _joined(labels)
    size = np.zeros(flat.size, np.int32)
    for here in range(flat.size):
        if flat[here] > 0:  # parents come before, and have found their root
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
    """Walk along the edges of each object, itself on the right, from where it begins.

    Returns the middles of the edges in half pixels, those left out between which the
    way is straight.
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
        came_x, came_y = 1, -1  # up the left edge, round the corner
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
