"""Pixels inside of outlines: label rasters and run lengths.

A pixel belongs to an outline if its centre lies inside (even-odd rule).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numba
import numpy as np

from workbench.instances.scanline import cross_ring

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHARACTERS: Final = 8
"""Maximum number of characters of one run length in COCO's text."""


@numba.njit(cache=True, nogil=True)
def fill_outlines(
    points: NDArray[np.float64],
    ends: NDArray[np.int64],
    values: NDArray[np.int32],
    out: NDArray[np.int32],
) -> None:
    """Write a value into the pixels of each outline; later ones cover earlier ones.

    Parameters
    ----------
    points : float64 (P, 2)
        Points of all outlines, x and y, in pixels of `out`.
    ends : int64 (N,)
        End of each outline in `points`.
    values : int32 (N,)
    out : int32 (H, W)
    """
    height, width = out.shape
    xs, ys = points[:, 0], points[:, 1]
    start = 0
    for number in range(len(ends)):
        end = ends[number]
        low, high = points[start, 0], points[start, 0]
        for i in range(start, end):
            low, high = min(low, points[i, 0]), max(high, points[i, 0])
        found = np.empty(end - start, np.float64)
        first = max(0, math.ceil(low - 0.5))
        for column in range(first, min(width, math.ceil(high - 0.5))):
            count = cross_ring(ys, xs, (start, end), column + 0.5, found)
            for pair in range(0, count - 1, 2):
                top = max(0, math.ceil(found[pair] - 0.5))
                bottom = min(height, math.ceil(found[pair + 1] - 0.5))
                for row in range(top, bottom):
                    out[row, column] = values[number]
        start = end


@numba.njit(cache=True, nogil=True)
def _write_count(count: int, text: NDArray[np.uint8], at: int) -> int:
    """Write a number in COCO's text of five bits a character; return its end."""
    more = True
    while more:
        bits = count & 31
        count >>= 5
        more = count != -1 if bits & 16 else count != 0
        text[at] = bits + 48 + (32 if more else 0)
        at += 1
    return at


@numba.njit(cache=True, nogil=True)
def run_lengths(
    points: NDArray[np.float64],
    ends: NDArray[np.int64],
    width: int,
    height: int,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Return the pixels of each outline as run lengths in COCO's compressed text.

    Runs go down the columns of the whole image, background first.

    Parameters
    ----------
    points : float64 (P, 2)
        Points of all outlines, x and y, in pixels of the image.
    ends : int64 (N,)
        End of each outline in `points`.
    width, height : int
        Size of the image.

    Returns
    -------
    text : uint8 (B,)
        ASCII of all outlines.
    text_ends : int64 (N,)
        End of each outline in `text`.
    areas : int64 (N,)
        Number of pixels of each outline.
    """
    text = np.empty(4096, np.uint8)
    text_ends = np.empty(len(ends), np.int64)
    areas = np.zeros(len(ends), np.int64)
    at = 0
    start = 0
    for number in range(len(ends)):
        runs = _runs(points, start, ends[number], width, height)
        start = ends[number]
        needed = at + _CHARACTERS * (len(runs) + 1)
        if needed > len(text):
            longer = np.empty(2 * needed, np.uint8)
            longer[:at] = text[:at]
            text = longer
        position, before, last = 0, 0, 0
        for i in range(len(runs) + 1):
            place = runs[i] if i < len(runs) else width * height
            length = place - position
            position = place
            if i % 2:
                areas[number] += length
            # From the fourth on, COCO writes the difference to the one two before.
            at = _write_count(length - before if i > 2 else length, text, at)  # noqa: PLR2004
            before, last = last, length
        text_ends[number] = at
    return text[:at], text_ends, areas


@numba.njit(cache=True, nogil=True)
def _runs(
    points: NDArray[np.float64], start: int, end: int, width: int, height: int
) -> NDArray[np.int64]:
    """Return where runs of an outline begin and end, counted down the columns."""
    low, high = points[start, 0], points[start, 0]
    for i in range(start, end):
        low, high = min(low, points[i, 0]), max(high, points[i, 0])
    first, last = max(0, math.ceil(low - 0.5)), min(width, math.ceil(high - 0.5))
    xs, ys = points[:, 0], points[:, 1]
    found = np.empty(end - start, np.float64)
    runs = np.empty(max(0, last - first) * (end - start), np.int64)
    number = 0
    for column in range(first, last):
        count = cross_ring(ys, xs, (start, end), column + 0.5, found)
        for pair in range(0, count - 1, 2):
            top = max(0, math.ceil(found[pair] - 0.5))
            bottom = min(height, math.ceil(found[pair + 1] - 0.5))
            if bottom <= top:
                continue
            begin = column * height + top
            if number and runs[number - 1] == begin:
                runs[number - 1] = column * height + bottom
            else:
                runs[number], runs[number + 1] = begin, column * height + bottom
                number += 2
    return runs[:number]
