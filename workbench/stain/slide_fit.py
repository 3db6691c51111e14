"""Stain measurements of a slide, made once for the app and for runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from cachetools import LRUCache, cached

from workbench.stain.deconvolution import LIGHT, StainSet
from workbench.stain.detection import Staining, slide_staining
from workbench.stain.fit_quality import FitQuality, assess_fit
from workbench.stain.methods.macenko import StainFit, fit_macenko
from workbench.stain.registry import METHODS
from workbench.stain.tissue_sample import TissueSample, sample_tissue
from workbench.tissue import TissueChoice, find_tissue

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.recipe import StainMethod
    from workbench.slide.slide import Slide
    from workbench.stain.normalizer import Normalizer
    from workbench.stain.references import Reference
    from workbench.tissue import Tissue

STAINS: Final = ("hematoxylin", "eosin", "residual")
"""Channels of colour deconvolution: two stains and the residual."""

_DEFAULT: Final = TissueChoice()
_MAX_SLIDES: Final = 12
"""Maximum number of slides whose colours are cached: some megabytes each."""

_MAX_STAININGS: Final = 1024
"""Maximum number of slides whose staining is cached: some bytes each."""


@dataclass(frozen=True, eq=False, slots=True)
class SlideStain:
    """Stains of a slide, and its normalizer to a reference."""

    slide: Slide
    sample: TissueSample
    fit: StainFit
    """Stains of the slide; by Macenko's method where the chosen one has none."""

    quality: FitQuality
    reference: Reference | None = None
    normalizer: Normalizer | None = None
    """Normalizer to the reference; None: no method was chosen."""

    @property
    def stains(self) -> StainSet:
        """The stains as a set for colour deconvolution."""
        white = LIGHT if self.fit.white is None else tuple(self.fit.white.tolist())
        return StainSet.of_two(STAINS[:2], self.fit.stains, white=white)


def fit_slide(
    slide: Slide,
    method: StainMethod | None,
    reference: Reference,
    *,
    tissue: Callable[[], Tissue] | None = None,
) -> SlideStain:
    """Fit the stains of a slide, and its normalizer to a reference.

    Parameters
    ----------
    slide : Slide
    method : str, optional
        One of `METHODS`; None: only the stains of the slide are fitted.
    reference : Reference
        Target colours.
    tissue : callable, optional
        Returns the tissue mask, if it is known; called only if the slide is not in
        the cache.

    Raises
    ------
    StainError
        If the slide does not have two stains.
    """
    fits = _fits_of(slide, _DEFAULT, tissue)
    if method is None:
        fit, quality = fits.stain_fit("macenko")
        return SlideStain(slide, fits.sample, fit, quality)
    normalizer = fits.normalizer(method, reference)
    fit, quality = fits.stain_fit(method if method == "vahadane" else "macenko")
    return SlideStain(slide, fits.sample, fit, quality, reference, normalizer)


def slide_normalizer(
    slide: Slide,
    method: StainMethod,
    reference: Reference,
    choice: TissueChoice = _DEFAULT,
    *,
    tissue: Callable[[], Tissue] | None = None,
) -> Normalizer:
    """Return the normalizer of a slide to a reference; the slide is fitted once.

    Parameters
    ----------
    slide : Slide
    method : str
        One of `METHODS`.
    reference : Reference
        Target colours.
    choice : TissueChoice
        Options of tissue detection.
    tissue : callable, optional
        Returns the tissue mask of that choice; see `fit_slide`.

    Raises
    ------
    StainError
        If the slide has no tissue, or does not have two stains.
    """
    return _fits_of(slide, choice, tissue).normalizer(method, reference)


@cached(
    LRUCache(_MAX_STAININGS),
    key=lambda slide: (slide.pixels_id, slide.mpp),
    lock=threading.Lock(),
)
def cached_staining(slide: Slide) -> Staining:
    """Return the staining of a slide; measured once for each slide."""
    return slide_staining(slide)


class _SlideFits:
    """Fits of one slide, computed when needed."""

    def __init__(self, sample: TissueSample) -> None:
        self.sample = sample
        self._maps: dict[str, Any] = {}
        self._own: dict[str, tuple[StainFit, FitQuality]] = {}

    def normalizer(self, method: StainMethod, reference: Reference) -> Normalizer:
        """Return the normalizer to a reference; the slide itself is fitted once."""
        # It takes seconds to import, for torch; looking at a slide needs neither.
        from workbench.stain.normalizer import Normalizer, fit_normalizer  # noqa: PLC0415

        fitted_map = self._maps.get(method)
        if fitted_map is None:
            fitted = fit_normalizer(self.sample.histogram, reference, method=method)
            self._maps[method] = fitted.colour_map
            return fitted
        return Normalizer(
            replace(fitted_map, reference=METHODS[method].fit_of(reference))
        )

    def stain_fit(self, method: str) -> tuple[StainFit, FitQuality]:
        """Return the stains of the slide by a method, and the quality of the fit."""
        if method not in self._own:
            fitted_map = self._maps.get(method)
            histogram = self.sample.histogram
            fit = fit_macenko(histogram) if fitted_map is None else fitted_map.source
            self._own[method] = fit, assess_fit(histogram, fit)
        return self._own[method]


@cached(
    LRUCache(_MAX_SLIDES),
    key=lambda slide, choice, _: (slide.pixels_id, slide.mpp, choice),
    lock=threading.Lock(),
)
def _fits_of(
    slide: Slide, choice: TissueChoice, tissue: Callable[[], Tissue] | None
) -> _SlideFits:
    """Return the cached fits of a slide, by its content.

    So another reference needs no reading and no fit, and another method one fit.
    """
    mask = find_tissue(slide, choice=choice) if tissue is None else tissue()
    return _SlideFits(sample_tissue(slide, tissue=mask))
