"""How far normalization moves the colours of a slide, as a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from workbench.layers.colormaps import colours, ramp_legend
from workbench.layers.recoloured import PaintedLayer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.slide.slide import Slide
    from workbench.stain.normalizer import Normalizer

_MOST: Final = 80
"""Grey levels at the end of the scale."""

_COLOURS: Final = "magma"


class DifferenceLayer(PaintedLayer):
    """The difference between a slide and its normalized self.

    Drawn is the mean over red, green and blue of the absolute difference, in grey
    levels, from none (black) to 80 and more (pale yellow).

    Parameters
    ----------
    slide : Slide
    normalizer : Normalizer
    tile_px : int, optional
        Side of the tiles; by default as stored.
    """

    def __init__(
        self, slide: Slide, normalizer: Normalizer, *, tile_px: int | None = None
    ) -> None:
        super().__init__(
            slide,
            lambda pixels: difference_picture(pixels, normalizer(pixels)),
            name="difference",
            look=f"difference-{normalizer.fingerprint}",
            legend=ramp_legend("difference", "grey levels", _COLOURS, (0, _MOST)),
            tile_px=tile_px,
        )


def difference_picture(
    pixels: NDArray[np.uint8], others: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return the mean absolute difference of two pictures in colours.

    Parameters
    ----------
    pixels, others : uint8 (H, W, 3)

    Returns
    -------
    uint8 (H, W, 3)
        sRGB.
    """
    apart = cv2.absdiff(pixels, others).sum(axis=2, dtype=np.uint16)
    table = colours(_COLOURS, 3 * _MOST + 1)
    picture: NDArray[np.uint8] = table[np.minimum(apart, 3 * _MOST)]
    return picture
