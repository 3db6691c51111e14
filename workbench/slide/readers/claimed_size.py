"""Declared size of an encoded tile, checked before decoding."""

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
    """Refuse an encoded tile that declares a larger size than the file does for tiles.

    Decoders allocate the size that the tile itself declares, so a few bytes could
    exhaust the memory.

    Parameters
    ----------
    data : bytes
    compression : int
        Number of the compression in TIFF; only image formats are checked.
    width, height : int
        Size of a tile in pixels, as declared by the TIFF.

    Raises
    ------
    ValueError
        If the tile declares a larger size, or none.
    """
    find = _FINDERS.get(compression)
    if find is None:
        return
    try:
        size = find(data)
    except (struct.error, IndexError):
        size = None
    if size is None:
        reason = "an encoded tile does not declare its size"
        raise ValueError(reason)
    if size[0] > width or size[1] > height:
        reason = (
            f"an encoded tile has {size[0]} x {size[1]} pixels instead of"
            f" {width} x {height}"
        )
        raise ValueError(reason)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
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


def _jpeg_2000_size(data: bytes) -> tuple[int, int] | None:
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0:
        return None
    right, bottom, left, top = struct.unpack_from(">IIII", data, at + 8)
    (components,) = struct.unpack_from(">H", data, at + 40)
    return (right - left, bottom - top) if components <= _COMPONENTS else None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + _read_uint24(data, 24), 1 + _read_uint24(data, 27)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _read_uint24(data: bytes, at: int) -> int:
    if at + 3 > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + 3], "little")


_FINDERS: Final = (
    dict.fromkeys(_JPEGS, _jpeg_size)
    | dict.fromkeys(_JPEG_2000, _jpeg_2000_size)
    | {_WEBP: _webp_size}
)
