"""Focus of tiles, by the share of fine detail in their texture.

Blur takes the finest detail first. So sharpness is the variance of the Laplacian of the
optical density, relative to that at half the resolution; a ratio does not depend on the
depth of the stain, or on how much texture the tissue has. The variance of the Laplacian
as a measure of focus: J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield
microscopy", ICPR 2000.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from workbench.geometry import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.slide.slide import Slide
    from workbench.tissue import Tissue

MPP: Final = 1.0
"""Micrometres per pixel of the tiles."""

SIDE: Final = 128
"""Side of a tile in pixels."""

BLURRED: Final = -2.6
"""Sharpness below which a tile is out of focus: about that of a Gaussian blur with a
standard deviation of 1 µm, at which the chromatin of nuclei is lost."""

_STEP_UM: Final = 256.0
"""Distance between tiles; each stands for a square of this side."""

_LEAST_TISSUE: Final = 0.5
_FAINT: Final = 1e-3
"""Variance of the optical density of a tile that has no texture to judge."""

_BATCH: Final = 64
_GREY: Final = 256.0


def sharpness(tiles: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the sharpness of tiles at 1 µm per pixel.

    Parameters
    ----------
    tiles : uint8 (N, side, side, 3)

    Returns
    -------
    float64 (N,)
        The binary logarithm of a ratio: -0.2 to -2.2 in focus, -2.6 and less out of
        focus; NaN without texture.
    """
    return np.array([_of_tile(tile) for tile in tiles], float)


def _of_tile(tile: NDArray[np.uint8]) -> float:
    density = -np.log((tile[..., 1].astype(np.float32) + 1) / _GREY)
    if density.var() < _FAINT:
        return float("nan")
    powers = []
    for _ in range(3):
        powers.append(float(cv2.Laplacian(density, cv2.CV_32F, ksize=1).var()))
        half = density.shape[1] // 2, density.shape[0] // 2
        density = cv2.resize(density, half, interpolation=cv2.INTER_AREA)
    ratios = [a / b for a, b in pairwise(powers) if b]
    # At a strong blur the finest scale has noise alone, and the next is missing too.
    return float(np.log2(max(min(ratios, default=1.0), 1e-6)))


def map_sharpness(
    slide: Slide, tissue: Tissue
) -> tuple[NDArray[np.float64], float, list[Box]]:
    """Measure the sharpness of tiles that are spread over the tissue.

    Parameters
    ----------
    slide : Slide
        With a known mpp.
    tissue : Tissue

    Returns
    -------
    values : float64 (rows, columns)
        Sharpness of the middle of each cell; NaN: not measured.
    cell : float
        Side of a cell in level-0 pixels.
    boxes : list of Box
        Some of the tiles, evenly spread.
    """
    mpp = slide.require_mpp()
    cell, side = _STEP_UM / mpp, round(SIDE * MPP / mpp)
    width, height = slide.size
    columns, rows = max(1, round(width / cell)), max(1, round(height / cell))
    values = np.full((rows, columns), np.nan)
    places = [(r, c) for r in range(rows) for c in range(columns)]
    boxes = [_middle(r, c, cell, side) for r, c in places]
    share = tissue.fractions(boxes)
    wanted = np.flatnonzero(share >= _LEAST_TISSUE).tolist()
    for first in range(0, len(wanted), _BATCH):
        numbers = wanted[first : first + _BATCH]
        tiles = slide.read_tiles([boxes[n] for n in numbers], (SIDE, SIDE))
        for number, value in zip(numbers, sharpness(tiles), strict=True):
            values[places[number]] = value
    every = max(1, len(wanted) // _BATCH)
    return values, cell, [boxes[number] for number in wanted[::every]]


def _middle(row: int, column: int, cell: float, side: int) -> Box:
    """Return the box of a tile in the middle of a cell."""
    x, y = (round((each + 0.5) * cell - side / 2) for each in (column, row))
    return Box(x, y, x + side, y + side)
