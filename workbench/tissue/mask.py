"""Where in a picture there is tissue: not glass, ink, dust or the scanner's edge.

Most stains are *coloured*: they absorb one part of the light more than another, and
glass, shadows and dust do not. But blue and brown mix to grey, and silver is grey
itself; tissue of these has *texture*, which glass and its shadows have not. So a pixel
is tissue by its chroma alone, or by being absorbing and textured. What has a colour
of ink is judged by `workbench.tissue.ink`. The threshold on chroma is Otsu's, but held
between absolute limits, so that a blank slide has no tissue and a full one no glass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from workbench.tissue.ink import ink_of, signs
from workbench.tissue.light import DENSITY_STEP, TEXTURE_STEP, measure
from workbench.tissue.objects import LINE, Objects, grown, opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.tissue.light import Light

CHROMA_BOUNDS: Final = (0.05, 0.12)
"""Optical density (natural logarithm) by which tissue must be coloured: below the
first there may be noise and tinted glass, above the second there is dye."""

_ABSORBS: Final = 0.06
_TEXTURE: Final = 0.0025
_AROUND: Final = 21
"""Optical density of what is tissue by its texture, and of that texture, at half of
the pixels of a square of this side."""

_GREYEST: Final = np.float32(0.15)
"""Chroma as a share of the density: less is the noise of what is dark and grey."""

_HAIR: Final = 2
"""Grey tissue is wider than a disc of this radius, in pixels."""

_GREY_SHARE: Final = 0.25
"""An object of which less is coloured is grey: tissue, or a speck, a hair, the edge of
a cover slip, or the shadow along the border of a scan..."""

_LINE_PX: Final = 20
_BORDER: Final = 0.06
"""...which are no wider than so many pixels, or this share of the longer side."""

_MIXED: Final = 5
_RIM: Final = 12
"""Pixels around ink that are mixtures with it, and in which an object may be one."""

_RIM_SHARE: Final = 0.8

_MIN_SHARE: Final = 2e-5
"""Objects and holes smaller than this share of the raster are noise..."""

_MIN_OBJECT_MM2: Final = 0.01
_MOST_SHARE: Final = 0.005
"""...or smaller than this, where the mpp is known; of a small picture no more than this
share is noise, since what it shows goes on beyond it."""


def tissue_mask(
    pixels: NDArray[np.uint8],
    *,
    mpp: float | None = None,
    threshold: float | None = None,
    keep_ink: bool = False,
) -> NDArray[np.bool_]:
    """Tell tissue from glass, ink, dust and black edges.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
        sRGB, best at about 8 µm per pixel; bright field of any stain, or fluorescence
        on a dark field.
    mpp : float, optional
        Micrometres per pixel of `pixels`; decides how small a speck or a hole is
        noise. Default: relative to the picture.
    threshold : float, optional
        Optical density by which tissue is coloured, or absorbs and is textured.
        Default: chosen for the picture, between 0.05 and 0.12.
    keep_ink : bool
        Whether what looks like ink counts as tissue.

    Returns
    -------
    bool (H, W)
        True on tissue.
    """
    if not pixels.size:
        return np.zeros(pixels.shape[:2], np.bool_)
    light = measure(pixels, signs)
    ink = np.zeros_like(light.signs, np.bool_) if keep_ink else ink_of(light)
    smallest = _smallest_object(pixels.shape, mpp)
    coloured, textured = _stained(light, ink, threshold)
    mask = _without_dirt(coloured | textured, coloured, smallest)
    mask |= _holes(mask, smallest)
    return _without_rims(mask & ~grown(ink, _MIXED), ink)


def artefact_mask(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell ink of any colour and black edges from everything else.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
        sRGB, at any resolution.

    Returns
    -------
    bool (H, W)
        True on what neither stains nor glass look like.
    """
    if not pixels.size:
        return np.zeros(pixels.shape[:2], np.bool_)
    return ink_of(measure(pixels, signs))


def _stained(
    light: Light, ink: NDArray[np.bool_], threshold: float | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what is coloured as tissue is, and what absorbs and is textured."""
    chosen = _threshold(light.chroma, ink) if threshold is None else threshold
    least, dense = chosen / DENSITY_STEP, _GREYEST * light.density
    coloured = light.chroma > np.maximum(least, dense)
    pale = CHROMA_BOUNDS[0] if threshold is None else threshold
    absorbs = light.density > (_ABSORBS if threshold is None else pale) / DENSITY_STEP
    absorbs |= light.chroma > pale / DENSITY_STEP
    texture = cv2.medianBlur(light.texture, _AROUND)
    textured = absorbs & (texture > _TEXTURE / TEXTURE_STEP)
    coloured &= ~ink
    wide = opened((coloured | textured) & ~ink, _HAIR)
    return coloured, textured & wide


def _without_dirt(
    mask: NDArray[np.bool_], coloured: NDArray[np.bool_], smallest: int
) -> NDArray[np.bool_]:
    """Drop objects that are noise, and grey ones that are specks, lines or borders."""
    objects = Objects.of(mask)
    grey = objects.share(coloured) < _GREY_SHARE
    width = np.maximum(objects.width(mask), 1)
    line = objects.area > LINE * width**2
    border = objects.at_border & (width < _BORDER * max(mask.shape))
    dirt = (line & ((width < _LINE_PX) | border)) | (objects.area < 4 * smallest)
    return objects.where((objects.area >= smallest) & ~(grey & dirt))


def _threshold(chroma: NDArray[np.uint8], ink: NDArray[np.bool_]) -> float:
    """Return Otsu's threshold of what is no ink, held between the absolute limits."""
    low, high = CHROMA_BOUNDS
    counts = np.bincount(chroma[~ink], minlength=256)
    if not counts.any():
        return high
    levels = np.arange(256) * DENSITY_STEP
    share = np.cumsum(counts) / counts.sum()
    mean = np.cumsum(counts * levels) / counts.sum()
    within = share * (1 - share)
    between = np.divide(
        (mean[-1] * share - mean) ** 2, within, out=np.zeros(256), where=within > 0
    )
    return float(np.clip(levels[int(between.argmax())], low, high))


def _holes(mask: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    """Return the holes of a mask that are noise; what is outside is no hole."""
    empty = Objects.of(~mask)
    return empty.where((empty.area < smallest) & ~empty.at_border)


def _without_rims(mask: NDArray[np.bool_], ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Drop objects that lie along ink: its rim is a mixture with glass."""
    if not ink.any():
        return mask
    objects = Objects.of(mask)
    return objects.where(objects.share(grown(ink, _RIM)) < _RIM_SHARE)


def _smallest_object(shape: tuple[int, ...], mpp: float | None) -> int:
    """Return the area in pixels below which an object or a hole is noise."""
    if mpp is None:
        return max(16, round(_MIN_SHARE * shape[0] * shape[1]))
    smallest = min(_MIN_OBJECT_MM2 * 1e6 / mpp**2, _MOST_SHARE * shape[0] * shape[1])
    return max(4, round(smallest))
