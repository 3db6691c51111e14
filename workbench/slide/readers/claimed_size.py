"""How large a picture an encoded tile claims to be, before anybody decodes it."""

from __future__ import annotations

import struct
from typing import Final

_JPEGS: Final = frozenset({7, 33007})
_JPEG_2000: Final = frozenset({33003, 33004, 33005, 34712})
_WEBP: Final = 50001
_COMPONENTS: Final = 8
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_NO_FRAMES: Final = frozenset({0xC4, 0xC8, 0xCC})


def check_claimed_size(data: bytes, compression: int, width: int, height: int) -> None:
    """Refuse an encoded tile that is larger than the file says of its tiles.

    Decoders allocate what the tile itself claims, so a few bytes could ask for all the
    memory there is.

    Parameters
    ----------
    data : bytes
    compression : int
        The TIFF's number of it; those that are no picture formats are not looked at.
    width, height : int
        Of a tile in pixels, as the TIFF says.

    Raises
    ------
    ValueError
        If it claims more, or its size is not found.
    """
    find = _FINDERS.get(compression)
    if find is None:
        return
    try:
        found = find(data)
    except (struct.error, IndexError):
        found = None
    if found is None:
        reason = "an encoded tile does not say how large it is"
        raise ValueError(reason)
    if found[0] > width or found[1] > height:
        reason = (
            f"an encoded tile is of {found[0]} x {found[1]} pixels, not of"
            f" {width} x {height}"
        )
        raise ValueError(reason)


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:  # noqa: PLR2004 - no marker: padding or damage
            at += 1
            continue
        marker = data[at + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:  # noqa: PLR2004
            at += 1 if marker == 0xFF else 2  # noqa: PLR2004
            continue
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:  # noqa: PLR2004
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _jpeg_2000(data: bytes) -> tuple[int, int] | None:
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0:
        return None
    right, bottom, left, top = struct.unpack_from(">IIII", data, at + 8)
    (components,) = struct.unpack_from(">H", data, at + 40)
    return (right - left, bottom - top) if components <= _COMPONENTS else None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + _three(data, 24), 1 + _three(data, 27)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _three(data: bytes, at: int) -> int:
    if at + 3 > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + 3], "little")


_FINDERS: Final = (
    dict.fromkeys(_JPEGS, _jpeg)
    | dict.fromkeys(_JPEG_2000, _jpeg_2000)
    | {_WEBP: _webp}
)
