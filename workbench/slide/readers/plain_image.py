"""Reader of plain images (PNG, JPEG, BMP, GIF, WebP, JPEG 2000) through Pillow."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import PIL
from PIL import ExifTags, Image

from workbench.errors import BrokenSlideError, SlideError, UnsupportedSlideError
from workbench.slide.readers.array import ArrayReader
from workbench.slide.readers.samples import blend, unsupported_samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL import ImageFile

MAX_IMAGE_PIXELS: Final = 1 << 29
"""Maximum pixels of a plain image, which is read into memory (1.5 GB)."""

_FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "JPEG2000")
_PREFIX: Final = 16
_WHITE: Final = (255, 255, 255)
_BAND: Final = 1 << 22
"""Pixels converted at once, which limits the additional memory."""

_UNUSED: Final = 1 << 13
"""A 16-bit image whose maximum is below this was not scaled to 16 bits."""

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transposition that reverts each EXIF orientation."""

_SIDEWAYS: Final = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


class Decoded(NamedTuple):
    """A decoded plain image."""

    pixels: NDArray[np.uint8]
    """sRGB or the colours of the profile, (H, W, 3)."""

    profile: bytes | None
    """ICC profile."""

    frames: int
    """Number of images in the file."""


def open_image(path: str) -> ArrayReader:
    """Open a plain image with Pillow, as image viewers show it; see `decode_image`.

    Raises
    ------
    UnsupportedSlideError, BrokenSlideError
        As `decode_image`.
    """
    image = decode_image(path)
    return ArrayReader(
        image.pixels,
        path=path,
        name=f"Pillow {PIL.__version__}",
        icc_profile=image.profile,
        properties={"image.frames": str(image.frames)},
    )


def decode_image(path: str) -> Decoded:
    """Decode a plain image with Pillow, as image viewers show it.

    The EXIF orientation is applied; transparent pixels are white; of several images in
    one file (an animation, a camera's previews) the first is used. The dots per inch of
    a plain image are not its pixel size on the tissue, so the mpp is not known.

    Raises
    ------
    UnsupportedSlideError
        If it is larger than `MAX_IMAGE_PIXELS`, or the meaning of its pixels is not
        certain.
    BrokenSlideError
        If it cannot be decoded.
    """
    with _decoding_errors(path), Path(path).open("rb") as file:
        image = _open_header(file, path)
        _check_size(image, path)
        frames = _count_frames(image)
        image.load()
        profile = image.info.get("icc_profile")
        pixels = _to_rgb(_apply_orientation(image), path)
        return Decoded(pixels, profile if isinstance(profile, bytes) else None, frames)


def image_size(path: str) -> tuple[int, int]:
    """Return width and height of a plain image as it is shown, by its header.

    Raises
    ------
    UnsupportedSlideError, BrokenSlideError
        If it has no known format, or its header is damaged.
    """
    with _decoding_errors(path), Path(path).open("rb") as file:
        image = _open_header(file, path)
        turned = _orientation(image) in _SIDEWAYS
        return (image.height, image.width) if turned else image.size


@contextmanager
def _decoding_errors(path: str) -> Iterator[None]:
    """Convert errors of Pillow and its decoders."""
    try:
        yield
    except SlideError:
        raise
    except MemoryError as error:
        reason = "it needs more memory than is available"
        raise UnsupportedSlideError(path, reason) from error
    except Exception as error:  # Pillow passes on errors of its decoders
        raise BrokenSlideError(path, str(error) or type(error).__name__) from error


def _open_header(file: IO[bytes], path: str) -> ImageFile.ImageFile:
    """Open an image; only its header is read.

    `Image.open` has a lower size limit, which is global to the process; so the opener
    of the format is called directly.
    """
    prefix = file.read(_PREFIX)
    for name in _FORMATS:
        if name not in Image.OPEN:
            Image.init()
        opener, accepts = Image.OPEN.get(name, (None, None))
        if opener is not None and (accepts is None or accepts(prefix) is True):
            file.seek(0)
            return opener(file, path)
    reason = "its content has no known image format"
    raise UnsupportedSlideError(path, reason)


def _check_size(image: Image.Image, path: str) -> None:
    if image.width * image.height > MAX_IMAGE_PIXELS:
        reason = f"a plain image of {image.width} x {image.height} pixels is too large"
        raise UnsupportedSlideError(path, reason)


def _count_frames(image: Image.Image) -> int:
    """Return the number of frames; 1 if they cannot be counted."""
    with suppress(Exception):
        return int(getattr(image, "n_frames", 1))
    return 1


def _apply_orientation(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; damaged EXIF is ignored."""
    orientation = _orientation(image)
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> Any:
    with suppress(Exception):
        return image.getexif().get(ExifTags.Base.Orientation)
    return None


def _to_rgb(image: Image.Image, path: str) -> NDArray[np.uint8]:
    """Return the colours on white, uint8 (H, W, 3), converted band by band."""
    if image.mode.startswith("I;16"):
        return _from_16_bit(image, path)
    if image.mode in {"I", "F", "LAB", "HSV"}:
        kinds = {"I": "32-bit integers", "F": "floating-point numbers"}
        reason = f"its pixels are {kinds.get(image.mode, image.mode)}, not 8-bit RGB"
        raise unsupported_samples(path, reason)
    out = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, _BAND // image.width)
    clear = image.has_transparency_data
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        band = image.crop((0, top, image.width, bottom))
        if clear:
            rgba = np.asarray(band.convert("RGBA"))
            out[top:bottom] = blend(rgba[..., :3], rgba[..., 3], _WHITE, "straight")
        else:
            plain = band if band.mode == "RGB" else band.convert("RGB")
            out[top:bottom] = np.asarray(plain)
    return out


def _from_16_bit(image: Image.Image, path: str) -> NDArray[np.uint8]:
    """Convert 16-bit grey, 0 (black) to 65,535 (white), to 8 bits."""
    values = np.asarray(image)
    brightest = int(values.max())
    if 0 < brightest < _UNUSED:
        reason = (
            f"it is 16-bit grey whose brightest pixel is {brightest:,} of 65,535, so"
            " it is not certain which value is white"
        )
        remedy = "Scale it to 8 bits with the correct white value."
        raise unsupported_samples(path, reason, remedy)
    out = np.empty((image.height, image.width, 3), np.uint8)
    clear = image.info.get("transparency")
    rows = max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        band = values[top : top + rows].astype(np.uint32)
        grey = ((band + 128) // 257).astype(np.uint8)
        if isinstance(clear, int):
            grey[band == clear] = 255
        out[top : top + rows] = grey[..., None]
    return out
