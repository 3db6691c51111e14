"""Connected components of a mask, and selection by their properties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINE: Final = 8.0
"""Ratio of area to squared width above which an object is a line or a stroke."""

_BAND: Final = 128
"""Rows per lookup of labels, which limits the memory for 64-bit indices."""


@dataclass(frozen=True, eq=False, slots=True)
class Objects:
    """The connected objects (8-neighbours) of a mask; number 0 is the background."""

    labels: NDArray[np.int32]
    """Object number of each pixel, int32 (H, W)."""

    area: NDArray[np.int64]
    """Area of each object in pixels, int64 (N,); 0 for number 0."""

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Objects:
        """Label the objects of a mask."""
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
        area = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
        area[0] = 0
        return cls(labels, area)

    @property
    def at_border(self) -> NDArray[np.bool_]:
        """Whether each object touches the border of the image, bool (N,)."""
        reach = np.zeros(len(self.area), np.bool_)
        for side in (self.labels[[0, -1]], self.labels[:, [0, -1]]):
            reach[side] = True
        reach[0] = False
        return reach

    def count(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the number of pixels of a mask in each object, int64 (N,)."""
        counts: NDArray[np.int64] = np.bincount(
            self.labels[mask], minlength=len(self.area)
        ).astype(np.int64)
        counts[0] = 0
        return counts

    def share(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the share of each object that a mask covers, float64 (N,)."""
        share: NDArray[np.float64] = self.count(mask) / np.maximum(self.area, 1)
        return share

    def width(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the maximum width of each object of `mask`, in pixels: (N,)."""
        inside = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 3)
        widest = np.zeros(len(self.area))
        ridge = inside >= cv2.dilate(inside, np.ones((3, 3), np.uint8))
        ridge &= mask
        np.maximum.at(widest, self.labels[ridge], inside[ridge])
        widest[0] = 0
        return 2 * widest

    def where(self, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the mask of the objects for which `keep` (bool (N,)) is True."""
        keep = keep & (self.area > 0)
        kept = np.empty(self.labels.shape, np.bool_)
        for top in range(0, len(kept), _BAND):
            rows = slice(top, top + _BAND)
            kept[rows] = keep[self.labels[rows]]
        return kept


def without_small(mask: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    """Drop connected objects of fewer than `smallest` pixels."""
    objects = Objects.of(mask)
    return objects.where(objects.area >= smallest)


def grown(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Dilate a mask by `reach` pixels."""
    kernel = _disc(reach)
    result: NDArray[np.bool_] = cv2.dilate(mask.view(np.uint8), kernel) > 0
    return result


def opened(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Open a mask with a disc of radius `reach` pixels, which drops narrower parts."""
    result: NDArray[np.bool_] = (
        cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, _disc(reach)) > 0
    )
    return result


def _disc(reach: int) -> NDArray[np.uint8]:
    side = 2 * reach + 1
    disc: NDArray[np.uint8] = cv2.getStructuringElement(
        cv2.MORPH_ELLIPSE, (side, side)
    ).astype(np.uint8)
    return disc
