"""Stainings of synthetic slides: the two stains of their concentrations.

Vectors are published measurements of optical density in red, green and blue:
hematoxylin, eosin and DAB of A. C. Ruifrok and D. A. Johnston, "Quantification of
histochemical staining by color deconvolution", Analytical and Quantitative Cytology and
Histology 23(4), 2001; the others as collected by G. Landini, G. Martinelli and
F. Piccinini, "Colour deconvolution: stain unmixing in histological imaging",
Bioinformatics 37(10), 2021. Luxol fast blue, light green, Sirius red, silver and
inverted fluorescence are approximations of their colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.synthetic.scanners import Scanner

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Staining:
    """Two stains: of nuclei, and of the tissue between them."""

    title: str
    nuclei: Vector
    """Optical density of red, green and blue for one unit of stain."""

    between: Vector
    strength: tuple[float, float] = (1.0, 1.0)
    """Factors of the concentrations of hematoxylin and eosin."""

    @property
    def mixture(self) -> tuple[tuple[Vector, float], ...]:
        """The vectors, each with its typical concentration in tissue."""
        usual = (0.5, 0.6)
        amounts = (a * b for a, b in zip(self.strength, usual, strict=True))
        return tuple(zip((self.nuclei, self.between), amounts, strict=True))

    def seen_by(self, scanner: Scanner) -> Scanner:
        """Return the scanner with this staining in place of its own H&E."""
        strength = tuple(
            a * b for a, b in zip(self.strength, scanner.strength, strict=True)
        )
        return type(scanner)(
            name=scanner.name,
            hematoxylin=self.nuclei,
            eosin=self.between,
            strength=(strength[0], strength[1]),
            white=scanner.white,
            blur=scanner.blur,
            noise=scanner.noise,
        )


_HEMATOXYLIN: Final = (0.650, 0.704, 0.286)
_NUCLEAR_FAST_RED: Final = (0.214, 0.851, 0.478)

STAININGS: Final[Mapping[str, Staining]] = MappingProxyType(
    {
        "he": Staining("H&E", _HEMATOXYLIN, (0.072, 0.990, 0.105)),
        "h-dab": Staining("Hematoxylin, DAB", _HEMATOXYLIN, (0.268, 0.570, 0.776)),
        "h-dab-negative": Staining(
            "Pale hematoxylin, no DAB", _HEMATOXYLIN, _HEMATOXYLIN, (0.6, 0.25)
        ),
        "h-aec": Staining("Hematoxylin, AEC", _HEMATOXYLIN, (0.274, 0.680, 0.680)),
        "trichrome-blue": Staining(
            "Masson, aniline blue", (0.100, 0.737, 0.668), (0.800, 0.591, 0.105)
        ),
        "trichrome-green": Staining(
            "Masson, light green", _HEMATOXYLIN, (0.90, 0.25, 0.35)
        ),
        "azan": Staining("Azan, Mallory", (0.093, 0.835, 0.543), (0.853, 0.509, 0.113)),
        "pas": Staining("PAS", (0.644, 0.717, 0.267), (0.175, 0.972, 0.155)),
        "alcian-blue": Staining(
            "Alcian blue, nuclear fast red", _NUCLEAR_FAST_RED, (0.875, 0.458, 0.158)
        ),
        "giemsa": Staining("Giemsa", (0.835, 0.514, 0.196), (0.093, 0.954, 0.283)),
        "luxol-fast-blue": Staining(
            "Luxol fast blue, cresyl violet", (0.60, 0.75, 0.28), (0.78, 0.60, 0.18)
        ),
        "methyl-green": Staining(
            "Methyl green", (0.980, 0.144, 0.133), (0.980, 0.144, 0.133), (0.8, 0.4)
        ),
        "methyl-green-dab": Staining(
            "Methyl green, DAB", (0.980, 0.144, 0.133), (0.268, 0.570, 0.776)
        ),
        "silver": Staining("Silver", (0.60, 0.58, 0.55), (0.60, 0.58, 0.55)),
        "congo-red": Staining("Congo red", _HEMATOXYLIN, (0.12, 0.86, 0.50)),
        "oil-red-o": Staining("Oil red O", _HEMATOXYLIN, (0.15, 0.75, 0.64)),
        "sirius-red": Staining("Sirius red", (0.05, 0.30, 0.95), (0.10, 0.74, 0.67)),
        "feulgen": Staining(
            "Feulgen, light green", (0.464, 0.830, 0.308), (0.947, 0.253, 0.196)
        ),
        "fluorescence-inverted": Staining(
            "Fluorescence, inverted", (0.05, 0.05, 1.0), (0.05, 1.0, 0.05)
        ),
    }
)
"""Stainings by name. "he" is the textbook H&E; each scanner has its own."""
