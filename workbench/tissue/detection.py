"""Tissue detection on a slide, from one read at low resolution."""

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
"""Maximum side of the tissue raster in cells, which bounds the memory: a cell has 16 µm
on a slide of 33 mm."""

_FINE_RASTER_PX: Final = 512
_MOST_SAMPLES: Final = 4
"""Maximum samples along a cell. A small raster is classified at a finer resolution (up
to `_FINE_RASTER_PX`), because a cell of 8 µm mixes the colours of a small image."""

_BAND: Final = 128
"""Rows of the raster per read."""

_HALF: Final = 0.5
_AUTOMATIC: Final = TissueChoice()


def find_tissue(
    slide: Slide, *, mpp: float = 8.0, choice: TissueChoice = _AUTOMATIC
) -> Tissue:
    """Detect the tissue of a slide from one read at low resolution.

    Parameters
    ----------
    slide : Slide
        The slide. If its mpp is not known, the cell size and the minimum size of tissue
        are relative to the slide.
    mpp : float
        Micrometres per raster cell, if the slide's mpp is known; increased for a slide
        that would need more than 2048 cells along a side.
    choice : TissueChoice
        User settings; default: automatic.

    Returns
    -------
    Tissue
        Covers the whole slide; empty for a blank slide.

    Examples
    --------
    >>> tissue = wb.find_tissue(slide)
    >>> 0 < tissue.fraction(slide.box) <= 1
    True
    """
    width, height = slide.size
    longest = max(width, height)
    if slide.mpp is None:
        cell = math.ceil(longest / _MAX_RASTER_PX)
    else:
        cell = max(round(mpp / slide.mpp), math.ceil(longest / _MAX_RASTER_PX), 1)
    columns, rows = -(-width // cell), -(-height // cell)
    samples = min(_FINE_RASTER_PX // max(columns, rows), _MOST_SAMPLES, cell)
    pixels = _read_overview(slide, cell, max(samples, 1))
    mask = tissue_mask(
        pixels,
        mpp=None if slide.mpp is None else slide.mpp * cell / max(samples, 1),
        threshold=choice.threshold,
        keep_ink=choice.keep_ink,
    )
    if samples > 1:
        parts = mask.reshape(rows, samples, columns, samples)
        mask = parts.mean(axis=(1, 3)) >= _HALF
    mask = choice.apply(mask, Box(0, 0, columns * cell, rows * cell))
    return Tissue(mask, float(cell))


def _read_overview(slide: Slide, cell: int, samples: int) -> NDArray[np.uint8]:
    """Return the whole slide, with `samples` pixels along each side of a cell."""
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
