"""Reader through fastslide: Philips iSyntax, Olympus VSI, and CZI of other kinds."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any, Final

import fastslide
import numpy as np

from workbench.errors import BrokenSlideError, SlideReadError, UnsupportedSlideError
from workbench.geometry import Box
from workbench.slide.readers.base import (
    BoxReader,
    ImageInfo,
    Level,
    find_image,
    mpp_pair,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CACHE_BYTES: Final = 1 << 26
_WHITE: Final = (255, 255, 255)
_RGB: Final = 3
_BESIDE: Final = ("label", "macro", "navigator", "overview", "thumbnail")


class FastSlideReader(BoxReader):
    """Reads 8-bit RGB through fastslide, whose handles are thread-safe.

    Parameters
    ----------
    path : str
    image : int or str, optional
        Number or name of an image; by default the largest.

    Raises
    ------
    BrokenSlideError
        If fastslide cannot open the file.
    UnsupportedSlideError
        If its pixels are not 8-bit RGB.
    """

    band_px = 1 << 22

    def __init__(self, path: str, image: int | str | None = None) -> None:
        self.path = path
        self.name = f"fastslide {importlib.metadata.version('fastslide')}"
        try:
            slide = fastslide.FastSlide.from_file_path(path, cache=_CACHE_BYTES)
        except Exception as error:  # fastslide passes on errors of its C++ code
            raise BrokenSlideError(path, str(error) or type(error).__name__) from error
        self._slide = slide
        try:
            self._describe(image)
        except BaseException:
            slide.close()
            raise

    def _describe(self, image: int | str | None) -> None:
        slide = self._slide
        views = [slide.images[n] for n in range(len(slide.images))]
        if len(views) > 1:
            self.images = [
                ImageInfo(
                    view.name or f"image {n}",
                    (int(view.dimensions[0]), int(view.dimensions[1])),
                    is_associated=any(w in view.name.lower() for w in _BESIDE),
                )
                for n, view in enumerate(views)
            ]
        self.default_image = int(slide.images.primary_index) if self.images else 0
        self.image = find_image(self.path, self.images, image, self.default_image)
        shown: Any = views[self.image]
        self._shown: Any = shown
        if str(slide.dtype) != "uint8" or int(shown.num_channels) != _RGB:
            reason = f"{shown.num_channels} channels of {slide.dtype}, not 8-bit RGB"
            raise UnsupportedSlideError(self.path, reason)
        self.levels = tuple(
            Level((int(width), int(height)), float(downsample))
            for (width, height), downsample in zip(
                shown.level_dimensions, shown.level_downsamples, strict=True
            )
        )
        self.declared_mpp_xy = mpp_pair(*(um if um > 0 else None for um in shown.mpp))
        self.declared_mpp = self.declared_mpp_xy and self.declared_mpp_xy[0]
        self.properties = {str(k): str(v) for k, v in dict(slide.properties).items()}
        self.background = _WHITE
        self.bounds = self._bounds()
        self.icc_profile: bytes | None = slide.icc_profile
        self.associated_names = tuple(slide.associated_images.keys())

    def _bounds(self) -> Box:
        whole = Box(0, 0, *self.levels[0].size)
        if self.image != self.default_image:
            return whole
        (x, y), (width, height) = self._slide.bounds
        inside = Box.at(int(x), int(y), max(0, int(width)), max(0, int(height)))
        inside = inside.intersection(whole)
        return inside if inside.area else whole

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return the pixels of a box that lies completely in the level."""
        found = self._shown.read_region((x, y), level, (width, height))
        return _pixels(found)

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image; see `Reader.associated`."""
        try:
            return _pixels(self._slide.associated_images[name])
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise SlideReadError(self.path, f"its image '{name}'", reason) from error

    def close(self) -> None:
        """Close the file."""
        self._slide.close()
        self._shown = None


def _pixels(image: Any) -> NDArray[np.uint8]:
    """Return an image of fastslide as RGB, uint8 (H, W, 3)."""
    pixels = np.atleast_3d(np.asarray(image.to_interleaved().numpy()))
    if pixels.dtype != np.uint8:
        reason = f"{pixels.dtype}, not 8-bit values"
        raise ValueError(reason)
    return np.repeat(pixels, _RGB, 2) if pixels.shape[2] == 1 else pixels[..., :_RGB]
