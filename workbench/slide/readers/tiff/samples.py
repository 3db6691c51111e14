"""Meaning of the samples of a TIFF page, from its tags and its encoded tiles.

Follows TIFF 6.0. Where a tag and an encoded tile disagree, the tile is used, because it
was written together with the pixels. Pages whose colours stay uncertain are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.slide.readers.jpeg_header import read_jpeg_header
from workbench.slide.readers.samples import (
    FULL_RANGE,
    REC_601,
    Meaning,
    Samples,
    alpha_of,
    unsupported_samples,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_PHOTOMETRIC, _ORIENTATION, _INK_SET, _YCBCR, _REFERENCE = 262, 274, 332, 529, 532

_MEANINGS: Final[dict[int, Meaning]] = {
    0: "white is zero",
    1: "grey",
    2: "rgb",
    3: "palette",
    5: "cmyk",
    6: "ycbcr",
}
_OTHERS: Final = {
    4: "a transparency mask",
    8: "CIELAB",
    9: "ICCLAB",
    10: "ITULAB",
    32803: "a colour filter array",
    32844: "LogL",
    32845: "LogLuv",
    34892: "linear raw",
}
_PLAIN: Final = {1, 5, 8, 32773, 32946, 34925, 50000}
"""Compressions without colour information."""

_OLD_JPEG, _JPEG = 6, 7
_JPEGS: Final = {_JPEG, 33007}
JPEG_2000: Final = {34712, 33003, 33004, 33005}
_APERIO_YCBCR, _APERIO_RGB = 33003, 33005
_COLOUR_TRANSFORM: Final = 0x52


def samples_of_page(page: Any, path: str) -> Samples:
    """Return the meaning of the samples of a page.

    Parameters
    ----------
    page : tifffile.TiffPage
        Fully parsed.
    path : str
        Path of the slide, for error messages.

    Raises
    ------
    UnsupportedSlideError
        If they are not 8-bit colours, or their meaning is not certain.
    """
    meaning, extra = _read_meaning(page, path), _extra_samples(page)
    _check_bits(page, meaning, path)
    _check_orientation(page, path)
    if meaning == "cmyk":
        _check_inks(page, path)
    coded = _decoded_meaning(page, meaning, path)
    if coded == "ycbcr":
        return Samples(
            "ycbcr",
            alpha_of(path, extra),
            coefficients=_ratios(page, _YCBCR, REC_601),
            reference=_ratios(page, _REFERENCE, FULL_RANGE),
        )
    palette = _palette(page, path) if coded == "palette" else None
    bits = int(page.bitspersample)
    return Samples(coded, alpha_of(path, extra), bits, palette)


def samples_of_pages(pages: Sequence[Any], path: str) -> Samples:
    """Return the combined samples of one page, or of three for red, green and blue.

    Raises
    ------
    UnsupportedSlideError
        As `samples_of_page`; or if one of several is not a plain grey image.
    """
    each = [samples_of_page(page, path) for page in pages]
    if len(each) == 1:
        return each[0]
    if any((one.meaning, one.bits, one.alpha) != ("grey", 8, None) for one in each):
        reason = "its channels are not 8-bit grey images"
        raise unsupported_samples(path, reason)
    return Samples("rgb")


def is_screen_jpeg(page: Any, samples: Samples, first: bytes) -> bool:
    """Return whether a browser draws the JPEG tiles of a page in the right colours.

    Parameters
    ----------
    page : tifffile.TiffPage
    samples : Samples
        Samples of the page.
    first : bytes
        Start of one of its tiles.
    """
    plain = samples.alpha is None and samples.meaning in {"grey", "rgb"}
    if int(page.compression) != _JPEG or not plain:
        return False
    header = read_jpeg_header(first)
    return (
        header is not None
        and header.is_drawn_by_browsers
        and len(header.components) == samples.count
    )


def _read_meaning(page: Any, path: str) -> Meaning:
    value = page.tags.valueof(_PHOTOMETRIC)
    if value is None:  # guessed as libtiff does
        colours = int(page.samplesperpixel) - len(page.extrasamples)
        guessed: dict[int, Meaning] = {1: "grey", 3: "rgb"}
        if colours in guessed and int(page.compression) in _PLAIN:
            return guessed[colours]
        reason = "it does not declare its samples (no PhotometricInterpretation)"
        raise unsupported_samples(path, reason)
    if int(value) not in _MEANINGS:
        kind = _OTHERS.get(int(value), f"PhotometricInterpretation {int(value)}")
        reason = f"its pixels are {kind}, not RGB, grey, palette, CMYK or YCbCr"
        raise unsupported_samples(path, reason)
    return _MEANINGS[int(value)]


def _extra_samples(page: Any) -> tuple[int, ...]:
    """Return the kinds of the samples beyond the colours; 0 if not declared."""
    value = page.tags.valueof(_PHOTOMETRIC)
    colours = {2: 3, 6: 3, 5: 4}.get(int(value or 1), 1)
    if value is None:
        colours = int(page.samplesperpixel) - len(page.extrasamples)
    beyond = int(page.samplesperpixel) - colours
    kinds = tuple(int(each) for each in page.extrasamples)
    return (*kinds, *(0,) * beyond)[: max(0, beyond)]


def _check_bits(page: Any, meaning: Meaning, path: str) -> None:
    samples, bits = int(page.samplesperpixel), page.bitspersample
    needed = {"rgb": 3, "ycbcr": 3, "cmyk": 4}.get(meaning, 1)
    is_small = needed == samples == 1 and bits in {1, 2, 4}
    if page.dtype not in {np.dtype(np.uint8), np.dtype(np.bool_)} or not (
        is_small or bits == 8  # noqa: PLR2004
    ):
        reason = f"its pixels are {samples} x {page.dtype}, not 8-bit grey or RGB"
        raise unsupported_samples(path, reason)
    if samples < needed:
        reason = f"its pixels have {samples} samples, {meaning} needs {needed}"
        raise unsupported_samples(path, reason)


def _check_orientation(page: Any, path: str) -> None:
    turned = page.tags.valueof(_ORIENTATION)
    if turned in range(2, 9):
        reason = f"its Orientation tag ({int(turned)}) requires a rotation or flip"
        remedy = "Rotate the pixels themselves, for example with vips autorot."
        raise unsupported_samples(path, reason, remedy)


def _check_inks(page: Any, path: str) -> None:
    if page.tags.valueof(_INK_SET) not in {None, 1}:
        raise unsupported_samples(path, "its inks are not CMYK (InkSet)")
    if int(page.compression) not in _PLAIN:
        reason = "it is CMYK in JPEG or similar, which may be inverted"
        raise unsupported_samples(path, reason)


def _decoded_meaning(page: Any, meaning: Meaning, path: str) -> Meaning:
    """Return the meaning of samples after decoding: codecs may transform colours."""
    compression = int(page.compression)
    if compression == _OLD_JPEG:
        raise unsupported_samples(path, "it uses old-style JPEG (compression 6)")
    if compression in _JPEGS and meaning in {"rgb", "ycbcr"}:
        if len(_extra_samples(page)) or int(page.planarconfig) != 1:
            reason = "it is JPEG with extra channels, or with separate colour planes"
            raise unsupported_samples(path, reason)
        return "rgb"
    if compression in JPEG_2000:
        return _decoded_jpeg_2000(page, meaning, path)
    if meaning != "ycbcr":
        return meaning
    if compression not in _PLAIN:
        reason = "it is declared as YCbCr in a compression with its own colour space"
        raise unsupported_samples(path, reason)
    if page.subsampling != (1, 1):
        raise unsupported_samples(
            path, "it is YCbCr with subsampled chroma, without JPEG"
        )
    return meaning


def _decoded_jpeg_2000(page: Any, meaning: Meaning, path: str) -> Meaning:
    compression = int(page.compression)
    if compression == _APERIO_YCBCR:
        return "ycbcr"
    if compression == _APERIO_RGB or meaning != "ycbcr":
        return "rgb" if compression == _APERIO_RGB else meaning
    first = first_bytes(page)
    if b"\xff\x52" not in first or first[:2] != b"\xff\x4f" or _is_transformed(first):
        reason = "it is declared as YCbCr in JPEG 2000, which may be transformed again"
        raise unsupported_samples(path, reason)
    return "ycbcr"


def _is_transformed(codestream: bytes) -> bool:
    """Return whether a JPEG 2000 codestream has its own colour transform."""
    at = 2
    while at + 9 < len(codestream) and codestream[at] == 0xFF:  # noqa: PLR2004
        if codestream[at + 1] == _COLOUR_TRANSFORM:  # COD: Scod, order, layers, MCT
            return codestream[at + 8] != 0
        at += 2 + int.from_bytes(codestream[at + 2 : at + 4], "big")
    return True


def is_subsampled_jpeg_2000(data: bytes) -> bool:
    """Return whether a JPEG 2000 image has subsampled components.

    Parameters
    ----------
    data : bytes
        Start of the file, up to the sizes of its components.
    """
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0:
        return False
    count = int.from_bytes(data[at + 40 : at + 42], "big")
    steps = data[at + 42 : at + 42 + 3 * count]
    return any(step != 1 for step in steps[1::3] + steps[2::3])


def first_bytes(page: Any, count: int = 1 << 16) -> bytes:
    """Return the start of the first stored tile or strip; empty if none is stored."""
    file = page.parent.filehandle
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=False):
        if length:
            with file.lock:
                file.seek(offset)
                return bytes(file.read(min(int(length), count)))
    return b""


def _palette(page: Any, path: str) -> NDArray[np.uint8]:
    """Return the colours of a palette, stored in 16 bits: uint8 (2^bits, 3)."""
    table = page.colormap
    if table is None or table.shape != (3, 1 << int(page.bitspersample)):
        raise unsupported_samples(path, "it is a palette image without its palette")
    if table.max() > 255:  # noqa: PLR2004 - some writers use 8 bits
        table = table >> 8
    colours: NDArray[np.uint8] = np.ascontiguousarray(table.T).astype(np.uint8)
    return colours


def _ratios(page: Any, tag: int, default: tuple[float, ...]) -> tuple[float, ...]:
    """Return the fractions of a tag; the default if it is missing or invalid."""
    value = page.tags.valueof(tag)
    if not isinstance(value, tuple) or len(value) != 2 * len(default):
        return default
    if not all(value[1::2]):
        return default
    pairs = zip(value[::2], value[1::2], strict=True)
    return tuple(round(over / under, 6) for over, under in pairs)
