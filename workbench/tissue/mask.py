"""Tissue mask of an image: separates tissue from glass, ink, dust and scan edges.

Most stains are *coloured*: they absorb one part of the spectrum more than another;
glass, shadows and dust do not. But blue and brown mix to grey, and silver is grey; such
tissue has *texture*, which glass and shadows do not have. So a pixel is tissue by its
chroma alone, or by absorption together with texture. Colours of ink are classified by
`workbench.tissue.ink`. The threshold on chroma is Otsu's, clipped to absolute limits,
so that a blank slide has no tissue and a full one no glass. N. Otsu, "A threshold
selection method from gray-level histograms", IEEE Trans. Syst. Man Cybern. 9(1), 1979.
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
"""Limits of the chroma threshold, in optical density (natural logarithm): below the
first may be noise and tinted glass, above the second is stain."""

_ABSORBS: Final = 0.06
_TEXTURE: Final = 0.0025
_AROUND: Final = 21
"""Tissue by texture: minimum optical density, and minimum texture as the median over a
square of this side in pixels."""

_GREYEST: Final = np.float32(0.15)
"""Minimum chroma as a share of the density; less is noise of dark grey pixels."""

_HAIR: Final = 2
"""Radius in pixels of the narrowest grey tissue."""

_GREY_SHARE: Final = 0.25
"""Share of coloured pixels below which an object is grey: tissue, or a speck, a hair,
the edge of a cover slip, or the shadow along the border of a scan..."""

_LINE_PX: Final = 20
_BORDER: Final = 0.06
"""...which are no wider than this, in pixels, or as a share of the longer side."""

_MIXED: Final = 5
_RIM: Final = 12
"""Distances from ink in pixels: of mixed pixels, and of objects that are its rim."""

_RIM_SHARE: Final = 0.8

_MIN_SHARE: Final = 2e-5
"""Minimum size of objects and holes, as a share of the raster..."""

_MIN_OBJECT_MM2: Final = 0.01
_MOST_SHARE: Final = 0.005
"""...or in mm², if the mpp is known; but at most this share of a small image, whose
objects may extend beyond it."""


def tissue_mask(
    pixels: NDArray[np.uint8],
    *,
    mpp: float | None = None,
    threshold: float | None = None,
    keep_ink: bool = False,
) -> NDArray[np.bool_]:
    """Separate tissue from glass, ink, dust and black edges.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
        sRGB, best at about 8 µm per pixel; bright field of any stain, or fluorescence
        on a dark field.
    mpp : float, optional
        Micrometres per pixel of `pixels`; sets the minimum size of objects and holes.
        Default: relative to the image.
    threshold : float, optional
        Minimum optical density of tissue: of its chroma, or of its absorption where it
        has texture. Default: chosen for the image, between 0.05 and 0.12.
    keep_ink : bool
        Whether pen ink counts as tissue.

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
    coloured, textured = _find_stained(light, ink, threshold)
    mask = _drop_dirt(coloured | textured, coloured, smallest)
    mask |= _find_holes(mask, smallest)
    return _drop_rims(mask & ~grown(ink, _MIXED), ink)


def artefact_mask(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the mask of ink of any colour and of black edges.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
        sRGB, at any resolution.

    Returns
    -------
    bool (H, W)
        True on pixels that look like neither stain nor glass.
    """
    if not pixels.size:
        return np.zeros(pixels.shape[:2], np.bool_)
    return ink_of(measure(pixels, signs))


def _find_stained(
    light: Light, ink: NDArray[np.bool_], threshold: float | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the masks of coloured tissue, and of absorbing tissue with texture."""
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


def _drop_dirt(
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
    """Return Otsu's threshold of the pixels without ink, clipped to the limits."""
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


def _find_holes(mask: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    """Return the holes of a mask that are noise; the outside is not a hole."""
    empty = Objects.of(~mask)
    return empty.where((empty.area < smallest) & ~empty.at_border)


def _drop_rims(mask: NDArray[np.bool_], ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Drop objects along ink: its rim is a mixture with glass."""
    if not ink.any():
        return mask
    objects = Objects.of(mask)
    return objects.where(objects.share(grown(ink, _RIM)) < _RIM_SHARE)


def _smallest_object(shape: tuple[int, ...], mpp: float | None) -> int:
    """Return the minimum area of an object or a hole, in pixels."""
    if mpp is None:
        return max(16, round(_MIN_SHARE * shape[0] * shape[1]))
    smallest = min(_MIN_OBJECT_MM2 * 1e6 / mpp**2, _MOST_SHARE * shape[0] * shape[1])
    return max(4, round(smallest))
