"""Watershed from markers, compiled: each pixel of the inside goes to one object.

Meyer, "Un algorithme optimal pour la ligne de partage des eaux", 1991, with a queue
for each of 256 levels: time and memory are linear in the pixels, and there is no line
between neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEVELS: Final = 256
_FRAME: Final = -1
"""Label of the pixels around the picture, where no flood goes."""


def flood(
    depth: NDArray[np.uint8], markers: NDArray[np.int32], inside: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Return the markers grown over the inside, deepest pixels first.

    Parameters
    ----------
    depth : uint8 (H, W)
        How deep each pixel lies; neighbours meet where it is lowest between them.
    markers : int32 (H, W)
        Numbers from 1 on where objects begin, 0 elsewhere.
    inside : bool (H, W)
        Where objects may be.

    Returns
    -------
    int32 (H, W)
        Number of the object of each pixel, 0 outside and where no marker reaches.
        An object is 4-connected if its marker is.
    """
    height, width = markers.shape
    labels = np.full((height + 2, width + 2), _FRAME, np.int32)
    labels[1:-1, 1:-1] = np.where(inside, markers, _FRAME)
    levels = np.zeros(labels.shape, np.uint8)
    levels[1:-1, 1:-1] = depth
    _flood(labels.ravel(), levels.ravel(), width + 2)
    return np.maximum(labels[1:-1, 1:-1], 0)


def components(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the number of the 4-connected part of each pixel, from 1; 0 outside."""
    labels: NDArray[np.int32] = cv2.connectedComponents(
        mask.view(np.uint8), connectivity=4, ltype=cv2.CV_32S
    )[1]
    return labels


def without_small(
    labels: NDArray[np.int32], smallest_px: float
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return labels without small objects, numbered from 1, and their areas in pixels.

    Parameters
    ----------
    labels : int32 (H, W)
        0 is the background.
    smallest_px : float
        Least number of pixels of an object that stays.
    """
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    kept = areas >= max(1.0, smallest_px)
    numbers = (np.cumsum(kept) * kept).astype(np.int32)
    return numbers[labels], areas[kept]


@numba.njit(nogil=True, cache=True)
def _flood(labels, levels, width):  # type: ignore[no-untyped-def] # pragma: no cover # noqa: ANN001, ANN202
    """Flood flat pictures in place; a frame of `_FRAME` keeps it from the edges.

    Each level has a queue, first in first out, linked through `after`.
    """
    first = np.full(_LEVELS, -1, np.int32)
    last = np.full(_LEVELS, -1, np.int32)
    after = np.empty(labels.size, np.int32)
    steps = (-width, -1, 1, width)
    for pixel in range(labels.size):
        if labels[pixel] > 0:
            for step in steps:
                if labels[pixel + step] == 0:
                    _push(first, last, after, levels[pixel], pixel)
                    break
    level = _LEVELS - 1
    while level >= 0:
        pixel = first[level]
        if pixel < 0:
            level -= 1
            continue
        first[level] = after[pixel]
        for step in steps:
            near = pixel + step
            if labels[near] == 0:
                labels[near] = labels[pixel]
                _push(first, last, after, min(level, levels[near]), near)


@numba.njit(nogil=True, cache=True)
def _push(first, last, after, level, pixel):  # type: ignore[no-untyped-def] # pragma: no cover # noqa: ANN001, ANN202
    after[pixel] = -1
    if first[level] < 0:
        first[level] = pixel
    else:
        after[last[level]] = pixel
    last[level] = pixel
