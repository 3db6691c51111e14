"""What OpenSlide opens: MIRAX, Hamamatsu, Leica, DICOM and more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import numpy as np
import openslide

from workbench.errors import OutOfBoundsError, SlideReadError
from workbench.geometry import Box
from workbench.slide.readers.base import BoxReader, Level, mpp_pair
from workbench.slide.readers.samples import Samples, blended

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image


_WHITE: Final = (255, 255, 255)


class OpenSlideReader(BoxReader):
    """Reads through openslide-python; its handles are safe to share by threads.

    Raises
    ------
    openslide.OpenSlideError
        If OpenSlide does not open the file.
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
        """Return pixels of a box that lies wholly in the level."""
        scale = self.levels[level].downsample
        place = round(x * scale), round(y * scale)
        region = self._slide.read_region(place, level, (width, height))
        return self._flat(region, self._samples)

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image; see `Reader.associated`."""
        try:
            return self._flat(self._slide.associated_images[name], None)
        except (openslide.OpenSlideError, ValueError, MemoryError) as error:
            raise SlideReadError(
                self.path, f"its image '{name}'", str(error)
            ) from error

    def showing(self, samples: Samples) -> Self:
        """Take the levels for what they are, where their file calls that RGB."""
        self._samples = samples
        return self

    def _flat(self, image: Image.Image, samples: Samples | None) -> NDArray[np.uint8]:
        rgba = np.asarray(image.convert("RGBA"))
        rgb = (
            rgba[..., :3] if samples is None else samples.to_rgb(rgba[..., :3], _WHITE)
        )
        return blended(rgb, rgba[..., 3], self.background, "straight")

    def close(self) -> None:
        """Give back the file."""
        self._slide.close()


def background_of(text: str | None) -> tuple[int, int, int]:
    """Return the colour that a property names as six hex digits, else white."""
    try:
        red, green, blue = bytes.fromhex((text or "").strip().lstrip("#")[:6])
    except ValueError:
        return _WHITE
    return red, green, blue


def _profile(slide: openslide.OpenSlide) -> bytes | None:
    """Return the colour profile as it is stored: its property would parse it."""
    stored = getattr(slide, "_profile", None)
    return stored if isinstance(stored, bytes) else None
