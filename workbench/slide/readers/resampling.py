"""From the pixels of a level to those that are wanted: averages of area.

A pixel that is wanted covers an area of the level. Its value is the average of the
level's pixels over that area, those that are cut by its edge counting as far as they
lie within it. Where more pixels are wanted than the level has, they are interpolated
linearly between its centres. Both are weights along each axis by itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.slide.readers.level_selection import Source

_WHOLE: Final = 1e-6
"""Edges this close to a whole number, in pixels, are there."""

_CHUNK: Final = 1 << 22
"""Values that are turned into floating point at once."""


def resample(
    pixels: NDArray[np.uint8],
    source: Source,
    out: NDArray[np.uint8],
    limit: tuple[int, int],
) -> None:
    """Write the pixels of a source into `out`, averaged or interpolated.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
        The whole pixels that the source touches, from its origin.
    source : Source
    out : uint8 (height, width, 3)
    limit : (int, int)
        Width and height of the level: beyond is background, which is not mixed into
        the pixels within where these are interpolated.
    """
    height, width, _ = out.shape
    if source.is_whole and pixels.shape == out.shape:
        out[:] = pixels
        return
    if source.is_whole and pixels.shape[0] >= height and pixels.shape[1] >= width:
        cv2.resize(pixels, (width, height), dst=out, interpolation=cv2.INTER_AREA)
        return
    cv2.convertScaleAbs(weighted(pixels, source, (width, height), limit), dst=out)


def weighted(
    pixels: NDArray[np.uint8],
    source: Source,
    size: tuple[int, int],
    limit: tuple[int, int],
) -> NDArray[np.float32]:
    """Return the pixels of a source before they are rounded, float32 (H, W, 3)."""
    x, y = source.origin
    down = _Axis(source.top - y, source.bottom - y, pixels.shape[0], -y, limit[1] - y)
    across = _Axis(source.left - x, source.right - x, pixels.shape[1], -x, limit[0] - x)
    rows = _by_rows(down.weights(size[1]), pixels)
    columns = _by_rows(across.weights(size[0]), cv2.transpose(rows))
    found: NDArray[np.float32] = cv2.transpose(columns)
    return found


def _by_rows(weights: Any, pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return weighted sums of rows, float32 (rows of the weights, W, 3)."""
    height, width, channels = pixels.shape
    out = np.empty((weights.shape[0], width, channels), np.float32)
    step = max(1, _CHUNK // (height * channels))
    for left in range(0, width, step):
        part = pixels[:, left : left + step].astype(np.float32)
        sums = weights @ part.reshape(height, -1)
        out[:, left : left + step] = sums.reshape(len(sums), -1, channels)
    return out


class _Axis:
    """A part of a row of pixels, in pixels from the first of them.

    Parameters
    ----------
    start, stop : float
        The part.
    count : int
        How many pixels there are.
    first, last : int
        Between which the picture lies.
    """

    def __init__(
        self, start: float, stop: float, count: int, first: int, last: int
    ) -> None:
        self._part = start, stop
        self._count = count
        self._inside = max(0, first), min(count, last)

    def weights(self, wanted: int) -> Any:
        """Return what each pixel adds to each that is wanted, (wanted, count)."""
        start, stop = self._part
        if stop - start >= wanted * (1 - _WHOLE):
            return _areas(start, stop, wanted, self._count)
        return _lines(start, stop, wanted, self._count, self._inside)


@lru_cache(maxsize=64)
def _areas(start: float, stop: float, wanted: int, count: int) -> Any:
    """Return the share of each wanted pixel that each pixel covers."""
    edges = np.linspace(start, stop, wanted + 1).clip(0, count)
    near = np.rint(edges)
    edges = np.where(np.abs(edges - near) <= _WHOLE, near, edges)
    lower, upper = edges[:-1], edges[1:]
    first = np.floor(lower).astype(np.int64)
    taps = np.maximum(1, np.ceil(upper).astype(np.int64) - first)
    begins = np.concatenate([[0], np.cumsum(taps)])
    which = np.repeat(np.arange(wanted), taps)
    at = first[which] + np.arange(begins[-1]) - begins[which]
    shares = np.minimum(upper[which], at + 1) - np.maximum(lower[which], at)
    shares /= np.maximum(upper - lower, _WHOLE)[which]
    return _sparse(shares, np.minimum(at, count - 1), begins, count)


@lru_cache(maxsize=64)
def _lines(
    start: float, stop: float, wanted: int, count: int, inside: tuple[int, int]
) -> Any:
    """Return the weights of the two pixels between whose centres each wanted one is.

    Pixels of the picture and of the background beside it are not mixed.
    """
    centres = start + (np.arange(wanted) + 0.5) * ((stop - start) / wanted)
    first, last = inside
    low = np.where(centres < first, 0, np.where(centres < last, first, last))
    high = np.where(centres < first, first, np.where(centres < last, last, count))
    left = np.floor(centres - 0.5)
    weight = centres - 0.5 - left
    pair = np.stack([left, left + 1], 1).astype(np.int64)
    at = np.clip(pair, low[:, None], np.maximum(low, high - 1)[:, None])
    shares = np.stack([1 - weight, weight], 1)
    begins = np.arange(0, 2 * wanted + 1, 2)
    return _sparse(shares.ravel(), at.clip(0, count - 1).ravel(), begins, count)


def _sparse(
    shares: NDArray[Any], at: NDArray[Any], begins: NDArray[Any], count: int
) -> Any:
    # Most slides are read without a cut through pixels, and it takes long to import.
    from scipy.sparse import csr_array  # noqa: PLC0415

    parts = shares.astype(np.float32), at.astype(np.int32), begins.astype(np.int32)
    return csr_array(parts, shape=(len(begins) - 1, count))
