"""Outlines as pixels, compiled: whose pixel each is, and how much of it is covered."""

from __future__ import annotations

from typing import Any, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from workbench.instances.instances import STEPS_PER_PX

_Steps: TypeAlias = NDArray[np.int32]
_Floats: TypeAlias = NDArray[np.float32]


@numba.njit(nogil=True, cache=True)
def fill_outlines(
    cells: NDArray[np.uint32],
    members: NDArray[np.int64],
    known: int,
    place: tuple[int, int, int],
    group: tuple[int, _Steps, NDArray[np.int64], _Steps],
) -> int:
    """Write the number of each outline into the cells whose centre it encloses.

    An outline that encloses no centre takes the cell in which its middle lies. Where
    outlines overlap, the later one is seen.

    Parameters
    ----------
    cells : uint32 (H, W)
        Changed in place; 0 where there is none.
    members : int64 (M,)
        Changed in place: ids of the outlines, by their number less one.
    known : int
        How many numbers are taken.
    place : tuple of int
        x and y of where the cells begin, in level-0 pixels, and how many of these lie
        along the side of a cell.
    group : tuple
        Id of the first outline, then `steps`, `ends` and `boxes` of all.

    Returns
    -------
    int
        How many numbers are taken now.
    """
    first, steps, ends, boxes = group
    height, width = cells.shape
    side = float(place[2] * STEPS_PER_PX)
    left, top = place[0] * STEPS_PER_PX, place[1] * STEPS_PER_PX
    crossings = np.empty(64, np.float64)
    for i in range(len(ends)):
        x0, y0 = (boxes[i, 0] - left) / side, (boxes[i, 1] - top) / side
        x1, y1 = (boxes[i, 2] - left) / side, (boxes[i, 3] - top) / side
        if x1 < 0 or y1 < 0 or x0 >= width or y0 >= height:
            continue
        start = ends[i - 1] if i else 0
        if ends[i] - start > len(crossings):
            crossings = np.empty(ends[i] - start, np.float64)
        if known == len(members):
            return known
        members[known] = first + i
        known += 1
        painted = False
        for row in range(max(0, int(np.ceil(y0 - 0.5))), min(height, int(y1 + 1))):
            y = top + (row + 0.5) * side
            count = _cross(steps, start, ends[i], y, crossings)
            for pair in range(0, count - 1, 2):
                begin = int(np.ceil((crossings[pair] - left) / side - 0.5))
                end = int(np.ceil((crossings[pair + 1] - left) / side - 0.5))
                painted |= end > begin
                for column in range(max(0, begin), min(width, end)):
                    cells[row, column] = known
        if not painted:
            row, column = int(np.floor((y0 + y1) / 2)), int(np.floor((x0 + x1) / 2))
            if 0 <= row < height and 0 <= column < width:
                cells[row, column] = known
    return known


@numba.njit(nogil=True, cache=True)
def _cross(
    steps: _Steps, start: int, end: int, y: float, crossings: NDArray[np.float64]
) -> int:
    """Fill in where a ring crosses a level, in growing order; return how often."""
    count = 0
    ax, ay = steps[end - 1, 0], steps[end - 1, 1]
    for at in range(start, end):
        bx, by = steps[at, 0], steps[at, 1]
        if (ay <= y) != (by <= y):
            x = ax + (y - ay) * (bx - ax) / (by - ay)
            place = count
            while place > 0 and crossings[place - 1] > x:
                crossings[place] = crossings[place - 1]
                place -= 1
            crossings[place] = x
            count += 1
        ax, ay = bx, by
    return count


@numba.njit(nogil=True, cache=True)
def with_borders(cells: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return twice the numbers, plus one where a neighbour has another one.

    The result lacks the outermost cells, for which nothing can be said.
    """
    height, width = cells.shape
    found = np.zeros((height - 2, width - 2), np.uint32)
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            own = cells[row, column]
            if own:
                border = (
                    cells[row - 1, column] != own
                    or cells[row + 1, column] != own
                    or cells[row, column - 1] != own
                    or cells[row, column + 1] != own
                )
                found[row - 1, column - 1] = 2 * own + border
    return found


@numba.njit(nogil=True, cache=True)
def cover(
    planes: _Floats,
    place: tuple[int, int, int],
    objects: tuple[_Floats, _Floats, NDArray[np.uint16], NDArray[np.uint8]],
    span: tuple[int, int],
    table: tuple[NDArray[np.int64], _Floats],
) -> None:
    """Add up how much of each pixel objects cover, as squares.

    Parameters
    ----------
    planes : float32 (P, H, W)
        Changed in place. In the last one, what is covered is weighed.
    place : tuple of int
        As for `fill_outlines`.
    objects : tuple
        x and y (level-0 pixels), side of the square of the same area, and colour (0:
        left out) of all objects.
    span : tuple of int
        The first object to look at, and the one after the last.
    table : tuple
        For each colour the plane that its objects go into, and their weight.
    """
    xs, ys, sizes, colours = objects
    into, weights = table
    count, height, width = planes.shape
    left, top, scale = place[0], place[1], np.float32(1 / place[2])
    for i in range(span[0], span[1]):
        colour = colours[i]
        if colour == 0:
            continue
        plane, weight = into[colour], weights[colour]
        # One more than it is, for whole numbers are cut towards zero.
        x, y = (
            (xs[i] - np.float32(left)) * scale + 1,
            (ys[i] - np.float32(top)) * scale + 1,
        )
        size = sizes[i] * scale
        if size < 1.5:  # noqa: PLR2004 - rounds to one pixel or none
            column, row = int(x) - 1, int(y) - 1
            if x >= 1 and y >= 1 and column < width and row < height:
                planes[plane, row, column] += size * size
                if weight:
                    planes[count - 1, row, column] += weight * size * size
            continue
        side = int(size + np.float32(0.5))
        column = int(np.floor(x - 1 - (side - 1) / 2))
        row = int(np.floor(y - 1 - (side - 1) / 2))
        share = np.float32((size / side) ** 2)
        for r in range(max(0, row), min(height, row + side)):
            for c in range(max(0, column), min(width, column + side)):
                planes[plane, r, c] += share
                if weight:
                    planes[count - 1, r, c] += weight * share


@numba.njit(nogil=True, cache=True)
def shade(
    planes: _Floats,
    full: float,
    levels: int,
    chosen: int,
    mean: bool,  # noqa: FBT001 - compiled code takes no keywords
) -> NDArray[np.uint8]:
    """Return for each pixel the colour to show there, and how strongly.

    Parameters
    ----------
    planes : float32 (P, H, W)
        From `cover`; the first holds what is chosen, which is seen wherever it is.
    full : float
        The share that has to be covered for the strongest level.
    levels : int
    chosen : int
        The colour of what is chosen.
    mean : bool
        Whether the colour is the mean, as it is weighed in the last plane, of all in
        the second; otherwise it is that of the plane, from the second on, which covers
        most.

    Returns
    -------
    uint8 (H, W)
        0 where nothing is covered, else 1 + (colour - 1) * levels + level, the level
        being proportional to the square root of the share.
    """
    count, height, width = planes.shape
    found = np.zeros((height, width), np.uint8)
    for row in range(height):
        for column in range(width):
            total, best, most = np.float32(0), 0, np.float32(0)
            for plane in range(1, 2 if mean else count - 1):
                value = planes[plane, row, column]
                total += value
                if value > most:
                    best, most = plane, value
            if planes[0, row, column] > 0:
                best, total = chosen, np.float32(full)
            elif total <= 0:
                continue
            elif mean:
                best = int(planes[count - 1, row, column] / total + np.float32(0.5))
            level = min(levels - 1, int(levels * np.sqrt(total / full)))
            found[row, column] = 1 + (best - 1) * levels + level
    return found


def group_of(group: Any) -> tuple[int, _Steps, NDArray[np.int64], _Steps]:
    """Return a group of a store as `fill_outlines` takes it."""
    return group.first, group.steps, group.ends, group.boxes
