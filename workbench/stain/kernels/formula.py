"""Normalization as a formula of grey levels: one definition for every device.

Its numbers are two small arrays, so all methods and fits share the code, and a module
can hold them as buffers. `tensor_formula` computes it, in torch; making, saving and
comparing formulas needs no torch, which takes seconds to import.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind: TypeAlias = Literal["none", "stains", "lab"]
"""Kind of formula: identity, two stains in optical density, or CIELAB."""

TABLE_SHAPE: Final = (4, 256)
"""Shape of the table, by channel and grey level: optical density ("stains") or linear
light ("lab"). The last row, by the level of the darkest channel, is 0 where a pixel is
glass and unchanged, 1 where it is stained."""

CONSTANTS: Final = 32

ALONE: Final = slice(0, 8)
"""For each stain three factors and an offset: its amount if the other is absent."""

BOTH: Final = slice(8, 16)
"""For each stain three factors and an offset: its amount if both are present."""

MIX: Final = slice(16, 22)
"""For each stain its coefficients in the exponents (base 2) of red, green and blue."""

FLOOR: Final = 22
"""Minimum amount of a stain."""

RESIDUAL: Final = 23
"""Coefficient of the density itself in the exponents."""

KEEPS_GLASS: Final = 24
"""1 if the last row of the table is used."""

WHITE: Final = slice(25, 28)
"""Grey levels of unabsorbed light, in the result."""

GLASS: Final = slice(28, 31)
"""Factors of the channels of unchanged glass."""

GAIN: Final = slice(0, 3)
SHIFT: Final = slice(3, 6)
"""Gain and shift of L, a and b in CIELAB."""

UNBOUNDED: Final = 1e30
_CHUNK: Final = 1 << 13
"""Pixels at a time: they stay in the cache, and are too few for torch to use its
threads, which would wait for each other at every step."""

RGB_TO_XYZ: Final = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
) / np.array([[0.95047], [1.0], [1.08883]])
"""Linear sRGB to XYZ in units of the white point (D65)."""

XYZ_TO_RGB: Final = np.linalg.inv(RGB_TO_XYZ)
"""XYZ, in units of the white point (D65), to linear sRGB."""

LINEAR_BELOW: Final = 0.008856
"""Light below which CIELAB is linear instead of a cube root."""

F_LINEAR_BELOW: Final = 0.2068966
"""Cube root at that limit."""


@dataclass(frozen=True, eq=False, slots=True)
class Formula:
    """Numbers of a normalization."""

    kind: Kind
    table: NDArray[np.float64]
    """float64 of `TABLE_SHAPE`."""

    constants: NDArray[np.float64]
    """float64 of shape (`CONSTANTS`,)."""

    @classmethod
    def identity(cls) -> Formula:
        """Return the formula that leaves every colour unchanged."""
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
        """Return the formula that unmixes two stains and mixes two others.

        Parameters
        ----------
        density : float64 (3, 256)
            Optical density by channel and grey level.
        unmix : float64 (2, 4), and float64 (2, 4) or None
            For each stain three factors and an offset: its amount if both stains are
            present, and if it is alone; None: amounts may be negative, and the first
            applies everywhere.
        mix : float64 (2, 3)
            Density of the result for one unit of either stain.
        white : float64 (3,)
            Grey levels of the result at zero density.
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

    def with_glass_kept(
        self, stained: NDArray[np.float64], factors: NDArray[np.float64]
    ) -> Formula:
        """Return the formula that keeps glass, except for a change of white.

        Parameters
        ----------
        stained : float64 (256,)
            By the grey level of the darkest channel: 0 is glass, 1 is stained.
        factors : float64 (3,)
            Factors of the channels of glass.
        """
        table, constants = self.table.copy(), self.constants.copy()
        table[3], constants[KEEPS_GLASS], constants[GLASS] = stained, 1, factors
        return Formula(self.kind, table, constants)

    def levels(
        self, colours: NDArray[np.uint8], *, kind: type[np.floating] = np.float64
    ) -> NDArray[np.floating]:
        """Return grey levels of uint8 colours (..., 3), not rounded or clipped."""
        import torch  # noqa: PLC0415 - a fit needs none

        from workbench.stain.kernels.tensor_formula import evaluate  # noqa: PLC0415

        table, constants = (
            torch.from_numpy(each.astype(kind)) for each in (self.table, self.constants)
        )
        flat = colours.reshape(-1, 3)
        levels = np.empty(flat.shape, kind)
        for start in range(0, len(flat), _CHUNK):
            part = slice(start, start + _CHUNK)
            planes = torch.from_numpy(np.ascontiguousarray(flat[part].T))
            out = evaluate(self.kind, planes[None, :, None], table, constants)
            levels[part] = out[0, :, 0].T.numpy()
        return levels.reshape(colours.shape)


class FormulaMap(ABC):
    """Normalization as a function of the colour alone, defined by a formula."""

    __slots__ = ()

    @abstractmethod
    def formula(self) -> Formula:
        """Return the formula."""

    def __call__(
        self, colours: NDArray[np.uint8], *, kind: type[np.floating] = np.float32
    ) -> NDArray[np.floating]:
        """Return normalized grey levels, not rounded or clipped.

        Parameters
        ----------
        colours : uint8 (..., 3)
            sRGB.
        kind : type
            Arithmetic: np.float32 or np.float64.

        Returns
        -------
        float (..., 3)
            Grey levels of type `kind`.
        """
        return self.formula().levels(colours, kind=kind)


def glass_ramp(density: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """Return the stained share of a pixel by its darkest channel, 0 (glass) to 1.

    It increases between half of `beta` and `beta`, so that there is no visible edge.

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
