"""Vahadane's method: stains as a sparse, non-negative dictionary of densities.

A. Vahadane et al., "Structure-preserving color normalization and sparse stain
separation for histological images", IEEE Transactions on Medical Imaging 35(8), 2016.
Unabsorbed light is 255 as published; a pixel is tissue by its optical density. Both
problems are solved exactly: the dictionary to the optimum of its objective (see
`workbench.stain.methods.sparse_coding`), the concentrations by their closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.stain.kernels.formula import Formula, FormulaMap, glass_ramp
from workbench.stain.methods import sparse_coding
from workbench.stain.methods.macenko import (
    MAX_CONCENTRATION_PERCENTILE,
    StainFit,
    check_pixel_count,
    no_stains_error,
)
from workbench.stain.methods.sparse_coding import (
    Densities,
    learn_dictionary,
    sparse_codes,
)
from workbench.stain.optical_density import (
    ColourHistogram,
    densities,
    density_table,
    separation,
    weighted_percentile,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

IO: Final = 255.0
"""Grey level of unabsorbed light."""

BETA: Final = 0.15
"""Optical density (of the channel that absorbs most) from which a pixel is tissue."""

PENALTY: Final = 0.1
"""L1 penalty on concentrations while the dictionary is learnt."""

CODE_PENALTY: Final = 0.01
"""L1 penalty on concentrations while pixels are unmixed."""

_BITS: Final = 5
"""Bits of each channel in the coarse bins of the first search."""

_STARTS: Final = np.array(
    [
        [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]],
        [[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]],
    ]
)
"""Hematoxylin and eosin as published by Ruifrok and by Macenko."""

_MIN_ANGLE_DEGREES: Final = 1.0
_MIN_CONCENTRATION: Final = 0.01


def fit_vahadane(
    histogram: ColourHistogram,
    *,
    io: float = IO,
    beta: float = BETA,
    penalty: float = PENALTY,
    code_penalty: float = CODE_PENALTY,
) -> StainFit:
    """Return the stain vectors and maximal concentrations of some pixels.

    Parameters
    ----------
    histogram : ColourHistogram
        The pixels.
    io : float
        Grey level of unabsorbed light, if the histogram has no white.
    beta : float
        Optical density (of the channel that absorbs most) from which a pixel is tissue.
    penalty, code_penalty : float
        L1 penalty on concentrations while the dictionary is learnt, and while
        concentrations are measured.

    Raises
    ------
    StainError
        If filled are too few stained pixels, or they show fewer than two stains.
    """
    white = np.full(3, io) if histogram.white is None else histogram.white
    density = densities(histogram.colours, density_table(white))
    tissue = density.max(axis=1, initial=0) >= beta
    pixels = int(histogram.counts[tissue].sum())
    check_pixel_count(pixels, histogram.total)
    stained, density = histogram.where(tissue), density[tissue]
    exact = Densities(density, stained.counts.astype(np.float64))
    bins = _bin_colours(stained.colours, exact)
    coarse = learn_dictionary(
        bins, np.concatenate([_hue_start(bins), _STARTS]), penalty
    )
    stains = learn_dictionary(exact, coarse[None], penalty)
    if not stains[0] @ stains[1] < np.cos(np.radians(_MIN_ANGLE_DEGREES)):
        reason = "the colours show one stain only"
        raise no_stains_error(reason)
    # Hematoxylin absorbs more red than eosin does.
    stains = stains if stains[0, 0] > stains[1, 0] else stains[::-1].copy()
    maxima = np.array(
        [
            weighted_percentile(each, stained.counts, MAX_CONCENTRATION_PERCENTILE)
            for each in sparse_codes(density, stains, code_penalty).T
        ]
    )
    if not maxima.min() > _MIN_CONCENTRATION:
        reason = "one of the two stains is nowhere to be found"
        raise no_stains_error(reason)
    return StainFit(stains, maxima, histogram.white)


def vahadane_density(
    pixels: NDArray[np.uint8], *, io: float = IO
) -> NDArray[np.float64]:
    """Return -log(max(pixels, 1) / io), float64 of the same shape (..., 3)."""
    return densities(pixels, density_table(np.full(3, io)))


def objective(
    histogram: ColourHistogram,
    stains: NDArray[np.float64],
    *,
    penalty: float = PENALTY,
    io: float = IO,
) -> float:
    """Return the mean objective of all pixels for two stains.

    It is what `fit_vahadane` minimizes over tissue pixels: half of the squared error
    in optical density plus `penalty` for each unit of concentration.

    Parameters
    ----------
    histogram : ColourHistogram
        The pixels; all of them count.
    stains : float64 (2, 3)
        Unit vectors without negative entries.
    penalty : float
        L1 penalty on concentrations.
    io : float
        Grey level of unabsorbed light.
    """
    points = vahadane_density(histogram.colours, io=io)
    weights = histogram.counts.astype(np.float64)
    return sparse_coding.objective(Densities(points, weights), stains, penalty)


@dataclass(frozen=True, eq=False, slots=True)
class VahadaneMap(FormulaMap):
    """Normalization by Vahadane's method, as a function of the colour alone."""

    source: StainFit
    reference: StainFit
    io: float = IO
    code_penalty: float = CODE_PENALTY
    keep_residual: bool = False
    keep_background: bool = True

    def formula(self) -> Formula:
        """Return the formula: the closed form of `sparse_codes`, scaled."""
        stains, white = self.source.stains, self.source.white
        if white is None:
            white = np.full(3, self.io)
        overlap = float(stains[0] @ stains[1])
        both = separation(stains).T
        scale = self.reference.max_concentrations / self.source.max_concentrations
        mix = self.reference.stains * scale[:, None]
        if self.keep_residual:
            mix = mix - stains
        formula = Formula.of_stains(
            density_table(white),
            (
                _with_term(both, -self.code_penalty / (1 + overlap)),
                _with_term(stains, -self.code_penalty),
            ),
            mix,
            white=self.reference.white_to(self.source, self.io),
            residual=self.keep_residual,
        )
        if not self.keep_background:
            return formula
        stained = glass_ramp(formula.table[:3].min(axis=0), BETA)
        return formula.with_glass_kept(
            stained, self.reference.glass_factors(self.source)
        )


def _with_term(factors: NDArray[np.float64], term: float) -> NDArray[np.float64]:
    return np.pad(factors, ((0, 0), (0, 1)), constant_values=term)


def _bin_colours(colours: NDArray[np.uint8], exact: Densities) -> Densities:
    """Return the mean densities of coarse bins of colour, and their weights."""
    shift = 8 - _BITS
    red, green, blue = (colours[:, c].astype(np.int64) >> shift for c in range(3))
    codes = (red << 2 * _BITS) | (green << _BITS) | blue
    weights = np.bincount(codes, exact.weights).astype(np.float64)
    filled = weights > 0
    sums = [
        np.bincount(codes, exact.weights * exact.points[:, c])[filled] for c in range(3)
    ]
    mean: NDArray[np.float64] = np.stack(sums, 1) / weights[filled, None]
    return Densities(mean, weights[filled])


def _hue_start(densities: Densities) -> NDArray[np.float64]:
    """Return one start, (1, 2, 3): hues with a high and a low share of red.

    They are the ninetieth and the tenth percentile of that share.
    """
    share = densities.points[:, 0] / np.maximum(densities.points.sum(1), 1e-6)
    order = np.argsort(share, kind="stable")
    mass = np.cumsum(densities.weights[order])
    places = np.searchsorted(mass, mass[-1] * np.array([0.9, 0.1]))
    points: NDArray[np.float64] = densities.points[order[places]]
    return np.maximum(points, 1e-3)[None]
