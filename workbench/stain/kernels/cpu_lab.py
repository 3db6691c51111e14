"""Fused CPU kernel of the CIELAB formula, for one block of pixels at a time.

All powers are made of cube roots: x^(1 / 2.4), which sRGB needs, is the cube root of x
times the fourth root of that. There are no branches, only minima and maxima, so the
loops are vectorized.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numba
import numpy as np

from workbench.stain.kernels.formula import (
    F_LINEAR_BELOW,
    LINEAR_BELOW,
    RGB_TO_XYZ,
    WHITE,
    XYZ_TO_RGB,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Floats: TypeAlias = NDArray[np.float32]

_f4 = np.float32
_i4 = np.int32

_RELAXED: Final = {"contract", "nnan", "nsz", "ninf"}
"""All numbers are finite, so minima and maxima can be vectorized."""

_TO_XYZ: Final = RGB_TO_XYZ.astype(_f4)
_TO_RGB: Final = XYZ_TO_RGB.astype(_f4)
_WHITE: Final = WHITE.start
_BELOW: Final = _f4(LINEAR_BELOW)
_F_BELOW: Final = _f4(F_LINEAR_BELOW)
_SLOPE: Final = _f4(7.787)
_FLAT: Final = _f4(1 / 7.787)
_OFFSET: Final = _f4(16 / 116)
_STRAIGHT: Final = _f4(0.0031308)
"""Linear light below which sRGB is linear."""

_THIRD: Final = _f4(1 / 3)
_SEED: Final = _f4(709_921_077)
"""A third of the bits of a number plus this is its cube root to within 4 percent."""


@numba.njit(nogil=True, cache=True, fastmath=_RELAXED, error_model="numpy")
def shift_lab(rows: _Floats, c: _Floats) -> None:
    """Shift and scale a block of colours in CIELAB.

    Parameters
    ----------
    rows : float32 (6, N)
        Linear light in the first three rows; the last three receive grey levels.
    c : float32 (CONSTANTS,)
        Constants of a formula of kind "lab".
    """
    m = _TO_XYZ
    for i in range(rows.shape[1]):
        r, g, b = rows[0, i], rows[1, i], rows[2, i]
        x = _lightness(m[0, 0] * r + m[0, 1] * g + m[0, 2] * b)
        y = _lightness(m[1, 0] * r + m[1, 1] * g + m[1, 2] * b)
        z = _lightness(m[2, 0] * r + m[2, 1] * g + m[2, 2] * b)
        lightness = (_f4(116) * y - _f4(16)) * c[0] + c[3]
        across = (_f4(500) * (x - y)) * c[1] + c[4]
        along = (_f4(200) * (y - z)) * c[2] + c[5]
        middle = (lightness + _f4(16)) * _f4(1 / 116)
        rows[3, i] = _light(across * _f4(1 / 500) + middle)
        rows[4, i] = _light(middle)
        rows[5, i] = _light(middle - along * _f4(1 / 200))
    n = _TO_RGB
    for i in range(rows.shape[1]):
        x, y, z = rows[3, i], rows[4, i], rows[5, i]
        rows[3, i] = c[_WHITE] * _srgb(n[0, 0] * x + n[0, 1] * y + n[0, 2] * z)
        rows[4, i] = c[_WHITE + 1] * _srgb(n[1, 0] * x + n[1, 1] * y + n[1, 2] * z)
        rows[5, i] = c[_WHITE + 2] * _srgb(n[2, 0] * x + n[2, 1] * y + n[2, 2] * z)


@numba.njit(nogil=True, cache=True, inline="always", fastmath=_RELAXED)
def _lightness(light: np.float32) -> np.float32:
    """Return the root of CIELAB: a cube root, and a straight line for dark light.

    The line is a tangent, which lies above the root; the minimum selects the branch.
    """
    return min(_cube_root(max(light, _BELOW)), light * _SLOPE + _OFFSET)


@numba.njit(nogil=True, cache=True, inline="always", fastmath=_RELAXED)
def _light(lightness: np.float32) -> np.float32:
    """Invert `_lightness`."""
    root = max(lightness, _F_BELOW)
    return root * root * root + min((lightness - _F_BELOW) * _FLAT, _f4(0))


@numba.njit(nogil=True, cache=True, inline="always", fastmath=_RELAXED)
def _srgb(light: np.float32) -> np.float32:
    """Return sRGB, 0 to 1, of linear light, clipped to that range."""
    inside = min(max(light, _f4(0)), _f4(1))
    root = _cube_root(max(inside, _STRAIGHT))
    curve = _f4(1.055) * (root * np.sqrt(np.sqrt(root))) - _f4(0.055)
    return min(curve, _f4(12.92) * inside)


@numba.njit(
    nogil=True, cache=True, inline="always", fastmath=_RELAXED, error_model="numpy"
)
def _cube_root(number: np.float32) -> np.float32:
    """Return the cube root of a positive float32: an estimate and two Halley steps."""
    bits = _f4(_f4(number).view(_i4)) * _THIRD + _SEED
    root = _f4(_i4(bits).view(_f4))
    cube = root * root * root
    root = root * ((cube + (number + number)) / ((cube + cube) + number))
    cube = root * root * root
    # Added as a small correction, so that the last step is rounded once.
    return root + root * ((number - cube) / ((cube + cube) + number))
