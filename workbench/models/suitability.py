"""Whether a model fits a slide: its stain and its magnification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workbench.models.card import ModelCard
    from workbench.slide.slide import Slide
    from workbench.stain.detection import Staining

_MAX_ENLARGED: Final = 2.5
"""Largest factor by which the pixels of a slide are enlarged for a model: more shows it
less than half of the detail that it has learned from."""


def misfit(card: ModelCard, slide: Slide, staining: Staining | None = None) -> str:
    """Return why a model does not fit a slide, as a clause; empty if it may fit.

    Parameters
    ----------
    card : ModelCard
    slide : Slide
        Without a pixel size, its magnification is not judged.
    staining : Staining, optional
        Detected staining of the slide; without it, or if it is unclear, the stain is
        not judged.

    Examples
    --------
    >>> from workbench.models.suitability import misfit
    >>> misfit(wb.known_cards()[0], wb.open_slide("slide.svs"))
    ''
    """
    if card.prompted:
        return "it segments objects by clicks and makes no runs"
    kind = "unclear" if staining is None else staining.kind
    if kind != "unclear" and card.stains and kind not in card.stains:
        return f"it is for {' and '.join(card.stains)}, the slide is {kind}"
    if slide.mpp is not None and slide.mpp > _MAX_ENLARGED * card.mpp:
        return f"it needs {card.mpp:g} µm per pixel, the slide has {slide.mpp:.3g}"
    return ""
