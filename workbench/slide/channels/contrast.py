"""Default contrast of channels, from percentiles of a coarse level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.slide.channels.plane_reader import PlaneReader

DARKEST, BRIGHTEST = 1.0, 99.8
"""Percentiles of the values that are shown black and in full brightness."""

_SAMPLE_PX: Final = 1 << 20
"""Pixels of a level from which it is sampled in boxes."""

_BOXES: Final = 8
_SIDE: Final = 128
"""Number of boxes along each axis, and their side in pixels."""


def default_window(reader: PlaneReader, channel: int, z: int) -> tuple[float, float]:
    """Return minimum and maximum of a channel: percentiles 1 and 99.8 of its values.

    The coarsest level is read; if it has more than a million pixels, 64 boxes of 128 px
    of it, evenly spread. NaN and infinite values are left out.

    Parameters
    ----------
    reader : PlaneReader
    channel : int
        Index of the channel.
    z : int
        Focal plane.

    Raises
    ------
    SlideReadError
        If the level cannot be read.
    """
    values = _sample(reader, channel, z)
    if not values.size:
        return 0.0, 1.0
    low, high = (float(each) for each in np.percentile(values, (DARKEST, BRIGHTEST)))
    if high <= low:  # nearly all values are equal
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    return (low, high) if high > low else (low, low + 1)


def value_range(reader: PlaneReader, channel: int, z: int) -> tuple[float, float]:
    """Return the lowest and highest value of the sample that `default_window` reads.

    If all are equal, the highest is 1 above the lowest.
    """
    values = _sample(reader, channel, z)
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low, low + 1)


def _sample(reader: PlaneReader, channel: int, z: int) -> NDArray[Any]:
    """Return finite values of the coarsest level, one-dimensional."""
    values = _read_sample(reader, channel, z)
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values


def _read_sample(reader: PlaneReader, channel: int, z: int) -> NDArray[Any]:
    level = len(reader.levels) - 1
    width, height = reader.levels[level].size
    if width * height <= _SAMPLE_PX:
        whole = reader.read_planes(level, (0, 0), (width, height), [channel], z=z)
        return whole.ravel()
    size = min(_SIDE, width), min(_SIDE, height)
    return np.concatenate(
        [
            reader.read_planes(level, (x, y), size, [channel], z=z).ravel()
            for y in _starts(height, size[1])
            for x in _starts(width, size[0])
        ]
    )


def _starts(length: int, side: int) -> list[int]:
    """Return evenly spread starts of boxes along an axis."""
    starts = np.linspace(0, length - side, _BOXES).round().astype(int)
    return sorted({int(each) for each in starts})
