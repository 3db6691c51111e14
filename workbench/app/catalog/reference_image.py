"""Validates and saves images that users upload as references."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageOps, UnidentifiedImageError

from workbench.errors import StainError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 20_000_000
"""Largest size of an uploaded image."""

_MAX_PIXELS: Final = 50_000_000
_KEPT_PX: Final = 2048
_FORMATS: Final = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
_UNREADABLE: Final = (
    UnidentifiedImageError,
    OSError,
    Image.DecompressionBombError,
    # Raised by Pillow's decoders for chunks with false headers:
    SyntaxError,
    ValueError,
    EOFError,
    MemoryError,
)


def save_reference_image(content: bytes, folder: Path) -> Path:
    """Validate an uploaded image and save it as a PNG named by its content.

    Parameters
    ----------
    content : bytes
        Content of a PNG, JPEG, TIFF, WebP or BMP file.
    folder : Path
        Target folder; created if missing.

    Returns
    -------
    Path
        RGB image of at most 2048 pixels a side, enough to measure its colours.

    Raises
    ------
    StainError
        If it is not such an image, or larger than 20 MB or 50 megapixels.
    """
    if len(content) > MAX_BYTES:
        message = f"The image has {len(content) / 1e6:.0f} MB."
        raise StainError(message, f"Give one below {MAX_BYTES / 1e6:.0f} MB.")
    path = folder / f"{hashlib.sha256(content).hexdigest()[:16]}.png"
    if path.exists():
        return path
    image = _decoded(content)
    image.thumbnail((_KEPT_PX, _KEPT_PX))
    folder.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def _decoded(content: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > _MAX_PIXELS:
                message = f"The image has {image.width} x {image.height} pixels."
                raise StainError(message, "Give one below 50 megapixels.")
            if image.mode[0] in "IF":  # conversion would clip its values
                message = "The image has more than 8 bits per sample."
                raise StainError(message, "Convert it to 8-bit RGB.")
            upright = ImageOps.exif_transpose(image)
            return upright.convert("RGB")
    except _UNREADABLE as error:
        message = "The file is not a readable image."
        raise StainError(message, "Give a PNG, JPEG or TIFF image.") from error
