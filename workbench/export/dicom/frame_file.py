"""Writes DICOM files of encapsulated frames, one frame after another."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, BinaryIO, Final

from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, JPEGBaseline8Bit

from workbench import __version__
from workbench.dicom.identifiers import derived_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pydicom.dataset import Dataset

_ITEM: Final = b"\xfe\xff\x00\xe0"
_END: Final = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
_PIXELS: Final = b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff"
_OFFSETS: Final = b"\xe0\x7f\x01\x00OV\x00\x00"
_LENGTHS: Final = b"\xe0\x7f\x02\x00OV\x00\x00"

LONG_OFFSETS_FROM: Final = 1 << 30
"""Pixels of a level from which its offsets are stored in 64 bits: frames of fewer
pixels are shorter than 2^32 bytes even without compression."""


def file_meta(header: Dataset, syntax: UID) -> FileMetaDataset:
    """Return the file meta information of a data set."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = derived_uid("implementation")
    meta.ImplementationVersionName = f"WORKBENCH {__version__}"[:16]
    return meta


def write_frames(
    path: Path, make_header: Callable[..., Dataset], frames: Iterable[bytes]
) -> int:
    """Write a file of JPEG frames; memory holds one frame and the offsets.

    Parameters
    ----------
    path : Path
    make_header : callable
        Returns the attributes for a compression `ratio`; all ratios give headers of one
        length.
    frames : iterable of bytes
        JPEG of each frame; as many as the header says.

    Returns
    -------
    int
        Bytes of all frames.
    """
    header = make_header(ratio=1.0)
    count = int(header.NumberOfFrames)
    long = count * header.Rows * header.Columns >= LONG_OFFSETS_FROM
    starts, lengths = [], []
    with path.open("wb") as file:
        file.write(_encode(header))
        tables = file.tell()
        _write_tables(file, [0] * count, [0] * count, long=long)
        first = at = file.tell()
        for frame in frames:
            padded = frame + b"\0" * (len(frame) % 2)
            file.write(_ITEM + struct.pack("<I", len(padded)))
            file.write(padded)
            starts.append(at - first)
            lengths.append(len(padded))
            at += 8 + len(padded)
        file.write(_END)
        if len(starts) != count:
            message = f"{len(starts)} frames instead of {count}"
            raise ValueError(message)
        total = sum(lengths)
        raw = count * header.Rows * header.Columns * header.SamplesPerPixel
        file.seek(0)
        file.write(_encode(make_header(ratio=raw / max(1, total))))
        if file.tell() != tables:
            message = "the header has changed its length"
            raise ValueError(message)
        _write_tables(file, starts, lengths, long=long)
    return total


def _encode(header: Dataset) -> bytes:
    header.file_meta = file_meta(header, JPEGBaseline8Bit)
    buffer = io.BytesIO()
    dcmwrite(buffer, header, enforce_file_format=True)
    return buffer.getvalue()


def _write_tables(
    file: BinaryIO, starts: list[int], lengths: list[int], *, long: bool
) -> None:
    """Write the offsets and the start of the pixels: in 64 bits, or in 32."""
    if long:
        for tag, values in ((_OFFSETS, starts), (_LENGTHS, lengths)):
            file.write(tag + struct.pack("<I", 8 * len(values)))
            file.write(struct.pack(f"<{len(values)}Q", *values))
        file.write(_PIXELS + _ITEM + struct.pack("<I", 0))
        return
    file.write(_PIXELS + _ITEM + struct.pack("<I", 4 * len(starts)))
    file.write(struct.pack(f"<{len(starts)}I", *starts))
