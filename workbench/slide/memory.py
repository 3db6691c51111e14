"""Memory that pixels are decoded into."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VECTOR: Final = 32


def empty_pixels(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an uninitialized array that libjpeg-turbo fills through the cache.

    Where its rows start at a multiple of its vectors (32 bytes) it writes past the
    cache; pixels that are used at once then come back from memory, which costs a
    twentieth of the decoding, and more if they are copied. So they start beside one.
    """
    size = math.prod(shape)
    raw = np.empty(size + _VECTOR, np.uint8)
    address = raw.__array_interface__["data"][0]
    start = (_VECTOR // 2 - address) % _VECTOR
    return raw[start : start + size].reshape(shape)
