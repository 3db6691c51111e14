"""One stain of a slide alone, as a layer."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.layers.colormaps import hex_colour
from workbench.layers.layer import Legend
from workbench.layers.recoloured import PaintedLayer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.slide.slide import Slide
    from workbench.stain.deconvolution import StainSet

_MOST: Final = 1.2
"""Optical density (base 10) at the end of the scale."""

_MOST_RESIDUAL: Final = 0.3
_STEPS: Final = 256
_STOPS: Final = 9
_OVER: Final = (178, 24, 43)
_UNDER: Final = (33, 102, 172)
"""sRGB of a residual that absorbs light, and of one that is missing."""


class StainLayer(PaintedLayer):
    """A slide as if it had been stained with one dye only.

    The amount of a stain is drawn in the stain's own colour. What two stains leave
    over has no colour of its own: it is drawn from blue (less light absorbed than the
    two would) over white (none) to red (more).

    Parameters
    ----------
    slide : Slide
    stains : StainSet
    stain : str
        One of its names.
    tile_px : int, optional
        Side of the tiles; by default as stored.

    Raises
    ------
    StainError
        If there is no such stain among them.
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

        def paint(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
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
            paint,
            name=stain,
            look=f"{stain}-{digest}",
            legend=Legend(stain, "OD", ramp=tuple(ramp)),
            tile_px=tile_px,
        )


def _scale(stains: StainSet, index: int) -> tuple[float, float, NDArray[np.uint8]]:
    """Return the ends of a stain's scale, and its colours, uint8 (256, 3)."""
    if stains.names[index] != "residual":
        amounts = np.linspace(0, _MOST, _STEPS, dtype=np.float32)
        return 0.0, _MOST, stains.colours(index, amounts)
    half = np.linspace(1, 0, _STEPS // 2)[:, None]
    under, over = (255 + half * (np.array(end) - 255) for end in (_UNDER, _OVER))
    table = np.rint(np.concatenate([under, over[::-1]])).astype(np.uint8)
    return -_MOST_RESIDUAL, _MOST_RESIDUAL, table
