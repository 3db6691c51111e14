"""Resampling of stored pixels to output pixels: area averages.

An output pixel covers an area of the level. Its value is the average of the level's
pixels over that area, weighted by their overlap. When enlarging, output pixels are
interpolated linearly between the centres of the level's pixels. Both are separable
weights along x and y.
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
"""Tolerance in pixels within which an edge counts as a pixel boundary."""

_CHUNK: Final = 1 << 22
"""Values converted to floating point at once."""


def resample(
    pixels: NDArray[np.uint8],
    source: Source,
    out: NDArray[np.uint8],
    limit: tuple[int, int],
) -> None:
    """Write the pixels of a source into `out`, averaged or interpolated.

    Parameters
    ----------
    pixels : uint8 (H, W, 3), or (H, W, 1) of any type
        Stored pixels that the source touches, starting at its origin.
    source : Source
    out : (height, width, 3 or 1) of the same type
    limit : (int, int)
        Width and height of the level. Beyond it is background, which interpolation does
        not mix with the pixels of the level.
    """
    height, width, _ = out.shape
    if source.is_whole and pixels.shape == out.shape:
        out[:] = pixels
        return
    if source.is_whole and pixels.shape[0] >= height and pixels.shape[1] >= width:
        if out.shape[2] == 1:  # OpenCV drops an axis of one channel
            out[..., 0] = cv2.resize(
                pixels, (width, height), interpolation=cv2.INTER_AREA
            )
            return
        cv2.resize(pixels, (width, height), dst=out, interpolation=cv2.INTER_AREA)
        return
    values = weighted(pixels, source, (width, height), limit)
    if out.dtype == np.uint8:
        cv2.convertScaleAbs(values, dst=out)
    else:
        out[:] = values if out.dtype.kind == "f" else np.rint(values)


def weighted(
    pixels: NDArray[np.uint8],
    source: Source,
    size: tuple[int, int],
    limit: tuple[int, int],
) -> NDArray[np.float32]:
    """Return the output pixels of a source before rounding, float32 (H, W, 3)."""
    x, y = source.origin
    down = _Axis(source.top - y, source.bottom - y, pixels.shape[0], -y, limit[1] - y)
    across = _Axis(source.left - x, source.right - x, pixels.shape[1], -x, limit[0] - x)
    rows = _weight_rows(down.weights(size[1]), pixels)
    columns = _weight_rows(across.weights(size[0]), _transpose(rows))
    return _transpose(columns)


def _transpose(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Exchange rows and columns; OpenCV drops an axis of one channel."""
    height, width, channels = values.shape
    turned: NDArray[np.float32] = cv2.transpose(values)
    return turned.reshape(width, height, channels)


def _weight_rows(weights: Any, pixels: NDArray[Any]) -> NDArray[np.float32]:
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
    """A span along one axis, in pixels relative to the first stored pixel.

    Parameters
    ----------
    start, stop : float
        The span.
    count : int
        Number of stored pixels.
    first, last : int
        Start and end of the image.
    """

    def __init__(
        self, start: float, stop: float, count: int, first: int, last: int
    ) -> None:
        self._part = start, stop
        self._count = count
        self._inside = max(0, first), min(count, last)

    def weights(self, size: int) -> Any:
        """Return the weight of each stored pixel per output pixel: (size, count)."""
        start, stop = self._part
        if stop - start >= size * (1 - _WHOLE):
            return _area_weights(start, stop, size, self._count)
        return _linear_weights(start, stop, size, self._count, self._inside)


@lru_cache(maxsize=64)
def _area_weights(start: float, stop: float, size: int, count: int) -> Any:
    """Return the share of each output pixel that each stored pixel covers."""
    edges = np.linspace(start, stop, size + 1).clip(0, count)
    near = np.rint(edges)
    edges = np.where(np.abs(edges - near) <= _WHOLE, near, edges)
    lower, upper = edges[:-1], edges[1:]
    first = np.floor(lower).astype(np.int64)
    taps = np.maximum(1, np.ceil(upper).astype(np.int64) - first)
    begins = np.concatenate([[0], np.cumsum(taps)])
    which = np.repeat(np.arange(size), taps)
    at = first[which] + np.arange(begins[-1]) - begins[which]
    shares = np.minimum(upper[which], at + 1) - np.maximum(lower[which], at)
    shares /= np.maximum(upper - lower, _WHOLE)[which]
    return _sparse(shares, np.minimum(at, count - 1), begins, count)


@lru_cache(maxsize=64)
def _linear_weights(
    start: float, stop: float, size: int, count: int, inside: tuple[int, int]
) -> Any:
    """Return the weights of the two stored pixels around each output pixel.

    Pixels of the image are not mixed with the background beside it.
    """
    centres = start + (np.arange(size) + 0.5) * ((stop - start) / size)
    first, last = inside
    low = np.where(centres < first, 0, np.where(centres < last, first, last))
    high = np.where(centres < first, first, np.where(centres < last, last, count))
    left = np.floor(centres - 0.5)
    weight = centres - 0.5 - left
    pair = np.stack([left, left + 1], 1).astype(np.int64)
    at = np.clip(pair, low[:, None], np.maximum(low, high - 1)[:, None])
    shares = np.stack([1 - weight, weight], 1)
    begins = np.arange(0, 2 * size + 1, 2)
    return _sparse(shares.ravel(), at.clip(0, count - 1).ravel(), begins, count)


def _sparse(
    shares: NDArray[Any], at: NDArray[Any], begins: NDArray[Any], count: int
) -> Any:
    # Imported here: the import is slow, and most reads do not need it.
    from scipy.sparse import csr_array  # noqa: PLC0415

    parts = shares.astype(np.float32), at.astype(np.int32), begins.astype(np.int32)
    return csr_array(parts, shape=(len(begins) - 1, count))
