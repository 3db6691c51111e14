"""Polygons around the pixels of a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import shapely
from skimage.measure import find_contours

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

_HALF: Final = 0.5
_TOLERANCE_PX: Final = 0.3
"""Tolerance for simplifying an outline, in pixels of the mask."""

_CORNERS: Final = 4
_SPECK_PX: Final = 24
"""Holes of fewer pixels are filled."""


def outline_of(
    mask: NDArray[np.bool_],
    *,
    origin: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
) -> BaseGeometry | None:
    """Return the pixels of a mask as polygons with holes.

    Parameters
    ----------
    mask : bool (H, W)
    origin : (float, float)
        Upper left corner of the mask, in level-0 pixels.
    scale : float
        Level-0 pixels per pixel of the mask.

    Returns
    -------
    geometry or None
        Polygon or MultiPolygon in level-0 pixels; None if the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(columns[0])
    used = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    padded = np.pad(used, 1).astype(np.float32)
    rings = [
        shapely.simplify(shapely.LinearRing(each[:, ::-1]), _TOLERANCE_PX)
        for each in find_contours(padded, _HALF)
        if len(each) >= _CORNERS
    ]
    area = shapely.build_area(shapely.GeometryCollection(rings))
    if area.is_empty:
        return None
    # A contour is in indices of padded pixels, whose centres are half a pixel inside.
    shift = np.asarray(origin) + scale * np.array([left, top])
    return shapely.transform(area, lambda xy: shift + scale * (xy - _HALF))


def without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask whose holes of a few pixels are filled."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        (~mask).astype(np.uint8), connectivity=4
    )
    small = stats[:, cv2.CC_STAT_AREA] < _SPECK_PX
    small[0] = False
    filled: NDArray[np.bool_] = mask | small[labels]
    return filled
