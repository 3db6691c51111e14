"""A normalization as a formula of grey levels: one definition for every device.

Written once, in torch: exact in float64, quick in float32, compiled where there is a
compiler, and exported with a model. The numbers in it are two small tensors, so that
all methods and all fits share the code, and a module can carry them as buffers.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_logger = logging.getLogger(__name__)

Kind: TypeAlias = Literal["none", "stains", "lab"]
"""The formula: nothing at all, two stains in optical density, or CIELAB."""

TABLE_SHAPE: Final = (4, 256)
"""By channel and grey level: optical density ("stains") or linear light ("lab"). In
the last row, by the level of the darkest channel: 0 where a pixel is glass and stays
as it is, 1 where it is stained."""

CONSTANTS: Final = 32

ALONE: Final = slice(0, 8)
"""For each stain three factors and a term: its amount where the other is absent."""

BOTH: Final = slice(8, 16)
"""The same where both are there."""

MIX: Final = slice(16, 22)
"""For each stain its part in the exponents (to base 2) of red, green and blue."""

FLOOR: Final = 22
"""The least amount of a stain."""

RESIDUAL: Final = 23
"""Part in the exponents of the density itself."""

KEEPS_GLASS: Final = 24
"""Whether the table's last row is anything but 1."""

WHITE: Final = slice(25, 28)
"""Grey levels of light that met no tissue, in the result."""

GLASS: Final = slice(28, 31)
"""By what the channels of glass are multiplied that stays as it is otherwise."""

GAIN: Final = slice(0, 3)
SHIFT: Final = slice(3, 6)
"""In CIELAB."""

UNBOUNDED: Final = 1e30
_CHUNK: Final = 1 << 13
"""Pixels at a time: they stay in the cache, and are too few for torch to wake its
threads, which would wait for each other at every step."""

_EXPONENTS: Final = (-100.0, 100.0)
"""Whose power of two float32 holds."""

RGB_TO_XYZ: Final = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
) / np.array([[0.95047], [1.0], [1.08883]])
"""Linear sRGB to XYZ in units of the white point (D65)."""

XYZ_TO_RGB: Final = np.linalg.inv(RGB_TO_XYZ)
"""And back."""

LINEAR_BELOW: Final = 0.008856
"""Light below which the cube root of CIELAB gives way to a straight line."""

F_LINEAR_BELOW: Final = 0.2068966
"""The root there."""


@dataclass(frozen=True, eq=False, slots=True)
class Formula:
    """A normalization as numbers."""

    kind: Kind
    table: NDArray[np.float64]
    """float64 of `TABLE_SHAPE`."""

    constants: NDArray[np.float64]
    """float64 of shape (`CONSTANTS`,)."""

    @classmethod
    def nothing(cls) -> Formula:
        """Return the formula that leaves every colour as it is."""
        return cls("none", np.zeros(TABLE_SHAPE), np.zeros(CONSTANTS))

    @classmethod
    def of_stains(
        cls,
        density: NDArray[np.float64],
        unmix: tuple[NDArray[np.float64], NDArray[np.float64] | None],
        mix: NDArray[np.float64],
        *,
        white: NDArray[np.float64],
        residual: bool = False,
    ) -> Formula:
        """Return the formula that takes two stains apart and mixes two others.

        Parameters
        ----------
        density : float64 (3, 256)
            Optical density by channel and grey level.
        unmix : float64 (2, 4), and float64 (2, 4) or None
            For each stain three factors and a term: its amount where both stains are
            there, and where it is alone; None: amounts may be negative, and the first
            holds everywhere.
        mix : float64 (2, 3)
            Density of the result for one unit of either stain.
        white : float64 (3,)
            Grey levels of the result where there is no density.
        residual : bool
            Add the density itself; `mix` is then the change only.
        """
        both, alone = unmix
        constants = np.zeros(CONSTANTS)
        constants[BOTH] = both.ravel()
        if alone is None:
            constants[ALONE] = np.repeat([[0, 0, 0, UNBOUNDED]], 2, 0).ravel()
            constants[FLOOR] = -UNBOUNDED
        else:
            constants[ALONE] = alone.ravel()
        constants[MIX] = -np.log2(np.e) * mix.ravel()
        constants[RESIDUAL] = -np.log2(np.e) if residual else 0
        constants[WHITE] = white
        return cls("stains", np.concatenate([density, np.ones((1, 256))]), constants)

    def keeping_glass(
        self, stained: NDArray[np.float64], factors: NDArray[np.float64]
    ) -> Formula:
        """Return the formula that leaves glass as it is, but for a change of white.

        Parameters
        ----------
        stained : float64 (256,)
            By the grey level of the darkest channel: 0 is glass, 1 is stained.
        factors : float64 (3,)
            By which the channels of glass are multiplied.
        """
        table, constants = self.table.copy(), self.constants.copy()
        table[3], constants[KEEPS_GLASS], constants[GLASS] = stained, 1, factors
        return Formula(self.kind, table, constants)

    def levels(
        self, colours: NDArray[np.uint8], *, kind: type[np.floating] = np.float64
    ) -> NDArray[np.floating]:
        """Return grey levels of uint8 colours (..., 3), not rounded or cut."""
        table, constants = (
            torch.from_numpy(each.astype(kind)) for each in (self.table, self.constants)
        )
        flat = colours.reshape(-1, 3)
        levels = np.empty(flat.shape, kind)
        for start in range(0, len(flat), _CHUNK):
            part = slice(start, start + _CHUNK)
            planes = torch.from_numpy(np.ascontiguousarray(flat[part].T))
            out = evaluated(self.kind, planes[None, :, None], table, constants)
            levels[part] = out[0, :, 0].T.numpy()
        return levels.reshape(colours.shape)


def glass_ramp(density: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """Return how far a pixel is stained by its darkest channel, 0 (glass) to 1.

    Between half of `beta` and `beta` it rises, so that no edge is to be seen.

    Parameters
    ----------
    density : float64 (256,)
        Optical density by grey level.
    beta : float
        Optical density from which a pixel is stained.
    """
    if not beta:
        return np.ones(256)
    ramp: NDArray[np.float64] = np.clip(2 * density / beta - 1, 0, 1)
    return ramp


def evaluated(
    kind: Kind, tiles: torch.Tensor, table: torch.Tensor, constants: torch.Tensor
) -> torch.Tensor:
    """Return normalized grey levels, not rounded or cut.

    Parameters
    ----------
    kind : {"none", "stains", "lab"}
        Which formula.
    tiles : uint8 tensor (N, 3, H, W)
        sRGB.
    table, constants : floating tensors of `TABLE_SHAPE` and (`CONSTANTS`,)
        As in `Formula`, on the device of the tiles.

    Returns
    -------
    tensor (N, 3, H, W)
        Of the type of `table`.
    """
    levels = tiles.to(table.dtype)
    if kind == "none":
        return levels
    index = tiles.long()
    planes = [table[channel][index[:, channel]] for channel in range(3)]
    made = (_from_stains if kind == "stains" else _from_lab)(planes, constants)
    stained = table[3][index.amin(1)][:, None]
    glass = levels * constants[GLASS][:, None, None]
    return glass + stained * (torch.stack(made, 1) - glass)


def quantized(
    kind: Kind,
    tiles: torch.Tensor,
    table: torch.Tensor,
    constants: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Return `evaluated` cut to 0 to 255; rounded, halves to even, if `dtype` is uint8.

    Shapes and types as there; the result is of type `dtype`.
    """
    levels = evaluated(kind, tiles, table, constants).clamp(0, 255)
    return (levels.round() if dtype == torch.uint8 else levels).to(dtype)


def compiled(
    kind: Kind,
    tiles: torch.Tensor,
    table: torch.Tensor,
    constants: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Return `quantized` in one pass over memory, where torch has a compiler."""
    device = tiles.device.type
    if device not in _without_compiler:
        try:
            return _fused()(kind, tiles, table, constants, dtype)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, there is another way
            _without_compiler.add(device)
            _logger.info("Normalizing on %s without a compiler: %s", device, error)
    return quantized(kind, tiles, table, constants, dtype)


_without_compiler: Final[set[str]] = set()
"""Types of device for which torch turned out to have none."""


@cache
def _fused() -> Callable[..., torch.Tensor]:
    return torch.compile(quantized, dynamic=True)


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
    """Shift and stretch in CIELAB."""
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
        for each in _mixed(RGB_TO_XYZ, linear)
    )
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


def lab_to_rgb(lab: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return planes of sRGB, 0 to 1 and cut to that, of planes of CIELAB (D65)."""
    y = (lab[0] + 16) / 116
    xyz = [
        torch.where(
            each > F_LINEAR_BELOW, each * each * each, (each - 16 / 116) / 7.787
        )
        for each in (lab[1] / 500 + y, y, y - lab[2] / 200)
    ]
    linear = [each.clamp(0, 1) for each in _mixed(XYZ_TO_RGB, xyz)]
    return [
        torch.where(
            each > 0.0031308,  # noqa: PLR2004 - where sRGB begins to be straight
            1.055 * each.clamp(min=0.0031308) ** (1 / 2.4) - 0.055,
            12.92 * each,
        )
        for each in linear
    ]


def _mixed(
    matrix: NDArray[np.float64], planes: list[torch.Tensor]
) -> list[torch.Tensor]:
    """Return `matrix` times three planes.

    Written out, because the last bit of a BLAS product depends on the shape, and a
    pixel must not depend on the tile that it lies in.
    """
    first, second, third = planes
    return [a * first + b * second + c * third for a, b, c in matrix.tolist()]
