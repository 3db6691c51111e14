"""Slides in memory and plain images: one array, halved until it is small."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import PIL
from PIL import Image

from workbench.errors import BrokenSlideError, UnsupportedSlideError
from workbench.geometry import Box
from workbench.slide.reader import BoxReader, Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_IMAGE_PIXELS: Final = 1 << 29
"""The largest plain image that is taken into memory (1.5 GB)."""

_SMALL = 512


class ArrayReader(BoxReader):
    """Reads an array, uint8 (H, W, 3), with levels halved by averaging."""

    bounds: Box

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        *,
        path: str = "array",
        name: str = "numpy",
        icc_profile: bytes | None = None,
    ) -> None:
        self.path, self.name, self.icc_profile = path, name, icc_profile
        self._levels = [pixels]
        while max(self._levels[-1].shape) > _SMALL:
            height, width, _ = self._levels[-1].shape
            half = (max(1, width // 2), max(1, height // 2))
            self._levels.append(
                cv2.resize(self._levels[-1], half, interpolation=cv2.INTER_AREA)
            )
        self.levels = tuple(
            Level((level.shape[1], level.shape[0]), float(1 << i))
            for i, level in enumerate(self._levels)
        )
        self.declared_mpp: float | None = None
        self.declared_mpp_xy = None
        self.properties = MappingProxyType[str, str]({})
        self.bounds = Box(0, 0, *self.levels[0].size)
        self.background = (255, 255, 255)
        self.associated_names: tuple[str, ...] = ()

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return pixels of a box that lies wholly in the level."""
        return self._levels[level][y : y + height, x : x + width]

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise: an array has no associated images."""
        raise KeyError(name)

    def close(self) -> None:
        """Do nothing: memory goes when nobody looks at it."""


def open_image(path: str) -> ArrayReader:
    """Open a plain image (PNG, JPEG, BMP, ...) with Pillow.

    A plain image's dots per inch say nothing of tissue, so its mpp is not known.

    Raises
    ------
    UnsupportedSlideError
        If it is larger than `MAX_IMAGE_PIXELS`.
    BrokenSlideError
        If it cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_IMAGE_PIXELS:
                reason = f"a plain image of {image.width} x {image.height} pixels"
                raise UnsupportedSlideError(path, reason + " is too large")
            profile = image.info.get("icc_profile")
            pixels = np.asarray(_over_white(image))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise BrokenSlideError(path, str(error)) from error
    return ArrayReader(
        pixels, path=path, name=f"Pillow {PIL.__version__}", icc_profile=profile
    )


def _over_white(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")
