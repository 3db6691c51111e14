"""Colour profiles: from the scanner's colours to sRGB, when asked for."""

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
"""What is larger is no profile: those of scanners have some hundred kB."""

_BAND: Final = 1 << 22
"""Pixels that are converted at once."""

_HEADER_BYTES: Final = 128
_SIGNATURE: Final = slice(36, 40)
_COLOUR_SPACE: Final = slice(16, 20)


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
            rows = max(1, _BAND // picture.shape[1])
            for top in range(0, len(picture), rows):
                band = picture[top : top + rows]
                image = Image.fromarray(band)
                band[:] = np.asarray(ImageCms.applyTransform(image, self._transform))


def to_srgb(profile: bytes | None, path: str) -> ColourTransform | None:
    """Return the transform of a file's profile, None (and a warning) where it has none.

    This is the only place where a profile is looked at: whoever does not ask for it
    reads the pixels, whatever state it is in.

    Raises
    ------
    ColourProfileError
        If the profile cannot be read, or is one for other colours than RGB.
    """
    if profile is None:
        warnings.warn(
            "The slide has no colour profile: its colours are taken for sRGB.",
            stacklevel=4,
        )
        return None
    if len(profile) < _HEADER_BYTES or profile[_SIGNATURE] != b"acsp":
        raise ColourProfileError(path, "it is damaged, or no ICC profile")
    if len(profile) > MAX_PROFILE_BYTES:
        raise ColourProfileError(path, f"it has {len(profile):,} bytes")
    space = profile[_COLOUR_SPACE].decode("ascii", "replace").strip()
    if space != "RGB":
        raise ColourProfileError(path, f"it is for {space} colours, not for RGB")
    try:
        return ColourTransform(profile)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        raise ColourProfileError(path, str(error)) from error
