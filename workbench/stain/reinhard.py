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
from workbench.stain.formula import (
    CONSTANTS,
    GAIN,
    SHIFT,
    TABLE_SHAPE,
    Formula,
    linear_to_lab,
)
from workbench.stain.optical_density import IO, ColourHistogram, optical_density

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


def fit_reinhard(
    histogram: ColourHistogram, *, io: float = IO, beta: float = BETA
) -> LabFit:
    """Find mean and spread in CIELAB of the pixels that are stained.

    Parameters
    ----------
    histogram : ColourHistogram
        The pixels.
    io : float
        Grey level of light that met no tissue.
    beta : float
        Optical density from which a pixel is stained.

    Raises
    ------
    StainError
        If there are too few stained pixels, or if they have all one colour.
    """
    stained = histogram.where(
        optical_density(histogram.colours, io=io).max(axis=1, initial=0) >= beta
    )
    if stained.total < _MIN_PIXELS:
        reason = f"{stained.total} of {histogram.total} pixels are stained tissue"
        raise _no_answer(reason)
    lab = rgb_to_lab(stained.colours / 255)
    share = stained.counts / stained.total
    mean = share @ lab
    std = np.sqrt(share @ (lab - mean) ** 2)
    if std[0] < _MIN_SPREAD:
        reason = "all of it has one colour"
        raise _no_answer(reason)
    return LabFit(mean, std)


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
        table, constants = np.zeros(TABLE_SHAPE), np.zeros(CONSTANTS)
        table[:3] = _linear(np.arange(256) / 255)
        constants[GAIN] = gain
        constants[SHIFT] = self.reference.mean - gain * self.source.mean
        return Formula("lab", table, constants).keeping_glass(self._stained())

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

    def _stained(self) -> NDArray[np.float64]:
        """Return how far a pixel is stained by its darkest channel, 0 (glass) to 1.

        Between half of `beta` and `beta` it rises, so that no edge is to be seen.
        """
        if not self.beta:
            return np.ones(256)
        density = optical_density(np.arange(256), io=self.io)
        return np.clip(2 * density / self.beta - 1, 0, 1)


def _no_answer(reason: str) -> StainError:
    return StainError(
        f"The colours cannot be measured: {reason}.",
        "Choose a region with tissue, or no normalization.",
    )
