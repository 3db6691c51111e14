"""What is compared of a slide: the density of its nuclei, at one resolution.

Two measures show nuclei in serial sections of different stains. Hematoxylin absorbs red
light more than eosin and most counterstains do. And nuclei absorb all colours, where
collagen in trichrome or PAS absorbs only some.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from workbench.errors import RegistrationError
from workbench.geometry import Box
from workbench.tissue.detection import find_tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.slide.slide import Slide
    from workbench.tissue.raster import Tissue

MEASURES: Final = ("red", "all")
"""Optical density of red light; the least optical density of red, green and blue."""

_DARKEST: Final = 8.0
_BAND_PX: Final = 1024


@dataclass(frozen=True, eq=False, slots=True)
class Overview:
    """A slide as a raster of densities."""

    density: NDArray[np.float32]
    """Optical density, float32 (rows, columns); 0 outside of tissue."""

    tissue: NDArray[np.float32]
    """Share of tissue in each pixel, 0 to 1, float32 (rows, columns)."""

    mpp: float
    """Micrometres per pixel of the raster; its corner is that of level 0."""

    def coarser(self, factor: int) -> Overview:
        """Return the overview at a resolution that is coarser by a whole factor."""
        if factor == 1:
            return self
        rows, columns = (side // factor for side in self.density.shape)
        size = (max(1, columns), max(1, rows))
        rasters = (self.density, self.tissue)
        cropped = (each[: size[1] * factor, : size[0] * factor] for each in rasters)
        small = (
            cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in cropped
        )
        density, tissue = small
        return Overview(density, tissue, self.mpp * factor)


def overviews_of(slide: Slide, mpp: float) -> dict[str, Overview]:
    """Read a slide at a resolution; return an overview for each of `MEASURES`.

    Raises
    ------
    MissingMppError
        If the mpp of the slide is not known.
    RegistrationError
        If it has no tissue.
    """
    step = max(1, round(mpp / slide.require_mpp()))
    width, height = (-(-side // step) for side in slide.size)
    densities = np.empty((len(MEASURES), height, width), np.float32)
    for top in range(0, height, _BAND_PX):
        bottom = min(height, top + _BAND_PX)
        box = Box(0, top * step, width * step, bottom * step)
        pixels = slide.read(box, size=(width, bottom - top)).pixels
        for number, light in enumerate((pixels[..., 0], pixels.max(axis=-1))):
            seen = np.maximum(light.astype(np.float32), _DARKEST)
            densities[number, top:bottom] = -np.log(seen / 255)
    found = find_tissue(slide)
    if not found.mask.any():
        reason = "no tissue was found on it"
        raise RegistrationError(slide.path, reason, "View the slide, or give another.")
    tissue = _resampled(found, step, (height, width))
    glass = tissue == 0
    overviews = {}
    for name, density in zip(MEASURES, densities, strict=True):
        light = np.float32(np.median(density[glass])) if glass.any() else 0
        clipped = np.maximum(density - light, 0) * tissue
        overviews[name] = Overview(clipped, tissue, step * slide.require_mpp())
    return overviews


def _resampled(
    tissue: Tissue, step: int, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return the mask on a raster of `step` level-0 pixels, its edges softened."""
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * step / tissue.downsample, most - 1)
        for n, most in zip(shape, tissue.mask.shape, strict=True)
    )
    sharp = tissue.mask[np.ix_(rows.astype(int), columns.astype(int))]
    side = 2 * max(1, round(tissue.downsample / step)) + 1
    return np.asarray(cv2.blur(sharp.astype(np.float32), (side, side)))
