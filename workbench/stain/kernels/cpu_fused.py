"""Fused CPU kernels of the formulas: one pass over the pixels.

Compiled by numba: bytes in, bytes or float32 out, and no intermediate leaves the cache.
Pixels are processed in blocks of one size, the last one padded, so that every pixel
meets the same instructions, whatever the shape, the layout and the number of threads;
the result is the same to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numba
import numpy as np

from workbench.stain.kernels.cpu_lab import shift_lab
from workbench.stain.kernels.formula import FLOOR, KEEPS_GLASS, RESIDUAL, Formula
from workbench.stain.kernels.pixel_pass import BLOCK, PixelPass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Bytes: TypeAlias = NDArray[np.uint8]
    _Floats: TypeAlias = NDArray[np.float32]

_BLOCK: Final = BLOCK
"""Pixels in a block; its intermediates stay in the first-level cache."""

_f4 = np.float32
_i4 = np.int32

_ROUND: Final = _f4(1.5 * 2**23)
"""Added to a small number, it leaves the number rounded (halves to even)."""

_RELAXED: Final = {"contract", "nnan", "nsz", "ninf"}
"""All numbers are finite, so minima and maxima can be vectorized."""


class FusedPass(PixelPass):
    """CPU pass of a formula of kind "stains" or "lab".

    Parameters
    ----------
    formula : Formula
        Formula; its numbers are rounded to float32.
    """

    def __init__(self, formula: Formula) -> None:
        self._table = formula.table.astype(np.float32)
        self._constants = formula.constants.astype(np.float32)
        self._lab = formula.kind == "lab"

    def _interleaved(self, pixels: _Bytes, out: NDArray[Any]) -> None:
        whole = out.dtype == np.uint8
        _interleaved(pixels, out, self._table, self._constants, whole, self._lab)

    def _planar(self, pixels: _Bytes, out: NDArray[Any]) -> None:
        whole = out.dtype == np.uint8
        # Separate rows, so that numba knows that they are contiguous.
        rows = (pixels[0], pixels[1], pixels[2]), (out[0], out[1], out[2])
        _planar(*rows, self._table, self._constants, whole, self._lab)


@numba.njit(nogil=True, cache=True)
def _interleaved(  # noqa: PLR0917 - compiled code takes no keywords
    pixels: _Bytes,
    out: _Floats,
    table: _Floats,
    constants: _Floats,
    whole: bool,  # noqa: FBT001 - as above
    lab: bool,  # noqa: FBT001 - as above
) -> None:
    """Normalize a row of interleaved pixels."""
    source, rows = np.zeros((3, _BLOCK), np.uint8), np.empty((6, _BLOCK), _f4)
    for start in range(0, len(pixels), 3 * _BLOCK):
        these, those = (
            pixels[start : start + 3 * _BLOCK],
            out[start : start + 3 * _BLOCK],
        )
        if len(these) == 3 * _BLOCK:
            _split_channels(these, source, _BLOCK)
            _normalize(source, rows, table, constants, whole, lab)
            _interleave(rows, those, _BLOCK)
        else:
            _split_channels(these, source, len(these) // 3)
            _normalize(source, rows, table, constants, whole, lab)
            _interleave(rows, those, len(these) // 3)


@numba.njit(nogil=True, cache=True)
def _planar(  # noqa: PLR0917 - compiled code takes no keywords
    pixels: tuple[_Bytes, _Bytes, _Bytes],
    out: tuple[_Floats, _Floats, _Floats],
    table: _Floats,
    constants: _Floats,
    whole: bool,  # noqa: FBT001 - as above
    lab: bool,  # noqa: FBT001 - as above
) -> None:
    """Normalize three rows of pixels, one per channel."""
    source, rows = np.zeros((3, _BLOCK), np.uint8), np.empty((6, _BLOCK), _f4)
    for start in range(0, len(pixels[0]), _BLOCK):
        count = min(_BLOCK, len(pixels[0]) - start)
        for channel in range(3):
            these, here = pixels[channel][start : start + count], source[channel]
            for i in range(count):
                here[i] = these[i]
        _normalize(source, rows, table, constants, whole, lab)
        for channel in range(3):
            those, there = out[channel][start : start + count], rows[3 + channel]
            for i in range(count):
                those[i] = there[i]


@numba.njit(nogil=True, cache=True)
def _split_channels(pixels: _Bytes, source: _Bytes, count: int) -> None:
    """Split interleaved pixels into rows, one per channel."""
    red, green, blue = source[0], source[1], source[2]
    for i in range(count):
        red[i], green[i], blue[i] = pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]


@numba.njit(nogil=True, cache=True)
def _interleave(rows: _Floats, out: _Floats, count: int) -> None:
    """Interleave the last three rows."""
    red, green, blue = rows[3], rows[4], rows[5]
    for i in range(count):
        out[3 * i], out[3 * i + 1], out[3 * i + 2] = red[i], green[i], blue[i]


@numba.njit(nogil=True, cache=True, fastmath=_RELAXED)
def _normalize(  # noqa: PLR0917 - compiled code takes no keywords
    source: _Bytes,
    rows: _Floats,
    table: _Floats,
    constants: _Floats,
    whole: bool,  # noqa: FBT001 - as above
    lab: bool,  # noqa: FBT001 - as above
) -> None:
    """Fill the last three rows with the grey levels of one block of pixels."""
    for channel in range(3):
        here, there, row = source[channel], rows[channel], table[channel]
        for i in range(_BLOCK):
            there[i] = row[here[i]]
    if lab:
        shift_lab(rows, constants)
    else:
        _mix(rows, constants)
    if constants[KEEPS_GLASS] > 0:
        _keep_glass(source, rows, table[3], constants)
    for channel in range(3, 6):
        row = rows[channel]
        for i in range(_BLOCK):
            level = min(max(row[i], _f4(0)), _f4(255))
            row[i] = (level + _ROUND) - _ROUND if whole else level


@numba.njit(nogil=True, cache=True, fastmath=_RELAXED)
def _mix(rows: _Floats, c: _Floats) -> None:
    """Unmix two stains and mix two others; see `formula`."""
    floor, residual = c[FLOOR], c[RESIDUAL]
    for i in range(_BLOCK):
        r, g, b = rows[0, i], rows[1, i], rows[2, i]
        first = max(
            min(
                r * c[0] + g * c[1] + b * c[2] + c[3],
                r * c[8] + g * c[9] + b * c[10] + c[11],
            ),
            floor,
        )
        second = max(
            min(
                r * c[4] + g * c[5] + b * c[6] + c[7],
                r * c[12] + g * c[13] + b * c[14] + c[15],
            ),
            floor,
        )
        rows[3, i] = c[25] * _exp2(first * c[16] + second * c[19] + r * residual)
        rows[4, i] = c[26] * _exp2(first * c[17] + second * c[20] + g * residual)
        rows[5, i] = c[27] * _exp2(first * c[18] + second * c[21] + b * residual)


@numba.njit(nogil=True, cache=True, fastmath=_RELAXED)
def _keep_glass(
    source: _Bytes, rows: _Floats, stained: _Floats, constants: _Floats
) -> None:
    """Restore the source colour, as far as the darkest channel is glass."""
    red, green, blue = source[0], source[1], source[2]
    share = rows[0]
    for i in range(_BLOCK):
        share[i] = stained[min(red[i], green[i], blue[i])]
    for channel in range(3):
        came, row = source[channel], rows[3 + channel]
        factor = constants[28 + channel]
        for i in range(_BLOCK):
            level = factor * _f4(came[i])
            row[i] = level + share[i] * (row[i] - level)


@numba.njit(nogil=True, cache=True, inline="always", fastmath=_RELAXED)
def _exp2(exponent: np.float32) -> np.float32:
    """Return two to the power of a float32, within one unit in the last place.

    A minimax polynomial on half a step either side for the fractional part; the whole
    part is added to the bits of the exponent.
    """
    bounded = min(max(exponent, _f4(-100)), _f4(100))
    shifted = bounded + _ROUND
    part = bounded - (shifted - _ROUND)
    power = _f4(1.3333558e-3)
    power = power * part + _f4(9.618129e-3)
    power = power * part + _f4(5.5504109e-2)
    power = power * part + _f4(2.4022651e-1)
    power = power * part + _f4(6.9314718e-1)
    power = power * part + _f4(1)
    bits = _f4(power).view(_i4) + _i4(_f4(shifted).view(_i4) << _i4(23))
    return _f4(_i4(bits).view(_f4))
