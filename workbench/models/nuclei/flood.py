"""Watershed without markers (numba): one basin per maximum of sufficient dynamics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEVELS: Final = 256


def flood(
    depth: NDArray[np.uint8], inside: NDArray[np.bool_], *, dynamic: int, deepest: int
) -> NDArray[np.int32]:
    """Return the basins of an image, merged where their dynamics are small.

    Pixels are visited from the deepest to the shallowest; each joins the deepest of its
    neighbours or starts a basin. Two basins that meet stay separate only if both are
    deeper by `dynamic` than the saddle where they meet: the dynamics of Grimaud, "A new
    measure of contrast: the dynamics", SPIE 1992. No markers are needed, and time and
    memory are linear in the pixels.

    Parameters
    ----------
    depth : uint8 (H, W)
        Depth of each pixel in an object.
    inside : bool (H, W)
        Foreground.
    dynamic : int
        Smallest depth above the saddle of basins that stay separate.
    deepest : int
        Basins whose maximum is below this depth are dropped.

    Returns
    -------
    int32 (H, W)
        Label of each pixel, 0 for background; labels have gaps. Basins are 4-connected.
    """
    height, width = depth.shape
    levels = np.zeros((height + 2, width + 2), np.uint8)
    levels[1:-1, 1:-1] = depth
    open_ = np.zeros(levels.shape, np.bool_)
    open_[1:-1, 1:-1] = inside
    flat = levels.ravel()
    order = np.flatnonzero(open_.ravel())
    order = order[np.argsort(_LEVELS - 1 - flat[order], kind="stable")]
    labels = np.zeros(flat.size, np.int32)
    _flood(labels, flat, order.astype(np.int32), width + 2, dynamic, deepest)
    return labels.reshape(levels.shape)[1:-1, 1:-1]


def components(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Label the 4-connected components of a mask from 1; 0 outside."""
    labels: NDArray[np.int32] = cv2.connectedComponents(
        mask.view(np.uint8), connectivity=4, ltype=cv2.CV_32S
    )[1]
    return labels


def without_small(
    labels: NDArray[np.int32], smallest_px: float
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Remove small objects; return labels numbered from 1 and their areas in pixels.

    Parameters
    ----------
    labels : int32 (H, W)
        0 is the background; numbers may be missing.
    smallest_px : float
        Smallest number of pixels of an object that is kept.
    """
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    kept = areas >= max(1.0, smallest_px)
    numbers = (np.cumsum(kept) * kept).astype(np.int32)
    return numbers[labels], areas[kept]


@numba.njit(nogil=True, cache=True)
def _flood(labels, levels, order, width, dynamic, deepest):  # type: ignore[no-untyped-def] # pragma: no cover # noqa: ANN001, ANN202, PLR0917, C901 -- split, the loop would be slower
    """Label flattened images in place; `order` leaves out pixels at their edges."""
    parent = np.zeros(order.size + 1, np.int32)
    summit = np.zeros(order.size + 1, np.int32)
    count = 0
    for pixel in order:
        level = np.int32(levels[pixel])
        own, own_level = np.int32(0), np.int32(-1)
        for step in (-width, -1, 1, width):
            near = pixel + step
            if labels[near] > 0 and levels[near] > own_level:
                own, own_level = labels[near], np.int32(levels[near])
        if own == 0:
            count += 1
            parent[count], summit[count] = count, level
            labels[pixel] = count
            continue
        labels[pixel] = own
        own = _root(parent, own)
        for step in (-width, -1, 1, width):
            if labels[pixel + step] > 0:
                other = _root(parent, labels[pixel + step])
                if other == own:
                    continue
                if min(summit[own], summit[other]) - level < dynamic:
                    if summit[other] > summit[own]:
                        own, other = other, own
                    parent[other] = own
    for pixel in order:
        root = _root(parent, labels[pixel])
        labels[pixel] = root if summit[root] >= deepest else 0


@numba.njit(nogil=True, cache=True)
def _root(parent, label):  # type: ignore[no-untyped-def] # pragma: no cover # noqa: ANN001, ANN202
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = parent[label]
    return label
