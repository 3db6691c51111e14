"""Optical density: the space in which stains add up.

By the law of Beer and Lambert, light decreases exponentially with the amount of dye, so
densities of stains are additive and a mixture of two lies in the plane of their
vectors. All fits use unique colours with counts, which are equivalent to all pixels and
much fewer.

Stain matrices are float64 of shape (2, 3): one row for each stain, hematoxylin
first, columns red, green, blue; rows have unit length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import StainError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from numpy.typing import ArrayLike, NDArray

IO: Final = 240.0
"""Grey level of unabsorbed light (Macenko's constant)."""

_CHANNELS: Final = 3
_GLASS_MIN: Final = 190
_GLASS_MAX_SPREAD: Final = 14
_GLASS_MIN_SHARE: Final = 0.005
"""Glass is bright and grey (grey levels), with a minimum share of the pixels."""


@dataclass(frozen=True, eq=False, slots=True)
class ColourHistogram:
    """The unique colours of some pixels, and how many pixels have each."""

    colours: NDArray[np.uint8]
    """uint8, shape (K, 3), sRGB, in ascending order."""

    counts: NDArray[np.int64]
    """int64, shape (K,), all positive."""

    white: NDArray[np.float64] | None = None
    """float64, shape (3,): colour of bare glass, if measured."""

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> ColourHistogram:
        """Return the histogram of uint8 pixels of shape (..., 3)."""
        return cls.of_codes([colour_codes(pixels).ravel()])

    @classmethod
    def of_codes(cls, parts: Iterable[NDArray[np.uint32]]) -> ColourHistogram:
        """Return the histogram of `colour_codes` that come in parts."""
        each = [np.empty(0, np.uint32), *parts]
        codes, counts = np.unique(np.concatenate(each), return_counts=True)
        return cls(colours_of(codes), counts.astype(np.int64))

    @property
    def total(self) -> int:
        """Number of pixels."""
        return int(self.counts.sum())

    def where(self, keep: NDArray[np.bool_]) -> ColourHistogram:
        """Return the part with the colours where `keep` (bool, shape (K,)) is set."""
        return ColourHistogram(self.colours[keep], self.counts[keep], self.white)

    def bare_glass(self) -> NDArray[np.float64] | None:
        """Return the colour of bare glass: the median of bright grey pixels.

        None if they are less than half a percent of the pixels.
        """
        low, high = self.colours.min(1, initial=255), self.colours.max(1, initial=0)
        bare = (low >= _GLASS_MIN) & (high - low <= _GLASS_MAX_SPREAD)
        if self.counts[bare].sum() < max(1, _GLASS_MIN_SHARE * self.total):
            return None
        glass, counts = self.colours[bare].astype(np.float64), self.counts[bare]
        return np.array([weighted_percentile(each, counts, 50) for each in glass.T])


def colour_codes(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return red << 16 | green << 8 | blue, uint32 of the shape without channels.

    Raises
    ------
    StainError
        If the pixels are not uint8 with three channels last.
    """
    if pixels.dtype != np.uint8 or pixels.shape[-1:] != (_CHANNELS,):
        message = (
            f"Stains are found in uint8 pixels (..., 3), not in {pixels.dtype}"
            f" {pixels.shape}."
        )
        raise StainError(message, "Convert the pixels to 8-bit RGB first.")
    codes: NDArray[np.uint32] = pixels[..., 0].astype(np.uint32)
    for channel in (1, 2):
        np.left_shift(codes, 8, out=codes)
        np.bitwise_or(codes, pixels[..., channel], out=codes)
    return codes


def colours_of(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return the colours of `colour_codes`, uint8 of the shape with channels last."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1).astype(np.uint8)


def optical_density(pixels: ArrayLike, *, io: float = IO) -> NDArray[np.float64]:
    """Return -log((pixels + 1) / io), float64 of the same shape.

    One is added so that black has a finite density; glass brighter than `io` - 1 is
    therefore slightly negative.
    """
    table: NDArray[np.float64] = -np.log(np.arange(1, 257) / io)
    return table[np.asarray(pixels, np.uint8)]


def density_table(white: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the density of every grey level relative to bare glass.

    Parameters
    ----------
    white : float64 (3,)
        Grey levels of unabsorbed light.

    Returns
    -------
    float64 (3, 256)
        -log(max(level, 1) / white), by channel and level; negative for levels brighter
        than glass.
    """
    table: NDArray[np.float64] = -np.log(
        np.maximum(np.arange(256), 1) / np.asarray(white)[:, None]
    )
    return table


def densities(
    colours: NDArray[np.uint8], table: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Look up colours (..., 3) in a table (3, 256); float64 (..., 3)."""
    return np.stack([table[channel][colours[..., channel]] for channel in range(3)], -1)


def transmitted(density: NDArray[np.float64], *, io: float = IO) -> NDArray[np.float64]:
    """Return the grey levels of light after `density`, not rounded or clipped."""
    light: NDArray[np.float64] = io * np.exp(-density)
    return light


def separation(stains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix (3, 2) from densities (..., 3) to concentrations.

    It is the least-squares solution: the pseudo-inverse of a stain matrix (2, 3).
    """
    return np.asarray(np.linalg.pinv(stains), np.float64)


def swatches(
    stains: NDArray[np.float64], most: NDArray[np.float64], *, steps: int = 8
) -> NDArray[np.uint8]:
    """Return the colours of each stain from zero to a maximum.

    Parameters
    ----------
    stains : float64 (2, 3)
        Stain matrix, hematoxylin first.
    most : float64 (2,)
        Concentration of each stain at the last step.
    steps : int
        Number of colours for each stain.

    Returns
    -------
    uint8 (2, steps, 3)
        sRGB.
    """
    amounts = np.outer(most, np.linspace(0, 1, steps))
    light = transmitted(amounts[:, :, None] * stains[:, None, :])
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def concentrations(
    pixels: torch.Tensor, stains: ArrayLike, *, io: float = IO
) -> torch.Tensor:
    """Return the concentration of each stain in every pixel.

    Parameters
    ----------
    pixels : tensor (N, 3, H, W)
        sRGB from 0 to 255, uint8 or floating, on any device; gradients flow.
    stains : float (2, 3)
        Stain matrix, hematoxylin first.
    io : float
        Grey level of unabsorbed light.

    Returns
    -------
    float32 tensor (N, 2, H, W)
        Hematoxylin, then eosin, on the same device, as optical density (natural
        logarithm) along the stain's unit vector; not below 0.
    """
    import torch  # noqa: PLC0415 - all else here needs none

    density = -torch.log((pixels.float() + 1) / io)
    unmix = separation(np.array(stains, np.float64)).T.tolist()
    red, green, blue = density.unbind(1)
    amounts = [r * red + g * green + b * blue for r, g, b in unmix]
    return torch.stack(amounts, 1).clamp(min=0)


def weighted_percentile(
    values: NDArray[np.float64], counts: NDArray[np.int64], percent: float
) -> float:
    """Return `np.percentile(np.repeat(values, counts), percent)` without repeating."""
    order = np.argsort(values, kind="stable")
    last = np.cumsum(counts[order])
    position = percent / 100 * (last[-1] - 1)
    below = int(position)
    first, second = values[
        order[np.searchsorted(last, [below, min(below + 1, last[-1] - 1)], "right")]
    ]
    return float(_lerp(first, second, position - below))


def _lerp(a: float, b: float, t: float) -> float:
    """Interpolate as numpy's percentile does, to the last bit."""
    step = b - a
    return b - step * (1 - t) if t >= 0.5 else a + step * t  # noqa: PLR2004 - the middle
