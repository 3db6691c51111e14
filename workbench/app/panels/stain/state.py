"""Looks of a slide: as scanned, normalized, difference, or one stain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workbench.layers.recoloured import DifferenceLayer, NormalizedLayer
from workbench.layers.slide import SlideLayer
from workbench.layers.stain import StainLayer
from workbench.stain.slide_fit import STAINS

if TYPE_CHECKING:
    from workbench.layers.layer import Layer
    from workbench.stain.slide_fit import SlideStain

SCANNED: Final = "as scanned"
NORMALIZED: Final = "normalized"
DIFFERENCE: Final = "difference"
LOOKS: Final = (SCANNED, NORMALIZED, DIFFERENCE, *STAINS)
"""Looks of a slide."""


def layer_of(stain: SlideStain, look: str) -> Layer:
    """Return the layer of a look; as scanned if the fit does not allow the look."""
    if look in STAINS:
        return StainLayer(stain.slide, stain.stains, look)
    if stain.normalizer is not None and look == NORMALIZED:
        return NormalizedLayer(stain.slide, stain.normalizer)
    if stain.normalizer is not None and look == DIFFERENCE:
        return DifferenceLayer(stain.slide, stain.normalizer)
    return SlideLayer(stain.slide)
