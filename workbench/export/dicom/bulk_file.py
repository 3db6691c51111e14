"""Writes Microscopy Bulk Simple Annotations, group by group, in bounded memory.

The coordinates of all groups may be larger than memory, so they pass from a temporary
file to the object; pydicom writes everything else.
"""

from __future__ import annotations

import io
import shutil
import struct
import tempfile
from typing import IO, TYPE_CHECKING, BinaryIO, Final, Self

import numpy as np
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import dcmwrite, write_dataset
from pydicom.tag import Tag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

_GROUPS: Final = Tag(0x006A0002)
_POINTS: Final = Tag(0x00660016)
_INDICES: Final = Tag(0x00660040)
_ITEM: Final = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
_ITEM_END: Final = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00"
_SEQUENCE_END: Final = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"

MAX_BYTES: Final = (1 << 32) - 2
"""Bytes of the coordinates of one group at most: its length has 32 bits."""


class PointSpool:
    """Coordinates of the outlines of one group, in a temporary file."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._lengths: list[NDArray[np.int32]] = []
        self.bytes = 0
        """Bytes of the coordinates."""

    def __enter__(self) -> Self:
        """Return the spool; it is deleted at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Delete the file."""
        self._file.close()

    def __len__(self) -> int:
        """Return the number of outlines."""
        return sum(map(len, self._lengths))

    def add(self, points: NDArray[np.float32], lengths: NDArray[np.int64]) -> None:
        """Add outlines: points (P, 2), and the number of points of each, (N,)."""
        data = np.ascontiguousarray(points, "<f4").tobytes()
        self._file.write(data)
        self._lengths.append(lengths.astype(np.int32))
        self.bytes += len(data)

    def write_to(self, file: BinaryIO) -> None:
        """Write the elements of the coordinates and of their first indices."""
        file.write(_element(_POINTS, b"OF", self.bytes))
        self._file.seek(0)
        shutil.copyfileobj(self._file, file, 1 << 20)
        lengths = np.concatenate([np.zeros(1, np.int64), *self._lengths])
        # Counted in numbers, not in points, from 1.
        first = (2 * np.cumsum(lengths)[:-1] + 1).astype("<u4")
        file.write(_element(_INDICES, b"OL", first.nbytes))
        file.write(first.tobytes())


def write_bulk(
    path: Path, head: Dataset, groups: Sequence[tuple[Dataset, PointSpool]]
) -> None:
    """Write an object of annotations.

    Parameters
    ----------
    path : Path
    head : Dataset
        The object with its file meta information, without groups.
    groups : sequence of (Dataset, PointSpool)
        Attributes of each group without coordinates, and its coordinates.
    """
    meta = head.file_meta
    first, rest = head[:_GROUPS], head[_GROUPS + 1 :]
    first.file_meta = meta
    buffer = io.BytesIO()
    dcmwrite(buffer, first, enforce_file_format=True)
    with path.open("wb") as file:
        file.write(buffer.getvalue())
        file.write(_element(_GROUPS, b"SQ", 0xFFFFFFFF))
        for about, points in groups:
            file.write(_ITEM)
            file.write(_encoded(about[:_POINTS]))
            points.write_to(file)
            file.write(_encoded(about[_INDICES + 1 :]))
            file.write(_ITEM_END)
        file.write(_SEQUENCE_END)
        file.write(_encoded(rest))


def _element(tag: int, kind: bytes, length: int) -> bytes:
    """Return the start of an element in explicit little-endian."""
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, kind, 0, length)


def _encoded(data: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, data)
    return bytes(buffer.getvalue())
