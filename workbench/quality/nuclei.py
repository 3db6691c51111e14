"""Size of nuclei, which tells whether the pixel size of a slide can be right.

Nuclei of most tissues are 5 to 10 µm wide. They are separated by Otsu's threshold on
the absorption of red, which hematoxylin absorbs and eosin does not; of touching nuclei
only what is convex counts. This is a scale of the whole slide, no segmentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMOOTH_PX: Final = 1.6
_LEAST_PX: Final = 25
_CONVEX: Final = 0.85
_LONGEST: Final = 2.5
_CONTRAST: Final = 0.15
"""Smoothing; least area of a nucleus, its least share of its convex hull and largest
ratio of its sides; least difference in density between nuclei and the rest."""

_FEWEST: Final = 50
_GREY: Final = 256.0


def nucleus_diameter(tiles: NDArray[np.uint8], mpp: float) -> float:
    """Return the diameter in µm below which half of the area of nuclei lies.

    Parameters
    ----------
    tiles : uint8 (N, H, W, 3)
        Of stained tissue.
    mpp : float
        Their micrometres per pixel, about 0.5.

    Returns
    -------
    float
        NaN where fewer than 50 nuclei stand out.
    """
    areas = np.concatenate([_areas(tile) for tile in tiles] or [np.empty(0)])
    if len(areas) < _FEWEST:
        return float("nan")
    areas = np.sort(areas)
    middle = areas[np.searchsorted(np.cumsum(areas), areas.sum() / 2)]
    return float(2 * np.sqrt(middle / np.pi) * mpp)


def _areas(tile: NDArray[np.uint8]) -> NDArray[np.float64]:
    red = cv2.GaussianBlur(tile[..., 0], (0, 0), _SMOOTH_PX)
    _, dark = cv2.threshold(red, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    if not 0 < dark.mean() < 1:
        return np.empty(0)
    density = -np.log((red.astype(np.float32) + 1) / _GREY)
    if density[dark > 0].mean() - density[dark == 0].mean() < _CONTRAST:
        return np.empty(0)
    outlines, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    height, width = red.shape
    found = []
    for outline in outlines:
        # The outline runs through the middle of pixels: half a pixel is outside.
        area = cv2.contourArea(outline) + len(outline) / 2 + 1
        x, y, w, h = cv2.boundingRect(outline)
        cut = x == 0 or y == 0 or x + w == width or y + h == height
        if area < _LEAST_PX or cut or max(w, h) > _LONGEST * min(w, h):
            continue
        hull = cv2.convexHull(outline)
        if area > _CONVEX * (cv2.contourArea(hull) + len(outline) / 2 + 1):
            found.append(area)
    return np.array(found, float)
