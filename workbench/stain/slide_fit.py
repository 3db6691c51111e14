"""What is known of a slide's stains: measured once, for the app and for runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from cachetools import LRUCache, cached

from workbench.stain.deconvolution import LIGHT, StainSet
from workbench.stain.detection import Staining, slide_staining
from workbench.stain.fit_quality import FitQuality, assess_fit
from workbench.stain.methods.macenko import StainFit, fit_macenko
from workbench.stain.normalizer import Normalizer, fit_normalizer
from workbench.stain.registry import METHODS
from workbench.stain.tissue_sample import TissueSample, sample_tissue
from workbench.tissue import TissueChoice, find_tissue

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.recipe import StainMethod
    from workbench.slide.slide import Slide
    from workbench.stain.references import Reference
    from workbench.tissue import Tissue

STAINS: Final = ("hematoxylin", "eosin", "residual")
"""What colour deconvolution tells apart."""

_FOUND: Final = TissueChoice()
_KEPT: Final = 12
"""Slides whose colours are kept: some megabytes each."""

_KEPT_STAININGS: Final = 1024
"""Slides whose staining is kept: some bytes each."""


@dataclass(frozen=True, eq=False, slots=True)
class SlideStain:
    """What is known of a slide's stains."""

    slide: Slide
    sample: TissueSample
    fit: StainFit
    """The slide's own two stains; Macenko's, where the method finds none."""

    quality: FitQuality
    reference: Reference | None = None
    normalizer: Normalizer | None = None
    """To the reference; None: no method was chosen."""

    @property
    def stains(self) -> StainSet:
        """The stains as colour deconvolution takes them."""
        white = LIGHT if self.fit.white is None else tuple(self.fit.white.tolist())
        return StainSet.of_two(STAINS[:2], self.fit.stains, white=white)


def fit_slide(
    slide: Slide,
    method: StainMethod | None,
    reference: Reference,
    *,
    tissue: Callable[[], Tissue] | None = None,
) -> SlideStain:
    """Find the stains of a slide, and how to bring them into those of a reference.

    Parameters
    ----------
    slide : Slide
    method : str, optional
        Of `METHODS`; None: only the slide's own stains are found.
    reference : Reference
        In whose colours the slide shall be.
    tissue : callable, optional
        Returns the tissue, for whom it is known; called where the slide was not
        looked at before.

    Raises
    ------
    StainError
        If the slide has no two stains.
    """
    known = _known(slide, _FOUND, tissue)
    if method is None:
        fit, quality = known.own("macenko")
        return SlideStain(slide, known.sample, fit, quality)
    normalizer = known.normalizer(method, reference)
    fit, quality = known.own(method if method == "vahadane" else "macenko")
    return SlideStain(slide, known.sample, fit, quality, reference, normalizer)


def slide_normalizer(
    slide: Slide,
    method: StainMethod,
    reference: Reference,
    choice: TissueChoice = _FOUND,
    *,
    tissue: Callable[[], Tissue] | None = None,
) -> Normalizer:
    """Return the normalizer of a slide to a reference; the slide is fitted once.

    Parameters
    ----------
    slide : Slide
    method : str
        Of `METHODS`.
    reference : Reference
        In whose colours the slide shall be.
    choice : TissueChoice
        What is tissue.
    tissue : callable, optional
        Returns the tissue of that choice; see `fit_slide`.

    Raises
    ------
    StainError
        If the slide has no tissue, or no two stains.
    """
    return _known(slide, choice, tissue).normalizer(method, reference)


@cached(
    LRUCache(_KEPT_STAININGS),
    key=lambda slide: (slide.pixels_id, slide.mpp),
    lock=threading.Lock(),
)
def staining_of_slide(slide: Slide) -> Staining:
    """Return with what a slide is stained; measured once for each slide."""
    return slide_staining(slide)


class _Known:
    """What has been measured of one slide; the rest when it is asked for."""

    def __init__(self, sample: TissueSample) -> None:
        self.sample = sample
        self._maps: dict[str, Any] = {}
        self._own: dict[str, tuple[StainFit, FitQuality]] = {}

    def normalizer(self, method: StainMethod, reference: Reference) -> Normalizer:
        """Return the normalizer to a reference; the slide itself is fitted once."""
        known = self._maps.get(method)
        if known is None:
            fitted = fit_normalizer(self.sample.histogram, reference, method=method)
            self._maps[method] = fitted.colour_map
            return fitted
        return Normalizer(replace(known, reference=METHODS[method].known(reference)))

    def own(self, method: str) -> tuple[StainFit, FitQuality]:
        """Return the slide's two stains by a method, and how good they are."""
        if method not in self._own:
            known = self._maps.get(method)
            histogram = self.sample.histogram
            fit = fit_macenko(histogram) if known is None else known.source
            self._own[method] = fit, assess_fit(histogram, fit)
        return self._own[method]


@cached(
    LRUCache(_KEPT),
    key=lambda slide, choice, _: (slide.pixels_id, slide.mpp, choice),
    lock=threading.Lock(),
)
def _known(
    slide: Slide, choice: TissueChoice, tissue: Callable[[], Tissue] | None
) -> _Known:
    """Return what is known of a slide's content, whoever has looked at it.

    So another reference costs no reading and no fit, and another method one fit.
    """
    found = find_tissue(slide, choice=choice) if tissue is None else tissue()
    return _Known(sample_tissue(slide, tissue=found))
