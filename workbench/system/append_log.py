"""An append-only file of records that may be cut off anywhere.

Each record is framed by its length and its CRC-32, so that whoever reads the file
knows how much of it is whole: after a kill, a full disk or a power cut the records
before the damage are all there. What follows it is kept where records can be told by
their beginning, and cut off otherwise.
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
"""A kill loses nothing that was written; only a power cut needs the disk to have it,
and waiting for the disk at each record would hold up a GPU."""

_BINARY: Final = getattr(os, "O_BINARY", 0)


def read_records(
    path: Path, start: int = 0, *, begins: bytes = b""
) -> Iterator[tuple[int, bytes]]:
    """Read the whole records of a journal, also while another process appends.

    Parameters
    ----------
    path : Path
        A journal; one that does not exist has no records.
    start : int
        Where an earlier reading ended, in bytes; 0: from the first record.
    begins : bytes
        With what every record begins, if with anything: then one that is damaged is
        skipped where whole ones follow it.

    Yields
    ------
    (int, bytes)
        The end of the record in the file, and the record. The first that is not
        whole ends the reading.

    Raises
    ------
    RunError
        If the file is no journal, or cannot be read.
    """
    with disk_errors(path), _opened(path) as file:
        head = file.read(len(_MAGIC))
        if not _MAGIC.startswith(head):
            message = f"'{path}' is not the journal of a run."
            raise RunError(message, "Choose another output folder.")
        start = start or len(head)
        while True:
            record = _whole_record(file, start)
            if record is not None:
                start += _FRAME.size + len(record)
                yield start, record
                continue
            following = _next_whole(file, start, begins) if begins else None
            if following is None:
                return
            _log.warning("A damaged part of a journal is left out.")
            start = following


class AppendLog:
    """A journal that one process appends to.

    Parameters
    ----------
    path : Path
        Made if there is none; otherwise cut behind its last whole record.
    begins : bytes
        See `read_records`.

    Raises
    ------
    RunError
        If the file is no journal, or cannot be written.
    """

    def __init__(self, path: Path, *, begins: bytes = b"") -> None:
        self.path = path
        found = read_records(path, begins=begins)
        self._end = max((end for end, _ in found), default=len(_MAGIC))
        with disk_errors(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)
            self._file = os.fdopen(descriptor, "r+b", buffering=0)
            self._file.write(_MAGIC)
            self._file.truncate(self._end)
            self._sync()

    def append(self, record: bytes) -> None:
        """Add a record (at least one byte); all of it, or nothing.

        Raises
        ------
        RunError
            If the disk is full or fails; the records before stay whole.
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
            self._cut()
            raise RunFolderError(self.path, error) from error
        self._end += len(framed)

    def close(self) -> None:
        """Wait for the disk and give back the file."""
        try:
            with disk_errors(self.path):
                self._sync()
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Give back the file without waiting for the disk; harmless when closed."""
        self._file.close()

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _cut(self) -> None:
        """Take back what was written of a record; a failing disk may keep it."""
        try:
            self._file.truncate(self._end)
        except OSError:
            return


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return io.BytesIO()


def _next_whole(file: BinaryIO, start: int, begins: bytes) -> int | None:
    """Return where the next whole record after some damage is framed, if there is one.

    What looks like a beginning, but is none, is told by its checksum.
    """
    at = start + 1
    kept = b""
    file.seek(at)
    while block := file.read(_BLOCK):
        data = kept + block
        first = at - len(kept)
        found = data.find(begins)
        while found >= 0:
            place = first + found - _FRAME.size
            if place > start and _whole_record(file, place) is not None:
                return place
            found = data.find(begins, found + 1)
        at += len(block)
        kept = data[-len(begins) + 1 :] if len(begins) > 1 else b""
        file.seek(at)
    return None


def _whole_record(file: BinaryIO, start: int) -> bytes | None:
    """Return the record that begins at `start`, None if it is not whole.

    A file that grew before a power cut may end in zeros, whose frame would describe
    a record without bytes; there are none such.
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
