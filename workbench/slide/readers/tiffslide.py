"""Reader through tiffslide, used only for comparison (`slide/verify.py`)."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING

import numpy as np
import tiffslide

from workbench.errors import BrokenSlideError
from workbench.geometry import Box
from workbench.slide.readers.base import BoxReader, Level, mpp_pair

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_WHITE = (255, 255, 255)


class TiffslideReader(BoxReader):
    """Reads a TIFF through tiffslide alone.

    Raises
    ------
    BrokenSlideError
        If tiffslide cannot open the file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = f"tiffslide {tiffslide.__version__}"
        self._lock = threading.Lock()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._slide = tiffslide.TiffSlide(path)
                properties = self._slide.properties
                sizes = self._slide.level_dimensions
                self._scales = self._slide.level_downsamples
        except Exception as error:  # tiffslide passes on any error
            raise BrokenSlideError(path, str(error) or type(error).__name__) from error
        self.levels = tuple(map(Level, sizes, map(float, self._scales)))
        self.declared_mpp_xy = mpp_pair(
            properties.get("tiffslide.mpp-x"), properties.get("tiffslide.mpp-y")
        )
        self.declared_mpp = self.declared_mpp_xy and self.declared_mpp_xy[0]
        self.properties: Mapping[str, str] = {}
        self.background = _WHITE
        self.bounds = Box(0, 0, *self.levels[0].size)
        self.icc_profile: bytes | None = None
        self.associated_names: tuple[str, ...] = ()

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return the pixels of a box that lies completely in the level."""
        scale = self._scales[level]
        origin = _to_level_0(x, scale), _to_level_0(y, scale)
        with self._lock:
            pixels = self._slide.read_region(
                origin, level, (width, height), as_array=True
            )
        pixels = np.atleast_3d(pixels)
        return np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels[..., :3]

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise: associated images are not compared."""
        raise KeyError(name)

    def close(self) -> None:
        """Close the file."""
        self._slide.close()


def _to_level_0(position: int, scale: float) -> int:
    """Return the level-0 pixel that tiffslide rounds down to a pixel of a level."""
    near = int(position * scale)
    return next((n for n in (near, near + 1) if int(n / scale) == position), near)
