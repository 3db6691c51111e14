"""Layer that shows the tissue mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import cv2
import numpy as np

from workbench.layers.colormaps import hex_colour
from workbench.layers.encode import encode_palette
from workbench.layers.layer import Legend
from workbench.layers.resampling import cells_under, take_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.layers.layer import Pyramid
    from workbench.slide.readers.base import EncodedTile
    from workbench.tissue import Tissue

_COLOUR: Final = (20, 120, 90)
_TINT_ALPHA: Final = 96
_OUTLINE_PX: Final = 2


class TissueLayer:
    """The tissue of a slide, as an outline or a tint.

    Parameters
    ----------
    tissue : Tissue
    pyramid : Pyramid
        Pyramid of the slide.
    form : {"outline", "tint"}
        The outline is 2 tile pixels wide at every zoom, and lies inside the tissue.
    """

    name = "Tissue"
    version = "0"

    def __init__(
        self,
        tissue: Tissue,
        pyramid: Pyramid,
        *,
        form: Literal["outline", "tint"] = "outline",
    ) -> None:
        self.pyramid = pyramid
        self.legend: Legend | None = Legend(
            "Tissue", entries=(("tissue", hex_colour(_COLOUR)),)
        )
        self._mask = tissue.mask.astype(np.uint8)
        self._cell = float(tissue.downsample)
        self._outline = form == "outline"
        alpha = 255 if self._outline else _TINT_ALPHA
        self._palette = np.array([(0, 0, 0, 0), (*_COLOUR, alpha)], np.uint8)

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if it is empty.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        margin = _OUTLINE_PX if self._outline else 0
        rows, columns = cells_under(self.pyramid, (z, x, y), self._cell, margin=margin)
        drawn = take_cells(self._mask, rows, columns, outside=0)
        if self._outline:
            drawn = _inner_border(drawn, margin)
        return encode_palette(drawn, self._palette) if drawn.any() else None


def _inner_border(mask: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Return the pixels of `mask` within `width` pixels of its outside.

    The result lacks a margin of `width` pixels, whose neighbours are unknown.
    """
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inner = mask - cv2.erode(mask, square)
    border: NDArray[np.uint8] = inner[width:-width, width:-width]
    return border
