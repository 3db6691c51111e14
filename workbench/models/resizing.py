"""Resizing of 8-bit pixels, bit-equal to Pillow's, as exact arithmetic in float32.

Pillow weights pixels by integers of 22 bits, along x, then along y, and rounds half up
after each. Sums of such products need 32 bits; here each weight is two parts of 11
bits, whose sums float32 holds exactly.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS: Final = 22
_PART: Final = 2**11
_WHITE: Final = 255
_REACH: Final = {"bilinear": 1.0, "bicubic": 2.0}
"""Half the width of each filter, in pixels of the coarser side."""

_SHARPNESS: Final = -0.5
"""Parameter of Pillow's bicubic filter."""


def resize_as_pillow(values: Tensor, side: int, kind: str) -> Tensor:
    """Resize to a square.

    Parameters
    ----------
    values : Tensor
        float32 (N, 3, H, W), whole numbers of 0 to 255.
    side : int
        Side of the result, in pixels.
    kind : {"bilinear", "bicubic"}
        Filter.

    Returns
    -------
    Tensor
        float32 (N, 3, side, side), whole numbers of 0 to 255; channels last.
    """
    wide = _along_x(values, side, kind)
    both = _along_x(wide.transpose(2, 3), side, kind).transpose(2, 3)
    return both.contiguous(memory_format=torch.channels_last)


def _along_x(values: Tensor, side: int, kind: str) -> Tensor:
    weights = _weights(values.shape[-1], side, kind)
    high, low = (
        values.matmul(torch.from_numpy(part).to(values.device))
        for part in (weights // _PART, weights % _PART)
    )
    whole = (high / _PART).floor()
    rest = (high - whole * _PART) * _PART + low
    half = float(2 ** (_BITS - 1))
    return (whole + ((rest + half) / 2**_BITS).floor()).clamp(0, _WHITE)


@lru_cache(maxsize=32)
def _weights(before: int, after: int, kind: str) -> NDArray[np.float32]:
    """Return Pillow's weights, whole numbers, float32 (before, after)."""
    scale = before / after
    width = max(scale, 1.0)
    weights = np.zeros((before, after), np.float32)
    for at in range(after):
        centre = (at + 0.5) * scale
        reach = _REACH[kind] * width
        first = max(int(centre - reach + 0.5), 0)
        last = min(int(centre + reach + 0.5), before)
        offsets = np.arange(first, last, dtype=np.float64) - centre + 0.5
        given = _filter(offsets / width, kind)
        given = given / given.sum() * 2**_BITS
        weights[first:last, at] = np.trunc(given + np.copysign(0.5, given))
    return weights


def _filter(at: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    x: NDArray[np.float64] = np.abs(at)
    if kind == "bilinear":
        return np.maximum(1 - x, 0)
    a = _SHARPNESS
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))  # noqa: PLR2004
