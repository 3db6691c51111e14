"""Region: pixels of a slide together with the box that they cover."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.geometry import Box

_CHANNELS = 3
_UINT8 = np.dtype(np.uint8)


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Region:
    """Pixels of a slide, with the box they cover.

    Raises
    ------
    OutOfBoundsError
        If the pixels are not uint8 of shape (H, W, 3).

    Examples
    --------
    >>> slide = wb.open_slide("slide.tif")
    >>> region = slide.read((0, 0, 256, 256), mpp=1)
    >>> region
    Region(128 x 128 px, mpp 1, Box(x0=0, y0=0, x1=256, y1=256))
    >>> region.image().size
    (128, 128)
    """

    pixels: NDArray[np.uint8]
    """uint8, shape (H, W, 3), sRGB, read-only; outside the slide: background."""

    box: Box
    """Box that the pixels cover, in level-0 pixels."""

    mpp: float | None
    """Micrometres per pixel *of these pixels*; None if the slide's is not known."""

    slide_id: str = ""
    """`Slide.id` of the source; empty for pixels that are not from a slide."""

    def __post_init__(self) -> None:
        """Validate shape and dtype, and make the pixels read-only."""
        pixels = self.pixels
        if pixels.dtype != _UINT8 or pixels.shape[2:] != (_CHANNELS,):
            message = (
                f"A region holds uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}."
            )
            raise OutOfBoundsError(message, "Convert the pixels first.")
        pixels.setflags(write=False)

    def __repr__(self) -> str:
        """Say in one line how large it is and what it covers."""
        width, height = self.size
        mpp = "unknown" if self.mpp is None else f"{self.mpp:.4g}"
        return f"Region({width} x {height} px, mpp {mpp}, {self.box})"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def downsample(self) -> float:
        """Level-0 pixels per pixel, along x."""
        return self.box.width / max(1, self.size[0])

    def image(self) -> Image.Image:
        """Return the pixels as a Pillow image."""
        return Image.fromarray(self.pixels)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.image().save(buffer, "PNG")
        return buffer.getvalue()
