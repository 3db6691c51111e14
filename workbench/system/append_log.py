"""Append-only log of binary records that survives truncation at any byte.

Each record is framed by its length and CRC-32, so a reader detects where the log is
damaged: after a kill, a full disk or a power cut, all records before the damage are
readable. Records after the damage are read if every record starts with known bytes;
otherwise the log is truncated at the damage.
"""

from __future__ import annotations

import io
import logging
import os
import struct
import time
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from workbench.errors import RunError, RunFolderError
from workbench.system.atomic_files import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAGIC: Final = b"WBJOURNAL1\r\n"
_FRAME: Final = struct.Struct("<II")
"""Length of the record in bytes, and its CRC-32."""

_BLOCK: Final = 1 << 20
_log = logging.getLogger(__name__)

_SYNC_S: Final = 1.0
"""Minimum time in seconds between two calls of fsync. A kill loses nothing that was
written; only a power cut does, and fsync after each record would stall a GPU."""

_BINARY: Final = getattr(os, "O_BINARY", 0)


def read_records(
    path: Path, start: int = 0, *, begins: bytes = b""
) -> Iterator[tuple[int, bytes]]:
    """Read the complete records of a log, also while another process appends.

    Parameters
    ----------
    path : Path
        The log; one that does not exist has no records.
    start : int
        Position in bytes at which an earlier reading ended; 0: the first record.
    begins : bytes
        Bytes with which every record begins, if there are any: then a damaged record
        is skipped where complete ones follow it.

    Yields
    ------
    (int, bytes)
        Position of the end of the record in the file, and the record. Reading stops
        at the first incomplete record.

    Raises
    ------
    RunError
        If the file is not an append log, or cannot be read.
    """
    with disk_errors(path), _open_or_empty(path) as file:
        head = file.read(len(_MAGIC))
        if not _MAGIC.startswith(head):
            message = f"'{path}' is not the journal of a run."
            raise RunError(message, "Choose another output folder.")
        start = start or len(head)
        while True:
            record = _read_record(file, start)
            if record is not None:
                start += _FRAME.size + len(record)
                yield start, record
                continue
            next_start = _find_record(file, start, begins) if begins else None
            if next_start is None:
                return
            _log.warning("A damaged part of a journal is skipped.")
            start = next_start


class AppendLog:
    """Writer of an append-only log; one process may have it open.

    Parameters
    ----------
    path : Path
        The log; created if it does not exist, otherwise truncated after its last
        complete record.
    begins : bytes
        See `read_records`.

    Raises
    ------
    RunError
        If the file is not an append log, or cannot be written.
    """

    def __init__(self, path: Path, *, begins: bytes = b"") -> None:
        self.path = path
        records = read_records(path, begins=begins)
        self._end = max((end for end, _ in records), default=len(_MAGIC))
        with disk_errors(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)
            self._file = os.fdopen(descriptor, "r+b", buffering=0)
            self._file.write(_MAGIC)
            self._file.truncate(self._end)
            self._sync()

    def append(self, record: bytes) -> None:
        """Append a record (at least one byte), either completely or not at all.

        Raises
        ------
        RunError
            If the disk is full or fails; earlier records stay intact.
        """
        framed = memoryview(_FRAME.pack(len(record), zlib.crc32(record)) + record)
        try:
            self._file.seek(self._end)
            rest = framed
            while rest:
                rest = rest[self._file.write(rest) :]
            if time.monotonic() - self._synced >= _SYNC_S:
                self._sync()
        except OSError as error:
            self._truncate()
            raise RunFolderError(self.path, error) from error
        self._end += len(framed)

    def close(self) -> None:
        """Flush to disk and close the file."""
        try:
            with disk_errors(self.path):
                self._sync()
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Close the file without flushing to disk; does nothing if it is closed."""
        self._file.close()

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _truncate(self) -> None:
        """Remove a partly written record; this may fail on a failing disk."""
        try:
            self._file.truncate(self._end)
        except OSError:
            return


def _open_or_empty(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return io.BytesIO()


def _find_record(file: BinaryIO, start: int, begins: bytes) -> int | None:
    """Return the position of the next complete record after `start`, if there is one.

    The checksum rejects bytes that only look like the start of a record.
    """
    position = start + 1
    overlap = b""
    file.seek(position)
    while block := file.read(_BLOCK):
        data = overlap + block
        first = position - len(overlap)
        index = data.find(begins)
        while index >= 0:
            frame = first + index - _FRAME.size
            if frame > start and _read_record(file, frame) is not None:
                return frame
            index = data.find(begins, index + 1)
        position += len(block)
        overlap = data[-len(begins) + 1 :] if len(begins) > 1 else b""
        file.seek(position)
    return None


def _read_record(file: BinaryIO, start: int) -> bytes | None:
    """Return the record whose frame is at `start`; None if it is incomplete.

    After a power cut a file may end in zeros, which would decode as empty records;
    a record has at least one byte.
    """
    left = file.seek(0, os.SEEK_END) - start - _FRAME.size
    file.seek(start)
    if left <= 0:
        return None
    length, checksum = _FRAME.unpack(file.read(_FRAME.size))
    if not 0 < length <= left:
        return None
    record = file.read(length)
    return record if zlib.crc32(record) == checksum else None
