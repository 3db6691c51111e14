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

from workbench.errors import StainError
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

_WHITE: Final = np.array([0.95047, 1.0, 1.08883])
_RGB_TO_XYZ: Final = (
    np.array(
        [
            [0.412453, 0.357580, 0.180423],
            [0.212671, 0.715160, 0.072169],
            [0.019334, 0.119193, 0.950227],
        ]
    )
    / _WHITE[:, None]
)
"""Linear sRGB to XYZ in units of the white point."""

_XYZ_TO_RGB: Final = np.linalg.inv(_RGB_TO_XYZ)
_LINEAR_BELOW: Final = 0.008856
_F_LINEAR_BELOW: Final = 0.2068966
"""Where the cube root of CIELAB gives way to a straight line."""


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
    return _linear_to_lab(_linear(rgb))


def _linear(rgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return linear light of sRGB from 0 to 1."""
    kind = rgb.dtype.type
    linear: NDArray[np.floating] = np.where(
        rgb > kind(0.04045),
        np.power((rgb + kind(0.055)) / kind(1.055), kind(2.4)),
        rgb / kind(12.92),
    )
    return linear


def _linear_to_lab(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    kind = linear.dtype.type
    planes = [linear[..., channel] for channel in range(3)]
    x, y, z = (
        np.where(
            each > kind(_LINEAR_BELOW),
            np.cbrt(each),
            kind(7.787) * each + kind(16 / 116),
        )
        for each in _mixed(_RGB_TO_XYZ, planes, kind)
    )
    return np.stack(
        [kind(116) * y - kind(16), kind(500) * (x - y), kind(200) * (y - z)], -1
    )


@dataclass(frozen=True, eq=False, slots=True)
class ReinhardMap:
    """A normalization as a function of the colour alone."""

    source: LabFit
    reference: LabFit
    io: float = IO
    beta: float = BETA

    def __call__(
        self, colours: NDArray[np.uint8], *, kind: type[np.floating] = np.float32
    ) -> NDArray[np.floating]:
        """Return normalized grey levels, not rounded or cut.

        Parameters
        ----------
        colours : uint8 (..., 3)
            sRGB.
        kind : type
            Arithmetic: np.float32 or np.float64.

        Returns
        -------
        float (..., 3)
            Grey levels of type `kind`, from 0 to 255.
        """
        gain = self.reference.std / np.maximum(self.source.std, _MIN_GAIN_SPREAD)
        shift = self.reference.mean - gain * self.source.mean
        linear = _linear((np.arange(256) / 255).astype(kind))[colours]
        lab = _linear_to_lab(linear) * gain.astype(kind) + shift.astype(kind)
        moved = lab_to_rgb(lab) * kind(255)
        red, green, blue = (colours[..., channel] for channel in range(3))
        darkest = np.minimum(np.minimum(red, green), blue)
        stained = self._stained().astype(kind)[darkest][..., None]
        levels: NDArray[np.floating] = colours + stained * (moved - colours)
        return levels

    def _stained(self) -> NDArray[np.float64]:
        """Return how far a pixel is stained by its darkest channel, 0 (glass) to 1.

        Between half of `beta` and `beta` it rises, so that no edge is to be seen.
        """
        if not self.beta:
            return np.ones(256)
        density = optical_density(np.arange(256), io=self.io)
        return np.clip(2 * density / self.beta - 1, 0, 1)


def lab_to_rgb(lab: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return sRGB from 0 to 1, cut to that range, of CIELAB (D65); shape (..., 3)."""
    kind = lab.dtype.type
    y = (lab[..., 0] + kind(16)) / kind(116)
    f = (lab[..., 1] / kind(500) + y, y, y - lab[..., 2] / kind(200))
    xyz = [
        np.where(
            each > kind(_F_LINEAR_BELOW),
            each * each * each,
            (each - kind(16 / 116)) / kind(7.787),
        )
        for each in f
    ]
    linear = np.clip(np.stack(_mixed(_XYZ_TO_RGB, xyz, kind), -1), 0, 1)
    rgb: NDArray[np.floating] = np.where(
        linear > kind(0.0031308),
        kind(1.055) * np.power(linear, kind(1 / 2.4)) - kind(0.055),
        kind(12.92) * linear,
    )
    return rgb


def _mixed(
    matrix: NDArray[np.float64],
    planes: list[NDArray[np.floating]],
    kind: type[np.floating],
) -> list[NDArray[np.floating]]:
    """Return `matrix` times three planes.

    Written out, because the last bit of a BLAS product depends on the shape, and a
    pixel must not depend on the tile that it lies in.
    """
    rows = matrix.astype(kind)
    first, second, third = planes
    return [row[0] * first + row[1] * second + row[2] * third for row in rows]


def _no_answer(reason: str) -> StainError:
    return StainError(
        f"The colours cannot be measured: {reason}.",
        "Choose a region with tissue, or no normalization.",
    )
