"""Whether a DICOM file ends where its elements end.

pydicom reads what there is of a truncated file and warns; a report of half of the
regions would pass for the whole.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

_LONG: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR")
) | {b"UT", b"UV"}
"""Value representations whose length has 32 bits."""

_UNDEFINED: Final = 0xFFFFFFFF
_DELIMITERS: Final = frozenset(((0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)))
_ENDS: Final = frozenset(((0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)))
_HEADER: Final = 8
_DEEPEST: Final = 64


def ends_completely(file: BinaryIO, size: int, *, implicit: bool) -> bool:
    """Return whether all elements of a little-endian data set are there.

    Parameters
    ----------
    file : BinaryIO
        Positioned at the first element of the data set.
    size : int
        Bytes of the file.
    implicit : bool
        Whether value representations are left out.
    """
    depth, at = 0, file.tell()
    while at < size:
        head = file.read(_HEADER)
        if len(head) < _HEADER:
            return False
        tag = struct.unpack_from("<HH", head)
        length, used = _length_of(file, head, tag, implicit=implicit)
        at += used
        if tag in _ENDS:
            depth -= 1
        elif length == _UNDEFINED:
            depth += 1
        else:
            at += length
            file.seek(at)
        if depth > _DEEPEST or depth < 0 or at > size:
            return False
    return depth == 0 and at == size


def _length_of(
    file: BinaryIO, head: bytes, tag: tuple[int, ...], *, implicit: bool
) -> tuple[int, int]:
    """Return the length of a value, and the bytes of its header."""
    if implicit or tag in _DELIMITERS:
        return int(struct.unpack_from("<I", head, 4)[0]), _HEADER
    if head[4:6] in _LONG:
        rest = file.read(4)
        long = struct.unpack("<I", rest)[0] if len(rest) == 4 else _UNDEFINED - 1  # noqa: PLR2004 - bytes
        return int(long), _HEADER + 4
    return int(struct.unpack_from("<H", head, 6)[0]), _HEADER
