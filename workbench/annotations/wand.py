"""Magic wand: the region around a point that is alike in colour and texture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import shapely

from workbench.annotations.raster_outline import outline_of, without_specks
from workbench.errors import OutOfBoundsError
from workbench.geometry import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from workbench.slide.slide import Slide

REACH_PX: Final = 512
"""How far a region reaches from its point, in pixels at the zoom in use."""

_COLOUR_SIGMA: Final = 1.5
_TEXTURE_SIGMA: Final = 4.0
_SEED_PX: Final = 2


@dataclass(frozen=True, eq=False, slots=True)
class Wand:
    """Differences from a point of a slide, from which regions grow.

    Made by `Wand.at`; `region` is quick, so that the tolerance can follow a drag.

    Examples
    --------
    >>> wand = wb.annotations.Wand.at(slide, (384, 384), downsample=2)
    >>> found = wand.region(tolerance=10)
    >>> found.area > 0
    True
    """

    difference: NDArray[np.float32]
    """Difference of each pixel from the point in colour and texture, in units of
    CIELAB (1 is just visible), float32 (H, W); infinite outside the slide."""

    seed: tuple[int, int]
    """Row and column of the point."""

    origin: tuple[float, float]
    """Upper left corner of the pixels, in level-0 pixels."""

    scale: float
    """Level-0 pixels per pixel."""

    size: tuple[int, int]
    """Width and height of the slide, in level-0 pixels."""

    @classmethod
    def at(
        cls,
        slide: Slide,
        point: tuple[float, float],
        *,
        downsample: float,
        reach: int = REACH_PX,
    ) -> Wand:
        """Compare the pixels around a point with it.

        Parameters
        ----------
        slide : Slide
        point : (float, float)
            In level-0 pixels.
        downsample : float
            Level-0 pixels per pixel at which colours and textures are compared: those
            of the view. Below 1 it is 1.
        reach : int
            Pixels on each side of the point that are looked at.

        Raises
        ------
        OutOfBoundsError
            If the point is not on the slide.
        SlideReadError
            If its pixels cannot be read.
        """
        width, height = slide.size
        x, y = point
        if not (0 <= x < width and 0 <= y < height):
            message = f"({x:.0f}, {y:.0f}) is not on the slide."
            raise OutOfBoundsError(message, "Click on the slide.")
        scale = max(1.0, float(downsample))
        half = round(reach * scale)
        box = Box.at(round(x) - half, round(y) - half, 2 * half, 2 * half)
        side = 2 * reach
        pixels = slide.read(box, size=(side, side)).pixels
        difference = _difference(pixels, (reach, reach))
        scale = box.width / side
        across = box.x0 + (np.arange(side) + 0.5) * scale
        down = box.y0 + (np.arange(side) + 0.5) * scale
        difference[:, (across < 0) | (across >= width)] = np.inf
        difference[(down < 0) | (down >= height)] = np.inf
        return cls(difference, (reach, reach), (box.x0, box.y0), scale, slide.size)

    def region(self, tolerance: float) -> BaseGeometry | None:
        """Return the connected region within a tolerance around the point.

        Parameters
        ----------
        tolerance : float
            Largest difference from the point, in units of CIELAB.

        Returns
        -------
        geometry or None
            Polygons with holes in level-0 pixels; None if there is no region.
        """
        alike = (self.difference <= tolerance).astype(np.uint8)
        if not alike[self.seed]:
            return None
        _, labels = cv2.connectedComponents(alike, connectivity=4)
        mask = without_specks(labels == labels[self.seed])
        found = outline_of(mask, origin=self.origin, scale=self.scale)
        return found and shapely.intersection(found, shapely.box(0, 0, *self.size))


def _difference(
    pixels: NDArray[np.uint8], seed: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the difference of each pixel from the surroundings of a seed."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colour = cv2.GaussianBlur(lab, (0, 0), _COLOUR_SIGMA)
    light = lab[..., 0]
    mean = cv2.GaussianBlur(light, (0, 0), _TEXTURE_SIGMA)
    square = cv2.GaussianBlur(light * light, (0, 0), _TEXTURE_SIGMA)
    texture = np.sqrt(np.maximum(square - mean * mean, 0))
    features = np.dstack([colour, texture])
    row, column = seed
    near = features[
        row - _SEED_PX : row + _SEED_PX + 1, column - _SEED_PX : column + _SEED_PX + 1
    ]
    away = features - near.reshape(-1, features.shape[2]).mean(axis=0)
    difference: NDArray[np.float32] = np.sqrt((away * away).sum(axis=2))
    return difference.astype(np.float32)
