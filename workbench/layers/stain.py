"""Layer that shows one stain of a slide."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.layers.colormaps import hex_colour
from workbench.layers.layer import Legend
from workbench.layers.recoloured import RecolouredLayer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.slide.slide import Slide
    from workbench.stain.deconvolution import StainSet

_MAX_OD: Final = 1.2
"""Optical density (base 10) at the upper end of the scale."""

_MAX_RESIDUAL_OD: Final = 0.3
_STEPS: Final = 256
_STOPS: Final = 9
_OVER: Final = (178, 24, 43)
_UNDER: Final = (33, 102, 172)
"""sRGB of a residual of more, and of less, absorption than the two stains explain."""


class StainLayer(RecolouredLayer):
    """A slide as if it had been stained with one dye only.

    The amount of a stain is drawn in the colour of the stain. The residual of two
    stains has no colour of its own: it is drawn from blue (less absorption than the
    two stains explain) over white (none) to red (more).

    Parameters
    ----------
    slide : Slide
    stains : StainSet
    stain : str
        Name of one of the stains.
    tile_px : int, optional
        Side of the tiles in pixels; by default that of the stored tiles.

    Raises
    ------
    StainError
        If the set has no such stain.
    """

    def __init__(
        self,
        slide: Slide,
        stains: StainSet,
        stain: str,
        *,
        tile_px: int | None = None,
    ) -> None:
        index = stains.index(stain)
        low, high, table = _scale(stains, index)

        def recolour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
            amount = stains.amount(pixels, index)
            step = np.clip((amount - low) * (_STEPS / (high - low)), 0, _STEPS - 1)
            picture: NDArray[np.uint8] = table[step.astype(np.uint8)]
            return picture

        numbers = repr((stains.names, stains.vectors.tolist(), stains.white))
        digest = hashlib.sha256(numbers.encode()).hexdigest()[:16]
        at = np.linspace(0, _STEPS - 1, _STOPS).astype(int)
        values = low + at * ((high - low) / (_STEPS - 1))
        ramp = [
            (float(value), hex_colour(table[step]))
            for value, step in zip(values, at, strict=True)
        ]
        super().__init__(
            slide,
            recolour,
            name=stain,
            fingerprint=f"{stain}-{digest}",
            legend=Legend(stain, "OD", ramp=tuple(ramp)),
            tile_px=tile_px,
        )


def _scale(stains: StainSet, index: int) -> tuple[float, float, NDArray[np.uint8]]:
    """Return the ends of a stain's scale in OD, and its colours, uint8 (256, 3)."""
    if stains.names[index] != "residual":
        amounts = np.linspace(0, _MAX_OD, _STEPS, dtype=np.float32)
        return 0.0, _MAX_OD, stains.colours(index, amounts)
    half = np.linspace(1, 0, _STEPS // 2)[:, None]
    under, over = (255 + half * (np.array(end) - 255) for end in (_UNDER, _OVER))
    table = np.rint(np.concatenate([under, over[::-1]])).astype(np.uint8)
    return -_MAX_RESIDUAL_OD, _MAX_RESIDUAL_OD, table
