"""Header of a JPEG up to its first scan: frame type, size and colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_NO_FRAMES: Final = frozenset({0xC4, 0xC8, 0xCC})
_SCAN, _END, _APP0, _APP14 = 0xDA, 0xD9, 0xE0, 0xEE
_DRAWN_BY_BROWSERS: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive with Huffman codes."""

_RGB_IDS: Final = (82, 71, 66)
_RGB, _YCBCR = 0, 1


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """The markers of a JPEG up to its frame header."""

    frame: int
    """Marker of the frame: 0xC0 baseline, 0xC2 progressive, and so on."""

    bits: int
    components: tuple[int, ...]
    """Identifier of each component."""

    is_jfif: bool
    adobe: int | None
    """Colour transform in Adobe's marker: 0 none, 1 YCbCr, 2 YCCK."""

    @property
    def is_drawn_by_browsers(self) -> bool:
        """Whether all browsers draw it, in the same colours as the reader."""
        supported = self.frame in _DRAWN_BY_BROWSERS and self.bits == 8  # noqa: PLR2004
        return supported and len(self.components) in {1, 3}

    @property
    def colours(self) -> Literal["rgb", "ycbcr"] | None:
        """Colour space of three components; None if it is not declared."""
        if len(self.components) != 3:  # noqa: PLR2004
            return None
        if self.is_jfif:
            return "ycbcr"
        if self.adobe in {_RGB, _YCBCR}:
            return "rgb" if self.adobe == _RGB else "ycbcr"
        return "rgb" if self.components == _RGB_IDS else None


def read_jpeg_header(data: bytes) -> JpegHeader | None:
    """Parse the header of a JPEG; None if it has no frame header.

    Parameters
    ----------
    data : bytes
        Start of the file; at least up to the frame header.
    """
    at, is_jfif, adobe = 2, False, None
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker in {_SCAN, _END}:  # noqa: PLR2004
            return None
        if marker == 0xFF or marker in _WITHOUT_LENGTH:  # noqa: PLR2004 - padding
            at += 1 if marker == 0xFF else 2  # noqa: PLR2004
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        part = data[at + 4 : at + 2 + length]
        if marker == _APP0 and part[:4] == b"JFIF":
            is_jfif = True
        elif marker == _APP14 and part[:5] == b"Adobe" and len(part) > 11:  # noqa: PLR2004
            adobe = part[11]
        elif 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:  # noqa: PLR2004
            if len(part) < 6 or len(part) < 6 + 3 * part[5]:  # noqa: PLR2004
                return None
            components = tuple(part[6 : 6 + 3 * part[5] : 3])
            return JpegHeader(marker, part[0], components, is_jfif, adobe)
        at += 2 + length
    return None
