"""Boxes with values, which may overlap, drawn on the pixels of a tile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


_ROUNDED: Final = 1.0
"""Largest gap between tiles that comes from rounding, in level-0 pixels."""


class BoxRaster:
    """Boxes in the order of their upper edges, so that a tile looks at one stretch.

    Gaps of up to a pixel between neighbours, which come from rounded edges, are closed.

    Parameters
    ----------
    boxes : float64 (N, 4)
        x0, y0, x1, y1 in level-0 pixels.
    """

    def __init__(self, boxes: NDArray[np.float64]) -> None:
        self.order = np.argsort(boxes[:, 1], kind="stable")
        """Row of each box as given; values are passed in this order."""
        self.boxes = _without_gaps(boxes[self.order])
        self._tallest = float((self.boxes[:, 3] - self.boxes[:, 1]).max(initial=0))

    def rows_at(self, x: float, y: float) -> NDArray[np.intp]:
        """Return the boxes that contain a level-0 point, as places in the order."""
        near = self._between(y, np.nextafter(y, np.inf))
        x0, y0, x1, y1 = self.boxes[near].T
        inside = (x0 <= x) & (x < x1) & (y0 <= y) & (y < y1)
        rows: NDArray[np.intp] = np.flatnonzero(inside) + near.start
        return rows

    def draw(
        self,
        frame: tuple[float, float, float, int],
        values: NDArray[np.float64],
        *,
        highest: bool,
    ) -> NDArray[np.float32]:
        """Return the value of each pixel of a frame; see `draw_boxes`."""
        _, top, scale, side = frame
        near = self._between(top, top + side * scale)
        drawn: NDArray[np.float32] = draw_boxes(
            frame, self.boxes[near], values[near], highest
        )
        return drawn

    def _between(self, y0: float, y1: float) -> slice:
        """Return the stretch of boxes that may reach into rows of the slide."""
        edges = self.boxes[:, 1]
        first = np.searchsorted(edges, y0 - self._tallest, side="left")
        return slice(int(first), int(np.searchsorted(edges, y1, side="left")))


def _without_gaps(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return boxes that reach to neighbours which begin up to a pixel further on."""
    closed = boxes.copy()
    for low, high in ((0, 2), (1, 3)):
        starts = np.unique(boxes[:, low])
        following = np.append(starts, np.inf)[np.searchsorted(starts, boxes[:, high])]
        near = following - boxes[:, high] <= _ROUNDED
        closed[near, high] = following[near]
    return closed


@numba.njit(nogil=True, cache=True)
def draw_boxes(
    frame: tuple[float, float, float, int],
    boxes: NDArray[np.float64],
    values: NDArray[np.float64],
    highest: bool,  # noqa: FBT001 - compiled code takes no keywords
) -> NDArray[np.float32]:
    """Return the value of each pixel; NaN where there is no box.

    A pixel belongs to the boxes that contain its centre; a box that contains no centre
    belongs to the pixel of its own centre, so that none vanishes at low zoom.

    Parameters
    ----------
    frame : tuple
        x and y of the first pixel and side of a pixel, in level-0 pixels; number of
        pixels along each side.
    boxes : float64 (N, 4)
        x0, y0, x1, y1 in level-0 pixels.
    values : float64 (N,)
        NaN: the box is not drawn.
    highest : bool
        Take the highest value of the boxes of a pixel, not their mean.
    """
    left, top, scale, side = frame
    total = np.zeros((side, side), np.float64)
    count = np.zeros((side, side), np.int32)
    for i in range(len(boxes)):
        value, box = values[i], boxes[i]
        if math.isnan(value):
            continue
        first, last = _pixels((box[0] - left) / scale, (box[2] - left) / scale, side)
        upper, lower = _pixels((box[1] - top) / scale, (box[3] - top) / scale, side)
        for row in range(upper, lower):
            for column in range(first, last):
                if not highest:
                    total[row, column] += value
                    count[row, column] += 1
                elif count[row, column] == 0 or value > total[row, column]:
                    total[row, column] = value
                    count[row, column] = 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


@numba.njit(nogil=True, cache=True)
def _pixels(low: float, high: float, side: int) -> tuple[int, int]:
    """Return the pixels of a stretch along an axis, within the tile: first, end."""
    first, end = math.ceil(low - 0.5), math.ceil(high - 0.5)
    if end <= first:
        first = math.floor((low + high) / 2)
        end = first + 1
    return max(0, first), min(side, end)
