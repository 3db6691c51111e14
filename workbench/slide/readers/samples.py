"""What the samples of a stored pixel are, and how they become red, green and blue.

The one place that decides from what a file says (PhotometricInterpretation, bits,
extra samples, palette, YCbCr coefficients, colour transform of the codec, Orientation)
what its colours are. Whatever is not certain is refused, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from PIL import Image

from workbench.errors import UnsupportedSlideError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Meaning = Literal["grey", "white is zero", "rgb", "palette", "cmyk", "ycbcr"]
Alpha = Literal["straight", "premultiplied"]

_PER_PIXEL: Final[dict[Meaning, int]] = {
    "grey": 1,
    "white is zero": 1,
    "rgb": 3,
    "palette": 1,
    "cmyk": 4,
    "ycbcr": 3,
}
_ALPHAS: Final[dict[int, Alpha]] = {1: "premultiplied", 2: "straight"}
_BAND: Final = 1 << 22
"""Pixels that are converted at once, so that little memory is needed beside them."""

REC_601: Final = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in luma where a file gives none."""

FULL_RANGE: Final = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)
"""Black and white of Y, Cb and Cr where a file gives none."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What the samples of a pixel are."""

    meaning: Meaning
    alpha: Alpha | None = None
    """How the sample after the colours makes them transparent; None: there is none."""

    bits: int = 8
    """Of each sample: 8, or 1, 2 or 4 where there is one."""

    palette: NDArray[np.uint8] | None = None
    """sRGB of each value of a palette image, uint8 (2^bits, 3)."""

    coefficients: tuple[float, ...] = REC_601
    """Shares of red, green and blue in the luma of YCbCr."""

    reference: tuple[float, ...] = FULL_RANGE
    """Black and white of Y, Cb and Cr, as codes."""

    @property
    def are_rgb(self) -> bool:
        """Return whether there is nothing to convert."""
        return self.meaning == "rgb" and self.alpha is None

    @property
    def count(self) -> int:
        """Return how many there are for each pixel."""
        return _PER_PIXEL[self.meaning] + (self.alpha is not None)

    def to_rgb(
        self, pixels: NDArray[Any], background: tuple[int, int, int]
    ) -> NDArray[np.uint8]:
        """Return pixels as a screen shows them.

        Parameters
        ----------
        pixels : uint8 or bool (H, W) or (H, W, count)
            As they are decoded.
        background : tuple of int
            sRGB of what is seen through transparent pixels.

        Returns
        -------
        uint8 (H, W, 3)
            The same array where it is RGB already.

        Raises
        ------
        ValueError
            If there are more or fewer samples than the file says.
        """
        if pixels.ndim == 2:  # noqa: PLR2004 - one sample
            pixels = pixels[..., None]
        if pixels.shape[2] != self.count:
            reason = f"{pixels.shape[2]} samples for each pixel, not {self.count}"
            raise ValueError(reason)
        if self.are_rgb:
            return pixels
        height, width, _ = pixels.shape
        out = np.empty((height, width, 3), np.uint8)
        rows = max(1, _BAND // max(1, width))
        for top in range(0, height, rows):
            out[top : top + rows] = self._converted(
                pixels[top : top + rows], background
            )
        return out

    def _converted(
        self, pixels: NDArray[Any], background: tuple[int, int, int]
    ) -> NDArray[np.uint8]:
        colours = _per_pixel(pixels, _PER_PIXEL[self.meaning])
        rgb = _CONVERSIONS[self.meaning](self, colours)
        if self.alpha is None:
            return rgb
        return blended(rgb, pixels[..., -1], background, self.alpha)


def _per_pixel(pixels: NDArray[Any], count: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels[..., :count], np.uint8)


def blended(
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    background: tuple[int, int, int],
    kind: Alpha,
) -> NDArray[np.uint8]:
    """Return colours over a background, as far as they are not opaque.

    Parameters
    ----------
    rgb : uint8 (H, W, 3)
    alpha : uint8 (H, W)
        0 is transparent, 255 opaque.
    background : tuple of int
    kind : "straight" or "premultiplied"
        Whether the colours are those of the matter, or what it adds to the background.
    """
    if alpha.size and alpha.min() == 255:  # noqa: PLR2004
        return rgb
    opaque = alpha[..., None].astype(np.uint32)
    below = np.asarray(background, np.uint32) * (255 - opaque)
    above = rgb * (opaque if kind == "straight" else np.uint32(255))
    mixed: NDArray[np.uint8] = np.minimum((above + below + 127) // 255, 255).astype(
        np.uint8
    )
    return mixed


def _from_grey(samples: Samples, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scaled = pixels * np.uint8(255 // ((1 << samples.bits) - 1))
    return np.repeat(scaled, 3, axis=2)


def _from_white_is_zero(
    samples: Samples, pixels: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    return ~_from_grey(samples, pixels)


def _from_rgb(_: Samples, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels


def _from_palette(samples: Samples, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if samples.palette is None:
        reason = "a palette image without a palette"
        raise ValueError(reason)
    return samples.palette[pixels[..., 0]]


def _from_cmyk(_: Samples, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return _by_pillow("CMYK", pixels)


def _from_ycbcr(samples: Samples, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if (samples.coefficients, samples.reference) == (REC_601, FULL_RANGE):
        return _by_pillow("YCbCr", pixels)
    codes = pixels.astype(np.float32)
    black, white = np.reshape(samples.reference, (3, 2)).T.astype(np.float32)
    luma, blue, red = np.moveaxis((codes - black) / (white - black), 2, 0)
    of_red, of_green, of_blue = samples.coefficients
    luma *= 255
    r = luma + 127 * red * (2 - 2 * of_red)
    b = luma + 127 * blue * (2 - 2 * of_blue)
    g = (luma - of_blue * b - of_red * r) / of_green
    rgb: NDArray[np.float32] = np.rint(np.stack([r, g, b], 2))
    return rgb.clip(0, 255).astype(np.uint8)


def _by_pillow(mode: str, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width, _ = pixels.shape
    image = Image.frombuffer(mode, (width, height), pixels.tobytes(), "raw", mode, 0, 1)
    return np.asarray(image.convert("RGB"))


_CONVERSIONS: Final[
    dict[Meaning, Callable[[Samples, NDArray[np.uint8]], NDArray[np.uint8]]]
] = {
    "grey": _from_grey,
    "white is zero": _from_white_is_zero,
    "rgb": _from_rgb,
    "palette": _from_palette,
    "cmyk": _from_cmyk,
    "ycbcr": _from_ycbcr,
}


def refuse(path: object, reason: str, remedy: str = "") -> UnsupportedSlideError:
    """Return the error that says what samples are and what to convert them to."""
    return UnsupportedSlideError(
        path,
        reason,
        remedy
        or "If it is a label image, open the slide that it belongs to; else convert"
        " it to 8-bit RGB (for example with vips colourspace or vips cast).",
    )


def alpha_of(path: object, extra: Sequence[int]) -> Alpha | None:
    """Return what the samples beyond the colours are (the values of ExtraSamples).

    Raises
    ------
    UnsupportedSlideError
        If there are several, or it is not said to be alpha.
    """
    if not extra:
        return None
    if len(extra) > 1 or int(extra[0]) not in _ALPHAS:
        reason = (
            f"its pixels have {len(extra)} more channel(s) than their colours need,"
            " and the file does not say that it is alpha"
        )
        remedy = "Convert it to RGB without further channels, or mark the channel as"
        raise refuse(path, reason, remedy + " alpha (tiffset -s 338 1 2 FILE).")
    return _ALPHAS[int(extra[0])]
