"""Evaluation of the formula of a normalization, in torch.

Written once: exact in float64, fast in float32, compiled where there is a compiler, and
exported with a model.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Final

import torch

from workbench.stain.kernels.formula import (
    ALONE,
    BOTH,
    F_LINEAR_BELOW,
    FLOOR,
    GAIN,
    GLASS,
    LINEAR_BELOW,
    MIX,
    RESIDUAL,
    RGB_TO_XYZ,
    SHIFT,
    WHITE,
    XYZ_TO_RGB,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from workbench.stain.kernels.formula import Kind

_logger = logging.getLogger(__name__)

_EXPONENTS: Final = (-100.0, 100.0)
"""Range of exponents whose power of two float32 can represent."""


def evaluate(
    kind: Kind, tiles: torch.Tensor, table: torch.Tensor, constants: torch.Tensor
) -> torch.Tensor:
    """Return normalized grey levels, not rounded or clipped.

    Parameters
    ----------
    kind : {"none", "stains", "lab"}
        Kind of the formula.
    tiles : uint8 tensor (N, 3, H, W)
        sRGB.
    table, constants : floating tensors of `TABLE_SHAPE` and (`CONSTANTS`,)
        As in `Formula`, on the device of the tiles.

    Returns
    -------
    tensor (N, 3, H, W)
        Grey levels, of the type of `table`.
    """
    levels = tiles.to(table.dtype)
    if kind == "none":
        return levels
    index = tiles.long()
    planes = [table[channel][index[:, channel]] for channel in range(3)]
    normalized = (_from_stains if kind == "stains" else _from_lab)(planes, constants)
    stained = table[3][index.amin(1)][:, None]
    glass = levels * constants[GLASS][:, None, None]
    return glass + stained * (torch.stack(normalized, 1) - glass)


def quantize(
    kind: Kind,
    tiles: torch.Tensor,
    table: torch.Tensor,
    constants: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Return `evaluate` clipped to 0 to 255; rounded (halves to even) for uint8.

    Shapes and types are those of `evaluate`; the result has the type `dtype`.
    """
    levels = evaluate(kind, tiles, table, constants).clamp(0, 255)
    return (levels.round() if dtype == torch.uint8 else levels).to(dtype)


def quantize_compiled(
    kind: Kind,
    tiles: torch.Tensor,
    table: torch.Tensor,
    constants: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Return `quantize`, compiled to one pass over memory if torch has a compiler."""
    device = tiles.device.type
    if device not in _without_compiler:
        try:
            return _compiled_quantize()(kind, tiles, table, constants, dtype)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - any error leads to the fallback
            _without_compiler.add(device)
            _logger.info("Normalizing on %s without a compiler: %s", device, error)
    return quantize(kind, tiles, table, constants, dtype)


_without_compiler: Final[set[str]] = set()
"""Types of device for which torch has no compiler."""


@cache
def _compiled_quantize() -> Callable[..., torch.Tensor]:
    return torch.compile(quantize, dynamic=True)


def _from_stains(
    densities: list[torch.Tensor], constants: torch.Tensor
) -> list[torch.Tensor]:
    """Unmix two stains by the closed form, and mix two others.

    The amounts are the exact solution of a non-negative lasso (`sparse_codes` in
    `workbench.stain.methods.sparse_coding`), or, without its bounds, of least squares.
    """
    alone = [_linear_form(densities, each) for each in constants[ALONE].view(2, 4)]
    both = [_linear_form(densities, each) for each in constants[BOTH].view(2, 4)]
    first, second = (
        torch.maximum(torch.minimum(a, b), constants[FLOOR])
        for a, b in zip(alone, both, strict=True)
    )
    mix = constants[MIX].view(2, 3)
    white = constants[WHITE]
    levels = []
    for channel, density in enumerate(densities):
        exponent = (
            first * mix[0, channel]
            + second * mix[1, channel]
            + density * constants[RESIDUAL]
        )
        levels.append(white[channel] * torch.exp2(exponent.clamp(*_EXPONENTS)))
    return levels


def _linear_form(planes: list[torch.Tensor], factors: torch.Tensor) -> torch.Tensor:
    red, green, blue = planes
    return red * factors[0] + green * factors[1] + blue * factors[2] + factors[3]


def _from_lab(
    linear: list[torch.Tensor], constants: torch.Tensor
) -> list[torch.Tensor]:
    """Shift and scale in CIELAB."""
    gain, shift = constants[GAIN], constants[SHIFT]
    lab = [
        plane * gain[channel] + shift[channel]
        for channel, plane in enumerate(linear_to_lab(linear))
    ]
    white = constants[WHITE]
    return [plane * white[channel] for channel, plane in enumerate(lab_to_rgb(lab))]


def linear_to_lab(linear: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return L (0 to 100), a and b (D65) of planes of linear light, 0 to 1."""
    x, y, z = (
        torch.where(
            each > LINEAR_BELOW,
            each.clamp(min=LINEAR_BELOW) ** (1 / 3),
            each * 7.787 + 16 / 116,
        )
        for each in _multiply(RGB_TO_XYZ, linear)
    )
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


def lab_to_rgb(lab: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return planes of sRGB, clipped to 0 to 1, of planes of CIELAB (D65)."""
    y = (lab[0] + 16) / 116
    xyz = [
        torch.where(
            each > F_LINEAR_BELOW, each * each * each, (each - 16 / 116) / 7.787
        )
        for each in (lab[1] / 500 + y, y, y - lab[2] / 200)
    ]
    linear = [each.clamp(0, 1) for each in _multiply(XYZ_TO_RGB, xyz)]
    return [
        torch.where(
            each > 0.0031308,  # noqa: PLR2004 - end of the linear part of sRGB
            1.055 * each.clamp(min=0.0031308) ** (1 / 2.4) - 0.055,
            12.92 * each,
        )
        for each in linear
    ]


def _multiply(
    matrix: NDArray[np.float64], planes: list[torch.Tensor]
) -> list[torch.Tensor]:
    """Return `matrix` times three planes.

    Written out, because the last bit of a BLAS product depends on the shape, and a
    pixel must not depend on the tile that it lies in.
    """
    first, second, third = planes
    return [a * first + b * second + c * third for a, b, c in matrix.tolist()]
