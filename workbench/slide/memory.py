"""Memory that pixels are decoded into."""

from __future__ import annotations

import ctypes
import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VECTOR: Final = 32
_UINT8: Final = np.dtype(np.uint8)


def empty_pixels(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an uninitialized array that libjpeg-turbo fills through the cache.

    Where its rows start at a multiple of its vectors (32 bytes) it writes past the
    cache; pixels that are used at once then come back from memory, which costs a
    twentieth of the decoding, and more if they are copied. So they start beside one.
    """
    raw = np.empty(math.prod(shape) + _VECTOR, _UINT8)
    # Twice as fast as to ask NumPy for the address, and this is done for each tile.
    address = ctypes.addressof(ctypes.c_char.from_buffer(raw.data))
    return np.ndarray(shape, _UINT8, raw, (_VECTOR // 2 - address) % _VECTOR)
