"""Finding the tissue of a slide: one reading at low resolution, in bands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.geometry import Box
from workbench.tissue.choice import TissueChoice
from workbench.tissue.mask import tissue_mask
from workbench.tissue.raster import Tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.slide.slide import Slide

_MAX_RASTER_PX: Final = 2048
"""Longest side of the raster on which tissue is looked for, so that a slide of any
size takes the same memory: 16 µm a pixel for one of 33 mm."""

_FINE_RASTER_PX: Final = 512
_MOST_SAMPLES: Final = 4
"""A raster is judged finer than it is, by up to so many samples along a cell, if it
stays below so many: in small pictures a cell of 8 µm mixes all colours to one."""

_BAND: Final = 128
"""Rows of the raster that are read at once."""

_HALF: Final = 0.5
_FOUND: Final = TissueChoice()


def find_tissue(
    slide: Slide, *, mpp: float = 8.0, choice: TissueChoice = _FOUND
) -> Tissue:
    """Find the tissue of a slide from one reading at low resolution.

    Parameters
    ----------
    slide : Slide
        Its mpp need not be known; then the raster and the size of what counts as
        noise are relative to the slide.
    mpp : float
        Micrometres for each raster cell, where the slide's mpp is known; made
        coarser for a slide that would need more than 2048 cells along a side.
    choice : TissueChoice
        What somebody has chosen in place of what is found.

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
    samples = min(_FINE_RASTER_PX // max(columns, rows), _MOST_SAMPLES, cell)
    pixels = _overview(slide, cell, max(samples, 1))
    mask = tissue_mask(
        pixels,
        mpp=None if slide.mpp is None else slide.mpp * cell / max(samples, 1),
        threshold=choice.threshold,
        keep_ink=choice.keep_ink,
    )
    if samples > 1:
        parts = mask.reshape(rows, samples, columns, samples)
        mask = parts.mean(axis=(1, 3)) >= _HALF
    mask = choice.corrected(mask, Box(0, 0, columns * cell, rows * cell))
    return Tissue(mask, float(cell))


def _overview(slide: Slide, cell: int, samples: int) -> NDArray[np.uint8]:
    """Return a slide as pixels, `samples` along each side of a cell."""
    width, height = slide.size
    columns, rows = -(-width // cell), -(-height // cell)
    pixels = np.empty((rows * samples, columns * samples, 3), np.uint8)
    for top in range(0, rows, _BAND):
        count = min(_BAND, rows - top)
        box = Box(0, top * cell, columns * cell, (top + count) * cell)
        size = columns * samples, count * samples
        band = pixels[top * samples : (top + count) * samples]
        band[:] = slide.read(box, size=size).pixels
    return pixels
