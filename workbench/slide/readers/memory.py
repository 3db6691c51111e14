"""Memory that pixels are decoded into."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BESIDE: Final = 8
"""Bytes; memory starts at a multiple of 16, so this far on no vector does."""

_UINT8: Final = np.dtype(np.uint8)


def empty_pixels(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an uninitialized array that libjpeg-turbo fills through the cache.

    Where its rows start at a multiple of its vectors (32 bytes) it writes past the
    cache; pixels that are used at once then come back from memory, which costs a
    twentieth of the decoding, and more if they are copied. So they start beside one.
    """
    raw = np.empty(math.prod(shape) + _BESIDE, _UINT8)
    return np.ndarray(shape, _UINT8, raw, _BESIDE)
