"""Quality of a fit of two stains, and findings against it.

The limits come from real slides and tiles of many origins: hematoxylin and eosin of
healthy slides lie well inside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from workbench.stain.methods.macenko import BETA
from workbench.stain.optical_density import (
    IO,
    densities,
    density_table,
    separation,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.stain.methods.macenko import StainFit
    from workbench.stain.optical_density import ColourHistogram

Kind = Literal["unsure", "not H&E", "pale", "overstained", "out of gamut", "unreadable"]
"""Kinds of problems of a slide's stains."""

_FEW_PX: Final = 5_000
_MIN_ANGLE: Final = 10.0
_MIN_EXPLAINED: Final = 0.97
_MIN_RED: Final = 0.4
"""Minimum red absorption of hematoxylin; below it, the vector is another pink."""

_MIN_CHROMA: Final = 0.25
_PALE: Final = (0.6, 0.3)
_DEEP: Final = 3.5
"""Optical densities (natural logarithm) of the stains; at 3.5, 3% of light is left."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding against a fit."""

    kind: Kind
    reason: str
    """Reason as a clause of a sentence, with the numbers."""

    def __str__(self) -> str:
        """Return kind and reason."""
        return f"{self.kind}: {self.reason}"


@dataclass(frozen=True, slots=True)
class FitQuality:
    """Numbers behind a fit, and findings against it."""

    stained_px: int
    """Number of stained pixels, which the fit is based on."""

    seen_px: int
    """Number of pixels in the histogram."""

    angle: float
    """Angle between the two stains, in degrees."""

    explained: float
    """Share of the squared optical density in the plane of the stains, 0 to 1."""

    findings: tuple[Finding, ...]
    """Findings against the fit; empty: none."""


def assess_fit(histogram: ColourHistogram, fit: StainFit) -> FitQuality:
    """Assess how reliable the stains fitted to some pixels are.

    Parameters
    ----------
    histogram : ColourHistogram
        Pixels that the fit is based on.
    fit : StainFit
        Fit of Macenko's or Vahadane's method.
    """
    part = stained_part(histogram)
    density, counts, stained = density_of(part), part.counts, part.total
    rest = density - density @ separation(fit.stains) @ fit.stains
    energy = counts @ (density**2).sum(1)
    explained = 1 - float(counts @ (rest**2).sum(1) / energy) if stained else 0.0
    spread = density.max(1, initial=0) - density.min(1, initial=np.inf)
    chroma = float(counts @ spread / (counts @ density.mean(1))) if stained else 0.0
    angle = float(np.degrees(np.arccos(np.clip(fit.stains[0] @ fit.stains[1], -1, 1))))
    findings = [
        *_reliability_findings(stained, angle, explained),
        *_colour_findings(fit, chroma),
        *_strength_findings(fit),
    ]
    return FitQuality(stained, histogram.total, angle, explained, tuple(findings))


def stained_part(histogram: ColourHistogram) -> ColourHistogram:
    """Return the colours that absorb light in every channel, as in Macenko's method."""
    dense: NDArray[np.bool_] = np.all(density_of(histogram) >= BETA, axis=1)
    return histogram.where(dense)


def density_of(histogram: ColourHistogram) -> NDArray[np.float64]:
    """Return the optical density of each colour, relative to bare glass if known.

    float64 (N, 3), natural logarithm.
    """
    white = np.full(3, IO) if histogram.white is None else histogram.white
    return densities(histogram.colours, density_table(white))


def _reliability_findings(
    stained: int, angle: float, explained: float
) -> list[Finding]:
    findings = []
    if stained < _FEW_PX:
        findings.append(
            Finding("unsure", f"only {stained:,} stained pixels were found")
        )
    if angle < _MIN_ANGLE:
        findings.append(Finding("unsure", f"the two stains are {angle:.0f}° apart"))
    if explained < _MIN_EXPLAINED:
        rest = f"{1 - explained:.0%} of the colour is neither of the two stains"
        findings.append(Finding("unsure", rest))
    return findings


def _colour_findings(fit: StainFit, chroma: float) -> list[Finding]:
    hematoxylin, eosin = fit.stains
    reasons = []
    if chroma < _MIN_CHROMA:
        reasons.append("it is nearly grey")
    elif eosin[2] >= eosin[1]:
        reasons.append("the second stain is brown or yellow, as DAB is")
    elif eosin[0] >= eosin[1]:
        reasons.append("the second stain is not pink")
    if hematoxylin[0] < _MIN_RED or hematoxylin[2] >= hematoxylin[0]:
        reasons.append("the first stain is not blue or violet")
    return [Finding("not H&E", reason) for reason in reasons]


def _strength_findings(fit: StainFit) -> list[Finding]:
    findings = []
    names = ("hematoxylin", "eosin")
    for name, most, low in zip(names, fit.max_concentrations, _PALE, strict=True):
        if most < low:
            findings.append(Finding("pale", f"{name} reaches {most:.2f} only"))
        if most > _DEEP:
            findings.append(Finding("overstained", f"{name} reaches {most:.2f}"))
    return findings
