"""Compiled rasterization of outlines: the instance of each pixel, and coverage."""

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
    ids: NDArray[np.int64],
    known: int,
    frame: tuple[int, int, int],
    group: tuple[int, _Steps, NDArray[np.int64], _Steps],
) -> int:
    """Write the number of each outline into the cells whose centre it encloses.

    Even-odd scanline fill. An outline that encloses no centre takes the cell of its
    middle. Later outlines overwrite earlier ones.

    Parameters
    ----------
    cells : uint32 (H, W)
        Changed in place: number of an outline (from 1), or 0.
    ids : int64 (M,)
        Changed in place: id of outline number n at n - 1.
    known : int
        Number of outlines already in `ids`.
    frame : tuple of int
        x and y of the first cell, in level-0 pixels, and the side of a cell in
        level-0 pixels.
    group : tuple
        Id of the first outline, then `steps`, `ends` and `boxes` of all outlines.

    Returns
    -------
    int
        Number of outlines in `ids` now.
    """
    first, steps, ends, boxes = group
    height, width = cells.shape
    side = float(frame[2] * STEPS_PER_PX)
    left, top = frame[0] * STEPS_PER_PX, frame[1] * STEPS_PER_PX
    crossings = np.empty(64, np.float64)
    for i in range(len(ends)):
        x0, y0 = (boxes[i, 0] - left) / side, (boxes[i, 1] - top) / side
        x1, y1 = (boxes[i, 2] - left) / side, (boxes[i, 3] - top) / side
        if x1 < 0 or y1 < 0 or x0 >= width or y0 >= height:
            continue
        start = ends[i - 1] if i else 0
        if ends[i] - start > len(crossings):
            crossings = np.empty(ends[i] - start, np.float64)
        if known == len(ids):
            return known
        ids[known] = first + i
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
    """Write the sorted x at which a ring crosses the line y; return their number.

    `instances.scanline.cross_ring` from there would cost a tenth of the time of a fill.
    """
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
def mark_borders(cells: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return twice the numbers, plus 1 where one of four neighbours differs.

    The result lacks the outermost cells, whose neighbours are unknown.
    """
    height, width = cells.shape
    marked = np.zeros((height - 2, width - 2), np.uint32)
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
                marked[row - 1, column - 1] = 2 * own + border
    return marked


@numba.njit(nogil=True, cache=True)
def add_coverage(
    planes: _Floats,
    frame: tuple[int, int, int],
    squares: tuple[_Floats, _Floats, NDArray[np.uint16], NDArray[np.uint8]],
    span: tuple[int, int],
    table: tuple[NDArray[np.int64], _Floats],
) -> None:
    """Add the share of each pixel that instances cover, drawn as squares.

    Parameters
    ----------
    planes : float32 (P, H, W)
        Changed in place. The last plane is weighted.
    frame : tuple of int
        As for `fill_outlines`.
    squares : tuple
        x and y of the centre and side of the square of the same area (level-0
        pixels), and colour index (0: left out) of all instances.
    span : tuple of int
        First instance, and the one after the last.
    table : tuple
        Plane and weight of each colour.
    """
    xs, ys, sizes, colours = squares
    into, weights = table
    count, height, width = planes.shape
    left, top, scale = frame[0], frame[1], np.float32(1 / frame[2])
    for i in range(span[0], span[1]):
        colour = colours[i]
        if colour == 0:
            continue
        plane, weight = into[colour], weights[colour]
        # Shifted by 1, because int() truncates towards zero.
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
    """Return the colour and the level of each pixel.

    Parameters
    ----------
    planes : float32 (P, H, W)
        From `add_coverage`. The first plane holds selected instances, which take
        precedence.
    full : float
        Covered share of the highest level.
    levels : int
        Number of levels.
    chosen : int
        Colour index of selected instances.
    mean : bool
        True: the colour is the mean of the instances in the second plane, weighted in
        the last. False: the colour of the plane, from the second on, that covers most.

    Returns
    -------
    uint8 (H, W)
        0 where nothing is covered, else 1 + (colour - 1) * levels + level; the level
        is proportional to the square root of the covered share.
    """
    count, height, width = planes.shape
    shades = np.zeros((height, width), np.uint8)
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
            shades[row, column] = 1 + (best - 1) * levels + level
    return shades


def group_arrays(group: Any) -> tuple[int, _Steps, NDArray[np.int64], _Steps]:
    """Return the arrays of a group of a store, as `fill_outlines` takes them."""
    return group.first, group.steps, group.ends, group.boxes
