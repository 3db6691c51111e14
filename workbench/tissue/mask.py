"""Where in a picture there is tissue: not glass, ink, dust or the scanner's edge.

Light that tissue lets through is *coloured*: hematoxylin and eosin absorb green
most. Glass, shadows, dust and air bubbles absorb all colours alike, and ink absorbs
in ratios that the stains cannot reach. So a pixel is judged by its optical density
relative to the slide's own glass: its chroma says whether there is dye at all, its
ratios whether that dye is ink. The threshold on chroma is Otsu's, but held between
absolute limits, so that a blank slide has no tissue and a full one no glass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHROMA_BOUNDS: Final = (0.05, 0.12)
"""Optical density (natural logarithm) by which tissue must be coloured: below the
first there may be noise and tinted glass, above the second there is dye."""

_GLASS_MIN: Final = 190
_GLASS_MAX_SPREAD: Final = 14
_GLASS_MIN_SHARE: Final = 0.005
_GLASS_DEFAULT: Final = 243.0
"""Glass is bright and grey (grey levels), and there is some to be seen."""

_BAND: Final = 128
"""Rows of the raster that are looked at at once, so that only what is left of each
pixel is held for a large slide."""

_BLUR: Final = 1.2
_BLUR_REACH: Final = 8
"""Sigma of the blur, and rows beyond which it does not reach; in pixels."""

_COLD, _PINK, _RED_INK, _GREY, _BLACK_INK = (1 << bit for bit in range(5))
"""What the colour of a pixel may be a sign of."""

_MIN_INK: Final = 0.08
"""Optical density by which ink must differ from the stains."""

_BLACK: Final = 0.85
"""Optical density of black ink in every channel."""

_RED: Final = 0.8
"""Optical density by which red ink absorbs green more than red."""

_MIN_INK_PX: Final = 12
"""Marks of fewer pixels are noise."""

_MIN_SHARE: Final = 2e-5
"""Objects and holes smaller than this share of the raster are noise..."""

_MIN_OBJECT_MM2: Final = 0.01
"""...or smaller than this, where the mpp is known."""


def tissue_mask(
    pixels: NDArray[np.uint8], *, mpp: float | None = None
) -> NDArray[np.bool_]:
    """Tell tissue from glass, ink, dust and black edges.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
        sRGB, best at about 8 µm per pixel.
    mpp : float, optional
        Micrometres per pixel of `pixels`; decides how small a speck or a hole is
        noise. Default: relative to the picture.

    Returns
    -------
    bool (H, W)
        True on tissue.
    """
    if not pixels.size:
        return np.zeros(pixels.shape[:2], np.bool_)
    chroma, signs = _judged(pixels)
    ink = _ink(signs)
    chroma[ink] = np.nan
    stained = chroma > _threshold(chroma)
    del chroma, signs  # what follows needs as much again
    smallest = _smallest_object(pixels.shape, mpp)
    mask = _without_small(stained, smallest)
    mask = ~_without_small(~mask, smallest)
    return mask & ~_grown(ink)


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
    return _ink(_judged(pixels)[1])


def _judged(
    pixels: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the chroma of each pixel, and what its colour may be a sign of.

    Returns
    -------
    float32 (H, W)
        By how much optical density differs between the channels.
    uint8 (H, W)
        Sums of `_COLD`, `_PINK` and so on.
    """
    glass = _glass(pixels)
    chroma = np.empty(pixels.shape[:2], np.float32)
    signs = np.empty(pixels.shape[:2], np.uint8)
    for top in range(0, len(pixels), _BAND):
        rows = slice(top, top + _BAND)
        density = _density(_smooth(pixels, top), glass)
        chroma[rows] = density.max(axis=2) - density.min(axis=2)
        signs[rows] = _signs(density)
    return chroma, signs


def _smooth(pixels: NDArray[np.uint8], top: int) -> NDArray[np.uint8]:
    """Return a band, blurred by about a pixel: against noise and JPEG's blocks."""
    above = min(top, _BLUR_REACH)
    part = pixels[top - above : top + _BAND + _BLUR_REACH]
    blurred: NDArray[np.uint8] = cv2.GaussianBlur(part, (0, 0), _BLUR)
    return blurred[above : above + _BAND]


def _glass(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the colour of bare glass: the median of what is bright and grey.

    Without at least half a percent of such pixels there is no glass to be seen,
    and it is taken to be nearly white.
    """
    sample = pixels[:: 1 + len(pixels) // 1024, :: 1 + pixels.shape[1] // 1024]
    low, high = sample.min(axis=2), sample.max(axis=2)
    bare = (low >= _GLASS_MIN) & (high - low <= _GLASS_MAX_SPREAD)
    if bare.mean() < _GLASS_MIN_SHARE:
        return np.full(3, _GLASS_DEFAULT)
    colour: NDArray[np.float64] = np.median(sample[bare], axis=0)
    return colour


def _density(
    pixels: NDArray[np.uint8], glass: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the optical density relative to `glass`, not below 0, float32."""
    levels = np.arange(1, 257)[:, None]
    table = np.maximum(np.log((glass + 1) / levels), 0).astype(np.float32)
    return np.stack([table[pixels[..., c], c] for c in range(3)], axis=2)


def _signs(density: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Tell signs of ink and black edges by ratios of density that no stain reaches.

    Hematoxylin and eosin absorb green most, then red or blue by their mixture. Blue
    and green ink absorb red more than green; red ink absorbs blue nearly as much as
    green, and hardly any red; black absorbs everything, nearly alike.
    """
    red, green, blue = density[..., 0], density[..., 1], density[..., 2]
    highest, lowest = density.max(axis=2), density.min(axis=2)
    cold = (red > 1.1 * green) & (red - green > _MIN_INK)
    pink = (green > 4.5 * red) & (blue > 0.7 * green) & (green - red > 2.5 * _MIN_INK)
    grey = (lowest > _BLACK) & (highest - lowest < 0.42 * highest)
    signs = np.zeros(density.shape[:2], np.uint8)
    signs[cold] |= _COLD
    signs[pink] |= _PINK
    signs[pink & (green - red > _RED)] |= _RED_INK
    signs[grey] |= _GREY
    signs[grey & (highest - lowest < 0.3 * highest)] |= _BLACK_INK
    return signs


def _ink(signs: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell ink and black edges.

    What is pale red may be eosin, and what is dark and a little coloured may be a fold
    of tissue; both are ink only where they touch what is ink beyond doubt.
    """
    ink = signs & _COLD > 0
    ink |= _touching(signs & _PINK > 0, signs & _RED_INK > 0)
    ink |= _touching(signs & _GREY > 0, signs & _BLACK_INK > 0)
    return _without_small(ink, _MIN_INK_PX)


def _threshold(chroma: NDArray[np.float32]) -> float:
    """Return Otsu's threshold, held between the absolute limits; NaN does not count."""
    low, high = _CHROMA_BOUNDS
    edges = np.linspace(0, 1, 257)
    counts = np.zeros(256, np.int64)
    for top in range(0, len(chroma), _BAND):
        counts += np.histogram(np.minimum(chroma[top : top + _BAND], 1), edges)[0]
    if not counts.any():
        return high
    share = np.cumsum(counts) / counts.sum()
    mean = np.cumsum(counts * edges[1:]) / counts.sum()
    within = share * (1 - share)
    between = np.divide(
        (mean[-1] * share - mean) ** 2, within, out=np.zeros(256), where=within > 0
    )
    return float(np.clip(edges[1 + int(between.argmax())], low, high))


def _smallest_object(shape: tuple[int, ...], mpp: float | None) -> int:
    """Return the area in pixels below which an object or a hole is noise."""
    if mpp is None:
        return max(16, round(_MIN_SHARE * shape[0] * shape[1]))
    return max(4, round(_MIN_OBJECT_MM2 * 1e6 / mpp**2))


def _without_small(mask: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    """Drop connected objects (8-neighbours) of fewer than `smallest` pixels."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    keep = facts[:, cv2.CC_STAT_AREA] >= smallest
    keep[0] = False
    return _looked_up(keep, labels)


def _touching(mask: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the connected objects of `mask` that hold a seed."""
    count, labels = cv2.connectedComponents(mask.view(np.uint8))
    keep = np.zeros(count, np.bool_)
    keep[labels[seeds & mask]] = True
    return _looked_up(keep, labels)


def _looked_up(keep: NDArray[np.bool_], labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return `keep[labels]`, without all labels as 64-bit indices at once."""
    kept = np.empty(labels.shape, np.bool_)
    for top in range(0, len(labels), _BAND):
        rows = slice(top, top + _BAND)
        kept[rows] = keep[labels[rows]]
    return kept


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Grow by two pixels: the rim of an ink mark is a mixture."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    grown: NDArray[np.bool_] = cv2.dilate(mask.view(np.uint8), kernel) > 0
    return grown
