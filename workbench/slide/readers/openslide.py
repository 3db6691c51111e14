"""Reader through OpenSlide: MIRAX, Hamamatsu, Leica, DICOM and more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import numpy as np
import openslide

from workbench.errors import OutOfBoundsError, SlideReadError
from workbench.geometry import Box
from workbench.slide.readers.base import BoxReader, Level, mpp_pair
from workbench.slide.readers.samples import Samples, blend

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image


_WHITE: Final = (255, 255, 255)


class OpenSlideReader(BoxReader):
    """Reads through openslide-python, whose handles are thread-safe.

    Raises
    ------
    openslide.OpenSlideError
        If OpenSlide cannot open the file.
    """

    band_px = 1 << 22

    def __init__(self, path: str) -> None:
        self.path = path
        self._slide = slide = openslide.OpenSlide(path)
        self.name = f"OpenSlide {openslide.__library_version__}"
        self.properties = dict(slide.properties)
        self.declared_mpp_xy = mpp_pair(
            self.properties.get(openslide.PROPERTY_NAME_MPP_X),
            self.properties.get(openslide.PROPERTY_NAME_MPP_Y),
        )
        self.declared_mpp = self.declared_mpp_xy and self.declared_mpp_xy[0]
        self.background = background_of(
            self.properties.get(openslide.PROPERTY_NAME_BACKGROUND_COLOR)
        )
        self.levels = tuple(
            Level(size, float(downsample))
            for size, downsample in zip(
                slide.level_dimensions, slide.level_downsamples, strict=True
            )
        )
        self.bounds = self._bounds()
        self.icc_profile = _profile(slide)
        self.associated_names = tuple(slide.associated_images)
        self._samples: Samples | None = None

    def _bounds(self) -> Box:
        sides = [
            self.properties.get(name)
            for name in (
                openslide.PROPERTY_NAME_BOUNDS_X,
                openslide.PROPERTY_NAME_BOUNDS_Y,
                openslide.PROPERTY_NAME_BOUNDS_WIDTH,
                openslide.PROPERTY_NAME_BOUNDS_HEIGHT,
            )
        ]
        whole = Box(0, 0, *self.levels[0].size)
        try:
            x, y, width, height = (int(side or "") for side in sides)
            return whole.intersection(Box.at(x, y, width, height))
        except (ValueError, OutOfBoundsError):
            return whole

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return the pixels of a box that lies completely in the level."""
        scale = self.levels[level].downsample
        origin = round(x * scale), round(y * scale)
        region = self._slide.read_region(origin, level, (width, height))
        return self._flatten(region, self._samples)

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image; see `Reader.associated`."""
        try:
            return self._flatten(self._slide.associated_images[name], None)
        except (openslide.OpenSlideError, ValueError, MemoryError) as error:
            raise SlideReadError(
                self.path, f"its image '{name}'", str(error)
            ) from error

    def with_samples(self, samples: Samples) -> Self:
        """Set the true samples of the levels, where the file declares RGB wrongly."""
        self._samples = samples
        return self

    def _flatten(
        self, image: Image.Image, samples: Samples | None
    ) -> NDArray[np.uint8]:
        rgba = np.asarray(image.convert("RGBA"))
        rgb = (
            rgba[..., :3] if samples is None else samples.to_rgb(rgba[..., :3], _WHITE)
        )
        return blend(rgb, rgba[..., 3], self.background, "straight")

    def close(self) -> None:
        """Close the file."""
        self._slide.close()


def background_of(text: str | None) -> tuple[int, int, int]:
    """Parse the background colour, six hex digits; white if it is invalid."""
    try:
        red, green, blue = bytes.fromhex((text or "").strip().lstrip("#")[:6])
    except ValueError:
        return _WHITE
    return red, green, blue


def _profile(slide: openslide.OpenSlide) -> bytes | None:
    """Return the stored colour profile; the public property would parse it."""
    stored = getattr(slide, "_profile", None)
    return stored if isinstance(stored, bytes) else None
