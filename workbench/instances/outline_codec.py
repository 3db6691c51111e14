"""Encoding of outlines: steps between points as variable-length integers.

Points lie on a raster of 1/8 level-0 pixel. An outline is the step from the centre of
the instance to its first point, then from point to point: each coordinate is zigzag
encoded (0, -1, 1, -2 ... become 0, 1, 2, 3 ...) in base 128, low digits first, the high
bit set on all but the last. So most steps of a nucleus take one byte, and any step can
be encoded.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from workbench.instances.instances import STEPS_PER_PX, Instances

_Steps: TypeAlias = NDArray[np.int32]
_Ends: TypeAlias = NDArray[np.int64]
_Bytes: TypeAlias = NDArray[np.uint8]

_LONGEST: Final = 5
"""Bytes of the longest step of 32 bits."""


def on_raster(points: NDArray[Any]) -> _Steps:
    """Return level-0 points as integer steps of the raster: int32 of their shape."""
    steps: _Steps = np.rint(points * np.float64(STEPS_PER_PX)).astype(np.int32)
    return steps


def off_raster(steps: _Steps) -> NDArray[np.float32]:
    """Return steps of the raster in level-0 pixels, exactly."""
    return (steps / np.float32(STEPS_PER_PX)).astype(np.float32)


def pack(steps: _Steps, ends: _Ends, centres: _Steps) -> tuple[_Bytes, _Ends]:
    """Encode outlines; return the bytes, and the end of each in them.

    Parameters
    ----------
    steps : int32 (P, 2)
        Points of all outlines on the raster.
    ends : int64 (N,)
        End of each outline in `steps`.
    centres : int32 (N, 2)
        Points on the raster to start from; a point inside gives the shortest code.
    """
    room = np.empty(2 * _LONGEST * len(steps), np.uint8)
    byte_ends = np.empty(len(ends), np.int64)
    used = _pack(steps, ends, centres, room, byte_ends)
    return room[:used].copy(), byte_ends


def unpack(data: _Bytes, byte_ends: _Ends, centres: _Steps) -> tuple[_Steps, _Ends]:
    """Decode outlines; return points on the raster, int32 (P, 2), and ends.

    The inverse of `pack`. Damaged bytes give some outlines, but are never read beyond
    their end.
    """
    ends = np.empty(len(byte_ends), np.int64)
    steps = np.empty((_count(data, byte_ends, ends), 2), np.int32)
    _unpack(data, byte_ends, centres, ends, steps)
    return steps, ends


def centroids(found: Instances) -> NDArray[np.float32]:
    """Return the stored centroids of instances, by which they are counted, (N, 2)."""
    centres, _ = centres_of(on_raster(found.points), found.ends)
    return off_raster(centres)


@numba.njit(nogil=True, cache=True)
def centres_of(steps: _Steps, ends: _Ends) -> tuple[_Steps, NDArray[np.float64]]:
    """Return the centroid of each outline on the raster, and its area in px².

    For an outline without area it is the middle of its bounding box.
    """
    count = len(ends)
    centres = np.empty((count, 2), np.int32)
    areas = np.empty(count, np.float64)
    start = 0
    for i in range(count):
        x0, y0 = steps[start, 0], steps[start, 1]
        double, cx, cy = 0.0, 0.0, 0.0
        left, right, top, bottom = x0, x0, y0, y0
        before = ends[i] - 1
        for at in range(start, ends[i]):
            ax, ay = float(steps[before, 0] - x0), float(steps[before, 1] - y0)
            bx, by = float(steps[at, 0] - x0), float(steps[at, 1] - y0)
            cross = ax * by - bx * ay
            double += cross
            cx += (ax + bx) * cross
            cy += (ay + by) * cross
            left, right = min(left, steps[at, 0]), max(right, steps[at, 0])
            top, bottom = min(top, steps[at, 1]), max(bottom, steps[at, 1])
            before = at
        if abs(double) >= 1:
            centres[i, 0] = x0 + round(cx / (3 * double))
            centres[i, 1] = y0 + round(cy / (3 * double))
        else:
            centres[i, 0], centres[i, 1] = (left + right) // 2, (top + bottom) // 2
        areas[i] = abs(double) / (2 * STEPS_PER_PX * STEPS_PER_PX)
        start = ends[i]
    return centres, areas


@numba.njit(nogil=True, cache=True)
def boxes_of(steps: _Steps, ends: _Ends) -> _Steps:
    """Return the bounding box of each outline on the raster: int32 (N, 4)."""
    boxes = np.zeros((len(ends), 4), np.int32)
    start = 0
    for i in range(len(ends)):
        for at in range(start, ends[i]):
            x, y = steps[at, 0], steps[at, 1]
            if at == start:
                boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = x, y, x, y
            boxes[i, 0], boxes[i, 1] = min(boxes[i, 0], x), min(boxes[i, 1], y)
            boxes[i, 2], boxes[i, 3] = max(boxes[i, 2], x), max(boxes[i, 3], y)
        start = ends[i]
    return boxes


@numba.njit(nogil=True, cache=True)
def curve_order(centres: _Steps) -> NDArray[np.uint64]:
    """Return the position of points on a curve that keeps neighbours together.

    The bits of x and y are interleaved (G. M. Morton, "A computer oriented geodetic
    data base", IBM, 1966). Points left of and above the slide come first.
    """
    codes = np.empty(len(centres), np.uint64)
    for i in range(len(centres)):
        code = np.uint64(0)
        for axis in range(2):
            bits = np.uint64(max(0, centres[i, axis]))
            bits = (bits | (bits << np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
            bits = (bits | (bits << np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
            bits = (bits | (bits << np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
            bits = (bits | (bits << np.uint64(2))) & np.uint64(0x3333333333333333)
            bits = (bits | (bits << np.uint64(1))) & np.uint64(0x5555555555555555)
            code |= bits << np.uint64(axis)
        codes[i] = code
    return codes


@numba.njit(nogil=True, cache=True)
def _pack(
    steps: _Steps, ends: _Ends, centres: _Steps, room: _Bytes, byte_ends: _Ends
) -> int:
    used, start = 0, 0
    for i in range(len(ends)):
        x, y = centres[i, 0], centres[i, 1]
        for at in range(start, ends[i]):
            for axis in range(2):
                step = np.int64(steps[at, axis]) - (x if axis == 0 else y)
                digits = step << 1 if step >= 0 else ((-step) << 1) - 1
                while digits >= 0x80:  # noqa: PLR2004 - base 128
                    room[used] = (digits & 0x7F) | 0x80
                    digits >>= 7
                    used += 1
                room[used] = digits
                used += 1
            x, y = steps[at, 0], steps[at, 1]
        start = ends[i]
        byte_ends[i] = used
    return used


@numba.njit(nogil=True, cache=True)
def _count(data: _Bytes, byte_ends: _Ends, ends: _Ends) -> int:
    """Set the end of each outline, in points; return the number of points."""
    start, points = 0, 0
    for i in range(len(byte_ends)):
        numbers = 0
        for at in range(start, min(byte_ends[i], len(data))):
            numbers += data[at] < 0x80  # noqa: PLR2004 - the last digit of a number
        points += numbers // 2
        ends[i] = points
        start = byte_ends[i]
    return points


@numba.njit(nogil=True, cache=True)
def _unpack(
    data: _Bytes, byte_ends: _Ends, centres: _Steps, ends: _Ends, steps: _Steps
) -> None:
    point = 0
    at = 0
    for i in range(len(ends)):
        x, y = np.int64(centres[i, 0]), np.int64(centres[i, 1])
        while point < ends[i]:
            for axis in range(2):
                digits, shift = np.int64(0), 0
                while at < len(data):
                    byte = np.int64(data[at])
                    at += 1
                    digits |= (byte & 0x7F) << min(shift, 56)
                    shift += 7
                    if byte < 0x80:  # noqa: PLR2004 - the last digit
                        break
                step = (digits >> 1) ^ -(digits & 1)
                x, y = (x + step, y) if axis == 0 else (x, y + step)
            steps[point, 0], steps[point, 1] = x, y
            point += 1
        at = byte_ends[i]
