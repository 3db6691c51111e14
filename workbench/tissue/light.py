"""Optical features of each pixel: density, chroma, texture and candidates for ink.

All are relative to the glass of the slide, in optical density (natural logarithm), and
stored as bytes, so that a raster over a large slide takes a few megabytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

DENSITY_STEP: Final = 0.01
"""Optical density per step of a byte in `Light.density` and `Light.chroma`."""

TEXTURE_STEP: Final = 0.0005
"""Optical density per step of a byte in `Light.texture`."""

_DENSEST: Final = 2.2
"""Maximum optical density; beyond it there is only sensor noise."""

_GLASS_MIN: Final = 190
_GLASS_MAX_SPREAD: Final = 14
_GLASS_MAX_TEXTURE: Final = 0.003
_GLASS_MIN_SHARE: Final = 0.005
_GLASS_DEFAULT: Final = 243.0
"""Criteria of glass: bright, grey (grey levels), without texture, at least a minimum
share of the image; and the grey level that is assumed if there is none."""

_GLASS_BANDS: Final = 4
"""Approximate number of bands, evenly spread, in which glass is searched."""

_DARK: Final = 60
_DARK_SHARE: Final = 0.4
_DARK_FIELD_MAX: Final = 110
"""Criteria of a dark-field image: no glass, a large share of dark pixels, almost none
bright in all channels (grey levels)."""

_BAND: Final = 256
_REACH: Final = 24
"""Rows per band, and rows of context on each side that their result depends on."""

_BLUR: Final = 1.2
"""Sigma in pixels of the blur against noise and JPEG blocks."""

_FINE: Final = 2.0
"""Sigma in pixels of the blur from which texture is the difference..."""

_MEDIAN: Final = 9
"""...as the median over a square of this side, so that an edge has no texture."""


@dataclass(frozen=True, eq=False, slots=True)
class Light:
    """Optical features of an image; all arrays are uint8 (H, W)."""

    chroma: NDArray[np.uint8]
    """Range of the density over the channels, in steps of `DENSITY_STEP`."""

    density: NDArray[np.uint8]
    """Mean density of the channels, in steps of `DENSITY_STEP`."""

    texture: NDArray[np.uint8]
    """Local variation of the densest channel, in steps of `TEXTURE_STEP`: 0 to 0.13."""

    relative: NDArray[np.uint8]
    """Texture relative to the density, in thousandths."""

    signs: NDArray[np.uint8]
    """Result of `signs_of` for each pixel."""


def measure(
    pixels: NDArray[np.uint8],
    signs_of: Callable[[NDArray[np.float32]], NDArray[np.uint8]],
) -> Light:
    """Measure the optical features of an image, band by band.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
        sRGB; bright field, or fluorescence on a dark field, which is inverted.
    signs_of : callable
        Takes densities of red, green and blue, float32 (3, h, W); returns uint8 (h, W).
    """
    inverted = is_dark_field(pixels)
    glass = np.full(3, 255.0) if inverted else bare_glass(pixels)
    shape = pixels.shape[:2]
    light = Light(*(np.empty(shape, np.uint8) for _ in range(5)))
    for rows, part, inner in _bands(pixels):
        density = _density(_smooth(255 - part if inverted else part), glass)
        low, high = _range(density)
        texture = _texture(high)
        density, low, high = density[:, inner], low[inner], high[inner]
        mean = density[0] + density[1] + density[2]
        light.chroma[rows] = _quantize(high - low, DENSITY_STEP)
        light.density[rows] = _quantize(mean, 3 * DENSITY_STEP)
        light.texture[rows] = texture[inner]
        held = np.clip(high, np.float32(0.01), np.float32(_DENSEST))
        relative = light.texture[rows] / held
        light.relative[rows] = _quantize(relative, 0.001 / TEXTURE_STEP)
        light.signs[rows] = signs_of(density)
    return light


def is_dark_field(pixels: NDArray[np.uint8]) -> bool:
    """Return whether an image is fluorescence on black, not transmitted light."""
    sample = _sample(pixels)
    low, high = _range(np.moveaxis(sample, 2, 0))
    return bool(
        sample.size
        and _bare(sample).mean() < _GLASS_MIN_SHARE
        and (high < _DARK).mean() >= _DARK_SHARE
        and np.percentile(low, 95) < _DARK_FIELD_MAX
        and high.max() >= _DARK  # otherwise completely black
    )


def bare_glass(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the colour of glass, float64 (3,): the median of pixels that look like it.

    Pale tissue is bright and grey, too, but has texture. If less than half a percent of
    the image is glass, a near-white default is returned.
    """
    counts, total = np.zeros((3, 256), np.int64), 0
    step = 1 + len(pixels) // (_BAND * _GLASS_BANDS)
    for _, part, inner in islice(_bands(pixels), 0, None, step):
        smooth = _smooth(part)
        _, high = _range(_density(smooth, np.full(3, 255.0)))
        flat = _texture(high) <= _GLASS_MAX_TEXTURE / TEXTURE_STEP
        bare = (_bare(smooth) & flat)[inner]
        total += bare.size
        for channel in range(3):
            levels = part[inner][..., channel][bare]
            counts[channel] += np.bincount(levels, minlength=256)
    if counts[0].sum() < _GLASS_MIN_SHARE * total:
        return np.full(3, _GLASS_DEFAULT)
    half = counts.sum(axis=1, keepdims=True) / 2
    middle: NDArray[np.float64] = (np.cumsum(counts, axis=1) < half).sum(axis=1) * 1.0
    return middle


def _sample(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[:: 1 + len(pixels) // 1024, :: 1 + pixels.shape[1] // 1024]


def _bare(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    low, high = _range(np.moveaxis(pixels, 2, 0))
    bare: NDArray[np.bool_] = (low >= _GLASS_MIN) & (high - low <= _GLASS_MAX_SPREAD)
    return bare


def _bands(
    pixels: NDArray[np.uint8],
) -> Iterator[tuple[slice, NDArray[np.uint8], slice]]:
    """Yield rows, their pixels with context rows, and their slice of these pixels."""
    for top in range(0, len(pixels), _BAND):
        above = min(top, _REACH)
        part = pixels[top - above : top + _BAND + _REACH]
        count = min(_BAND, len(pixels) - top)
        yield slice(top, top + count), part, slice(above, above + count)


def _smooth(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    blurred: NDArray[np.uint8] = cv2.GaussianBlur(pixels, (0, 0), _BLUR)
    return blurred


def _density(
    pixels: NDArray[np.uint8], glass: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the optical density relative to `glass`, float32 (3, H, W)."""
    levels = np.arange(1, 257)[:, None]
    tables = np.maximum(np.log((glass + 1) / levels), 0).astype(np.float32)
    density = np.empty((3, *pixels.shape[:2]), np.float32)
    for channel, table in enumerate(tables.T):
        density[channel] = cv2.LUT(pixels[..., channel], table.copy())
    return density


def _range(planes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the minimum and maximum of three planes, (3, H, W), at each pixel.

    Two steps over whole planes are many times faster than a reduction over an axis.
    """
    red, green, blue = planes
    low = np.minimum(np.minimum(red, green), blue)
    return low, np.maximum(np.maximum(red, green), blue)


def _texture(density: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the fine local variation of a density, in steps of `TEXTURE_STEP`."""
    held = np.minimum(density, np.float32(_DENSEST))
    rest = cv2.absdiff(held, cv2.GaussianBlur(held, (0, 0), _FINE))
    median: NDArray[np.uint8] = cv2.medianBlur(_quantize(rest, TEXTURE_STEP), _MEDIAN)
    return median


def _quantize(values: NDArray[np.float32], step: float) -> NDArray[np.uint8]:
    """Quantize values to bytes in steps of `step`; larger values become 255."""
    scaled: NDArray[np.uint8] = cv2.convertScaleAbs(values, alpha=1 / step)
    return scaled.reshape(values.shape)
