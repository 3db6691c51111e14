"""Colour deconvolution: the amount of each stain in a colour.

A. C. Ruifrok and D. A. Johnston, "Quantification of histochemical staining by color
deconvolution", Analytical and Quantitative Cytology and Histology 23(4), 2001.
Amounts here are optical densities to base 10, as pathology programs report them, along
unit vectors; divide natural ones by 2.3026 to compare.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import StainError
from workbench.stain.methods.macenko import fit_macenko
from workbench.stain.optical_density import density_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.stain.optical_density import ColourHistogram

LIGHT: Final = (255.0, 255.0, 255.0)
"""sRGB of unabsorbed light, where bare glass has not been measured."""

_LN10: Final = np.log(10.0)
_UNIT_TOLERANCE: Final = 1e-6
_LEAST_VOLUME: Final = 0.01


@dataclass(frozen=True, eq=False, slots=True)
class StainSet:
    """Three stain vectors; the third takes what the first two do not explain."""

    names: tuple[str, str, str]
    vectors: NDArray[np.float64]
    """float64 (3, 3): a unit vector of optical density (red, green, blue) in each
    row."""

    white: tuple[float, float, float] = LIGHT
    """sRGB of unabsorbed light."""

    def __post_init__(self) -> None:
        """Refuse vectors that are not of unit length or lie in a plane."""
        lengths = np.linalg.norm(self.vectors, axis=1)
        if np.abs(lengths - 1).max() > _UNIT_TOLERANCE:
            message = f"Stain vectors must have length 1, not {lengths.round(3)}."
            raise StainError(message, "Divide each by its length.")
        if abs(np.linalg.det(self.vectors)) < _LEAST_VOLUME:
            message = "The stain vectors lie in a plane: they cannot be told apart."
            raise StainError(message, "Give three that differ more.")

    @classmethod
    def of_two(
        cls,
        names: tuple[str, str],
        vectors: NDArray[np.float64],
        *,
        white: tuple[float, float, float] = LIGHT,
    ) -> StainSet:
        """Return a set of two stains (2, 3) and, at right angles, the residual."""
        residual = np.cross(*vectors)
        # Seen as a colour, a residual should absorb light rather than make it.
        residual *= np.where(residual.sum() < 0, -1.0, 1.0) / np.linalg.norm(residual)
        three = np.vstack([vectors, residual])
        return cls((*names, "residual"), three, white)

    def index(self, name: str) -> int:
        """Return the index of a stain.

        Raises
        ------
        StainError
            If it is not one of the three.
        """
        if name not in self.names:
            message = f"There is no stain '{name}' in {', '.join(self.names)}."
            raise StainError(message, "Choose one of these.")
        return self.names.index(name)

    def amounts(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unmix colours.

        Parameters
        ----------
        pixels : uint8 (..., 3)
            sRGB.

        Returns
        -------
        float32 (..., 3)
            Optical density to base 10 of each stain; negative where a colour is not a
            mixture of these stains.
        """
        each = [self.amount(pixels, index) for index in range(3)]
        found: NDArray[np.float32] = np.stack(each, axis=-1)
        return found

    def amount(self, pixels: NDArray[np.uint8], index: int) -> NDArray[np.float32]:
        """Return the amount of one stain in each pixel, float32 (...)."""
        # Three look-ups with the unmixing in the tables: no density is stored.
        red, green, blue = self.tables(index)
        found: NDArray[np.float32] = red[pixels[..., 0]]
        found += green[pixels[..., 1]]
        found += blue[pixels[..., 2]]
        return found

    def tables(self, index: int) -> NDArray[np.float32]:
        """Return the contribution of each grey level of each channel to one stain.

        Returns
        -------
        float32 (3, 256)
        """
        table = density_table(np.array(self.white)) / _LN10
        unmix = np.linalg.inv(self.vectors)[:, index, None]
        found: NDArray[np.float32] = (table * unmix).astype(np.float32)
        return found

    def colours(self, index: int, amounts: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the colours of amounts of one stain alone, uint8 (..., 3)."""
        density = np.maximum(amounts, 0)[..., None] * self.vectors[index] * _LN10
        light = np.array(self.white) * np.exp(-density)
        shown: NDArray[np.uint8] = np.clip(np.rint(light), 0, 255).astype(np.uint8)
        return shown


def _published(names: tuple[str, str], *vectors: list[float]) -> StainSet:
    rows = np.array(vectors)
    return StainSet.of_two(names, rows / np.linalg.norm(rows, axis=1, keepdims=True))


_HEMATOXYLIN: Final = [0.650, 0.704, 0.286]
_EOSIN: Final = [0.072, 0.990, 0.105]
_DAB: Final = [0.268, 0.570, 0.776]

STAIN_SETS: Final = {
    "H&E": _published(("hematoxylin", "eosin"), _HEMATOXYLIN, _EOSIN),
    "H-DAB": _published(("hematoxylin", "dab"), _HEMATOXYLIN, _DAB),
}
"""The stains as Ruifrok and Johnston published them, by name."""


def find_stains(
    name: str, *, white: tuple[float, float, float] | None = None
) -> StainSet:
    """Return a published stain set, with this white (sRGB).

    Raises
    ------
    StainError
        If there is none with that name.
    """
    if name not in STAIN_SETS:
        message = f"There are no stains '{name}'."
        raise StainError(message, f"Choose one of: {', '.join(STAIN_SETS)}.")
    known = STAIN_SETS[name]
    return known if white is None else replace(known, white=white)


def fit_stains(histogram: ColourHistogram, name: str = "H-DAB") -> StainSet:
    """Fit the vectors of two stains to some pixels, by Macenko's method.

    Parameters
    ----------
    histogram : ColourHistogram
        The pixels; their bare glass, if measured, is the white.
    name : str
        The two stains, "H&E" or "H-DAB". Hematoxylin is the one that absorbs more
        red.

    Raises
    ------
    StainError
        If there are too few stained pixels, or they show fewer than two stains.
    """
    known = find_stains(name)
    fit = fit_macenko(histogram)
    white = LIGHT if fit.white is None else _triple(fit.white)
    return StainSet.of_two(known.names[:2], fit.stains, white=white)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
