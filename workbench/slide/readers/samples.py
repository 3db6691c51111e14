"""Meaning of the samples of a stored pixel, and their conversion to RGB.

Colours are decided only here, from the metadata of a file (PhotometricInterpretation,
bits, extra samples, palette, YCbCr coefficients, colour transform of the codec,
Orientation). Files whose colours are not certain are refused, with the reason.
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
"""Pixels converted at once, which limits the additional memory."""

REC_601: Final = (0.299, 0.587, 0.114)
"""Default weights of red, green and blue in luma (ITU-R BT.601)."""

FULL_RANGE: Final = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)
"""Default codes of black and white of Y, Cb and Cr."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Meaning of the samples of a pixel."""

    meaning: Meaning
    alpha: Alpha | None = None
    """Kind of the alpha sample, which follows the colours; None: no alpha."""

    bits: int = 8
    """Bits of each sample: 8, or 1, 2 or 4 for a single sample."""

    palette: NDArray[np.uint8] | None = None
    """sRGB of each value of a palette image, uint8 (2^bits, 3)."""

    coefficients: tuple[float, ...] = REC_601
    """Weights of red, green and blue in the luma of YCbCr."""

    reference: tuple[float, ...] = FULL_RANGE
    """Codes of black and white of Y, Cb and Cr."""

    @property
    def are_rgb(self) -> bool:
        """Whether the samples are RGB already."""
        return self.meaning == "rgb" and self.alpha is None

    @property
    def count(self) -> int:
        """Number of samples per pixel."""
        return _PER_PIXEL[self.meaning] + (self.alpha is not None)

    def to_rgb(
        self, pixels: NDArray[Any], background: tuple[int, int, int]
    ) -> NDArray[np.uint8]:
        """Convert samples to sRGB.

        Parameters
        ----------
        pixels : uint8 or bool (H, W) or (H, W, count)
            Decoded samples.
        background : tuple of int
            sRGB behind transparent pixels.

        Returns
        -------
        uint8 (H, W, 3)
            The same array if it is RGB already.

        Raises
        ------
        ValueError
            If the number of samples differs from the metadata of the file.
        """
        if pixels.ndim == 2:  # noqa: PLR2004 - one sample
            pixels = pixels[..., None]
        if pixels.shape[2] != self.count:
            reason = f"{pixels.shape[2]} samples per pixel, not {self.count}"
            raise ValueError(reason)
        if self.are_rgb:
            return pixels
        height, width, _ = pixels.shape
        out = np.empty((height, width, 3), np.uint8)
        rows = max(1, _BAND // max(1, width))
        for top in range(0, height, rows):
            out[top : top + rows] = self._convert(pixels[top : top + rows], background)
        return out

    def _convert(
        self, pixels: NDArray[Any], background: tuple[int, int, int]
    ) -> NDArray[np.uint8]:
        colours = _take_samples(pixels, _PER_PIXEL[self.meaning])
        rgb = _CONVERSIONS[self.meaning](self, colours)
        if self.alpha is None:
            return rgb
        return blend(rgb, pixels[..., -1], background, self.alpha)


def _take_samples(pixels: NDArray[Any], count: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels[..., :count], np.uint8)


def blend(
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    background: tuple[int, int, int],
    kind: Alpha,
) -> NDArray[np.uint8]:
    """Blend colours with a background by their alpha.

    Parameters
    ----------
    rgb : uint8 (H, W, 3)
    alpha : uint8 (H, W)
        0 is transparent, 255 opaque.
    background : tuple of int
    kind : "straight" or "premultiplied"
        Whether the colours are straight or already multiplied by alpha.
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
    return _convert_with_pillow("CMYK", pixels)


def _from_ycbcr(samples: Samples, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if (samples.coefficients, samples.reference) == (REC_601, FULL_RANGE):
        return _convert_with_pillow("YCbCr", pixels)
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


def _convert_with_pillow(mode: str, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
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


def unsupported_samples(
    path: object, reason: str, remedy: str = ""
) -> UnsupportedSlideError:
    """Return the error for unsupported samples, with what to convert them to."""
    return UnsupportedSlideError(
        path,
        reason,
        remedy
        or "If it is a label image, open the slide that it belongs to; else convert"
        " it to 8-bit RGB (for example with vips colourspace or vips cast).",
    )


def alpha_of(path: object, extra: Sequence[int]) -> Alpha | None:
    """Return the kind of alpha from the values of ExtraSamples; None: no alpha.

    Raises
    ------
    UnsupportedSlideError
        If there are several extra samples, or it is not declared as alpha.
    """
    if not extra:
        return None
    if len(extra) > 1 or int(extra[0]) not in _ALPHAS:
        reason = (
            f"its pixels have {len(extra)} more channel(s) than their colours need,"
            " which the file does not declare as alpha"
        )
        remedy = "Convert it to RGB without further channels, or mark the channel as"
        raise unsupported_samples(
            path, reason, remedy + " alpha (tiffset -s 338 1 2 FILE)."
        )
    return _ALPHAS[int(extra[0])]
