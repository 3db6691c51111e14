"""Reinhard's method: the mean and spread of a reference's colours.

E. Reinhard et al., "Color transfer between images", IEEE CG&A 21(5), 2001, in CIELAB
(D65) in floating point. Two things are made fit for slides, where glass is nowhere
or everywhere: the statistics are those of stained pixels only, and glass keeps its
own colour instead of taking on the tint of the shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from workbench.errors import StainError
from workbench.stain.kernels.formula import (
    CONSTANTS,
    GAIN,
    SHIFT,
    TABLE_SHAPE,
    WHITE,
    Formula,
    glass_ramp,
    linear_to_lab,
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
"""Standard deviation of L below which there is no picture."""

_MIN_GAIN_SPREAD: Final = 1e-3
"""Below this, a channel has no spread that could be scaled."""


@dataclass(frozen=True, eq=False, slots=True)
class LabFit:
    """Mean and spread of the colours of stained pixels."""

    mean: NDArray[np.float64]
    """float64, shape (3,): L (0 to 100), a, b."""

    std: NDArray[np.float64]
    """float64, shape (3,): standard deviations."""

    white: NDArray[np.float64] | None = None
    """float64, shape (3,): the colour of bare glass that all is relative to; None:
    as the screen shows it."""


def fit_reinhard(
    histogram: ColourHistogram, *, io: float = IO, beta: float = BETA
) -> LabFit:
    """Find mean and spread in CIELAB of the pixels that are stained.

    Parameters
    ----------
    histogram : ColourHistogram
        The pixels.
    io : float
        Grey level of light that met no tissue, where the histogram's is not known.
    beta : float
        Optical density from which a pixel is stained.

    Raises
    ------
    StainError
        If there are too few stained pixels, or if they have all one colour.
    """
    white = histogram.white
    if white is None:
        density = optical_density(histogram.colours, io=io)
    else:
        density = densities(histogram.colours, density_table(white))
    stained = histogram.where(density.max(axis=1, initial=0) >= beta)
    if stained.total < _MIN_PIXELS:
        reason = f"{stained.total} of {histogram.total} pixels are stained tissue"
        raise _no_answer(reason)
    lab = rgb_to_lab(stained.colours / (255 if white is None else white))
    share = stained.counts / stained.total
    mean = share @ lab
    std = np.sqrt(share @ (lab - mean) ** 2)
    if std[0] < _MIN_SPREAD:
        reason = "all of it has one colour"
        raise _no_answer(reason)
    return LabFit(mean, std, white)


def rgb_to_lab(rgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return CIELAB (D65) of sRGB from 0 to 1; shape (..., 3), same type."""
    planes = [torch.from_numpy(_linear(rgb[..., channel])) for channel in range(3)]
    return np.stack([each.numpy() for each in linear_to_lab(planes)], -1)


def _linear(rgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return linear light of sRGB from 0 to 1."""
    linear: NDArray[np.floating] = np.where(
        rgb > 0.04045,  # noqa: PLR2004 - where sRGB begins to be straight
        ((rgb + 0.055) / 1.055) ** 2.4,
        rgb / 12.92,
    )
    return linear


@dataclass(frozen=True, eq=False, slots=True)
class ReinhardMap:
    """A normalization as a function of the colour alone."""

    source: LabFit
    reference: LabFit
    io: float = IO
    beta: float = BETA

    def formula(self) -> Formula:
        """Return the numbers of the map: gain and shift of L, a and b."""
        gain = self.reference.std / np.maximum(self.source.std, _MIN_GAIN_SPREAD)
        screen = np.full(3, 255.0)
        came = screen if self.source.white is None else self.source.white
        goes = screen if self.reference.white is None else self.reference.white
        table, constants = np.zeros(TABLE_SHAPE), np.zeros(CONSTANTS)
        table[:3] = _linear(np.arange(256) / came[:, None])
        constants[GAIN], constants[WHITE] = gain, goes
        constants[SHIFT] = self.reference.mean - gain * self.source.mean
        density = optical_density(np.arange(256), io=self.io)
        if self.source.white is not None:
            density = density_table(self.source.white).min(axis=0)
        kept = Formula("lab", table, constants)
        known = self.source.white is not None and self.reference.white is not None
        factors = goes / came if known else np.ones(3)
        return kept.keeping_glass(glass_ramp(density, self.beta), factors)

    def __call__(
        self, colours: NDArray[np.uint8], *, kind: type[np.floating] = np.float32
    ) -> NDArray[np.floating]:
        """Return normalized grey levels, not rounded, from 0 to 255.

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


def _no_answer(reason: str) -> StainError:
    return StainError(
        f"The colours cannot be measured: {reason}.",
        "Choose a region with tissue, or no normalization.",
    )
