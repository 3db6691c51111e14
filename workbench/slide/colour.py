"""Colour profiles: from the scanner's colours to sRGB, when asked for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageCms

from workbench.errors import BrokenSlideError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ColourTransform:
    """Turns pixels of one profile into sRGB (relative to the eye, perceptual)."""

    def __init__(self, profile: bytes) -> None:
        self._transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
        )

    def to_srgb(self, pictures: NDArray[np.uint8]) -> None:
        """Change uint8 (N, H, W, 3) in place."""
        for picture in pictures:
            image = Image.fromarray(picture)
            picture[:] = ImageCms.applyTransform(image, self._transform)


def to_srgb(profile: bytes | None, path: str) -> ColourTransform | None:
    """Return the transform of a file's profile, None where it has none.

    Raises
    ------
    BrokenSlideError
        If the profile cannot be read.
    """
    if profile is None:
        return None
    try:
        return ColourTransform(profile)
    except (ImageCms.PyCMSError, OSError) as error:
        raise BrokenSlideError(path, f"its colour profile: {error}") from error
