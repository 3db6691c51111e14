"""Reinhard's method: mean and spread of the colours of a reference.

E. Reinhard et al., "Color transfer between images", IEEE CG&A 21(5), 2001, in CIELAB
(D65) in floating point. Two changes adapt it to slides, whose share of glass varies:
the statistics are of stained pixels only, and glass keeps its colour instead of taking
on the tint of the shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import StainError
from workbench.stain.kernels.formula import (
    CONSTANTS,
    GAIN,
    SHIFT,
    TABLE_SHAPE,
    WHITE,
    Formula,
    FormulaMap,
    glass_ramp,
)
from workbench.stain.optical_density import (
    IO,
    ColourHistogram,
    densities,
    density_table,
    optical_density,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

BETA: Final = 0.15
"""Optical density (of the channel that absorbs most) from which a pixel is stained."""

_MIN_PIXELS: Final = 64
_MIN_SPREAD: Final = 0.1
"""Minimum standard deviation of L."""

_MIN_GAIN_SPREAD: Final = 1e-3
"""Minimum standard deviation by which a channel is scaled."""


@dataclass(frozen=True, eq=False, slots=True)
class LabFit:
    """Mean and spread of the colours of stained pixels."""

    mean: NDArray[np.float64]
    """float64, shape (3,): L (0 to 100), a, b."""

    std: NDArray[np.float64]
    """float64, shape (3,): standard deviations."""

    white: NDArray[np.float64] | None = None
    """float64, shape (3,): colour of bare glass that the colours are relative to;
    None: colours are as displayed."""


def fit_reinhard(
    histogram: ColourHistogram, *, io: float = IO, beta: float = BETA
) -> LabFit:
    """Return mean and spread in CIELAB of the stained pixels.

    Parameters
    ----------
    histogram : ColourHistogram
        The pixels.
    io : float
        Grey level of unabsorbed light, if the histogram has no white.
    beta : float
        Optical density from which a pixel is stained.

    Raises
    ------
    StainError
        If there are too few stained pixels, or all have the same colour.
    """
    white = histogram.white
    if white is None:
        density = optical_density(histogram.colours, io=io)
    else:
        density = densities(histogram.colours, density_table(white))
    stained = histogram.where(density.max(axis=1, initial=0) >= beta)
    if stained.total < _MIN_PIXELS:
        reason = f"{stained.total} of {histogram.total} pixels are stained tissue"
        raise _no_fit_error(reason)
    lab = rgb_to_lab(stained.colours / (255 if white is None else white))
    share = stained.counts / stained.total
    mean = share @ lab
    std = np.sqrt(share @ (lab - mean) ** 2)
    if std[0] < _MIN_SPREAD:
        reason = "all of it has one colour"
        raise _no_fit_error(reason)
    return LabFit(mean, std, white)


def rgb_to_lab(rgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return CIELAB (D65) of sRGB from 0 to 1; shape (..., 3), same type."""
    import torch  # noqa: PLC0415 - only a fit needs it

    from workbench.stain.kernels.tensor_formula import linear_to_lab  # noqa: PLC0415

    planes = [torch.from_numpy(_linear(rgb[..., channel])) for channel in range(3)]
    return np.stack([each.numpy() for each in linear_to_lab(planes)], -1)


def _linear(rgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return linear light of sRGB from 0 to 1."""
    linear: NDArray[np.floating] = np.where(
        rgb > 0.04045,  # noqa: PLR2004 - end of the linear part of sRGB
        ((rgb + 0.055) / 1.055) ** 2.4,
        rgb / 12.92,
    )
    return linear


@dataclass(frozen=True, eq=False, slots=True)
class ReinhardMap(FormulaMap):
    """Normalization by Reinhard's method, as a function of the colour alone."""

    source: LabFit
    reference: LabFit
    io: float = IO
    beta: float = BETA

    def formula(self) -> Formula:
        """Return the formula: gain and shift of L, a and b."""
        gain = self.reference.std / np.maximum(self.source.std, _MIN_GAIN_SPREAD)
        screen = np.full(3, 255.0)
        source_white = screen if self.source.white is None else self.source.white
        reference_white = (
            screen if self.reference.white is None else self.reference.white
        )
        table, constants = np.zeros(TABLE_SHAPE), np.zeros(CONSTANTS)
        table[:3] = _linear(np.arange(256) / source_white[:, None])
        constants[GAIN], constants[WHITE] = gain, reference_white
        constants[SHIFT] = self.reference.mean - gain * self.source.mean
        density = optical_density(np.arange(256), io=self.io)
        if self.source.white is not None:
            density = density_table(self.source.white).min(axis=0)
        formula = Formula("lab", table, constants)
        measured = self.source.white is not None and self.reference.white is not None
        factors = reference_white / source_white if measured else np.ones(3)
        return formula.with_glass_kept(glass_ramp(density, self.beta), factors)


def _no_fit_error(reason: str) -> StainError:
    return StainError(
        f"The colours cannot be measured: {reason}.",
        "Choose a region with tissue, or no normalization.",
    )
