"""How a slide can be drawn by what is known of its stains."""

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
"""How a slide can be drawn."""


def layer_of(stain: SlideStain, look: str) -> Layer:
    """Return the slide as it looks; as scanned, where it cannot look so."""
    if look in STAINS:
        return StainLayer(stain.slide, stain.stains, look)
    if stain.normalizer is not None and look == NORMALIZED:
        return NormalizedLayer(stain.slide, stain.normalizer)
    if stain.normalizer is not None and look == DIFFERENCE:
        return DifferenceLayer(stain.slide, stain.normalizer)
    return SlideLayer(stain.slide)
