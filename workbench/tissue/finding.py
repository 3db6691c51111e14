"""Finding the tissue of a slide: one reading at low resolution, in bands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.geometry import Box
from workbench.tissue.mask import tissue_mask
from workbench.tissue.raster import Tissue

if TYPE_CHECKING:
    from workbench.slide.slide import Slide

_MAX_RASTER_PX: Final = 2048
"""Longest side of the raster on which tissue is looked for, so that a slide of any
size takes the same memory: 16 µm a pixel for one of 33 mm."""

_BAND: Final = 128
"""Rows of the raster that are read at once."""


def find_tissue(slide: Slide, *, mpp: float = 8.0) -> Tissue:
    """Find the tissue of a slide from one reading at low resolution.

    Parameters
    ----------
    slide : Slide
        Its mpp need not be known; then the raster and the size of what counts as
        noise are relative to the slide.
    mpp : float
        Micrometres for each raster cell, where the slide's mpp is known; made
        coarser for a slide that would need more than 2048 cells along a side.

    Returns
    -------
    Tissue
        Over the whole slide; empty for a blank one.
    """
    width, height = slide.size
    longest = max(width, height)
    if slide.mpp is None:
        cell = math.ceil(longest / _MAX_RASTER_PX)
    else:
        cell = max(round(mpp / slide.mpp), math.ceil(longest / _MAX_RASTER_PX), 1)
    columns, rows = -(-width // cell), -(-height // cell)
    pixels = np.empty((rows, columns, 3), np.uint8)
    for top in range(0, rows, _BAND):
        band = pixels[top : top + _BAND]
        box = Box(0, top * cell, columns * cell, (top + len(band)) * cell)
        band[:] = slide.read(box, size=(columns, len(band))).pixels
    cell_mpp = None if slide.mpp is None else slide.mpp * cell
    return Tissue(tissue_mask(pixels, mpp=cell_mpp), float(cell))
