"""ICC colour profiles: optional conversion of scanner colours to sRGB."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageCms

from workbench.errors import ColourProfileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PROFILE_BYTES: Final = 1 << 26
"""Maximum size of a profile in bytes; those of scanners have some hundred kB."""

_BAND: Final = 1 << 22
"""Pixels per call of the colour transform."""

_HEADER_BYTES: Final = 128
_SIGNATURE: Final = slice(36, 40)
_COLOUR_SPACE: Final = slice(16, 20)


class ColourTransform:
    """Converts pixels of one profile to sRGB (perceptual intent)."""

    def __init__(self, profile: bytes) -> None:
        self._transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
        )

    def to_srgb(self, images: NDArray[np.uint8]) -> None:
        """Convert uint8 (N, H, W, 3) in place."""
        for pixels in images:
            rows = max(1, _BAND // pixels.shape[1])
            for top in range(0, len(pixels), rows):
                band = pixels[top : top + rows]
                image = Image.fromarray(band)
                band[:] = np.asarray(ImageCms.applyTransform(image, self._transform))


def to_srgb(profile: bytes | None, path: str) -> ColourTransform | None:
    """Return the transform of a file's profile; None, with a warning, if it has none.

    Profiles are parsed only here, so a damaged profile does not prevent reading pixels
    without conversion.

    Raises
    ------
    ColourProfileError
        If the profile cannot be read, or is not for RGB.
    """
    if profile is None:
        warnings.warn(
            "The slide has no colour profile: its colours are assumed to be sRGB.",
            stacklevel=4,
        )
        return None
    if len(profile) < _HEADER_BYTES or profile[_SIGNATURE] != b"acsp":
        raise ColourProfileError(path, "it is damaged, or not an ICC profile")
    if len(profile) > MAX_PROFILE_BYTES:
        raise ColourProfileError(path, f"it has {len(profile):,} bytes")
    space = profile[_COLOUR_SPACE].decode("ascii", "replace").strip()
    if space != "RGB":
        raise ColourProfileError(path, f"it is for {space} colours, not for RGB")
    try:
        return ColourTransform(profile)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        raise ColourProfileError(path, str(error)) from error
