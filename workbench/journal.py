"""An append-only file of records that may be cut off anywhere.

Each record is framed by its length and its CRC-32, so that whoever reads the file
knows how much of it is whole: after a kill, a full disk or a power cut the records
before the damage are all there, and what follows is cut off.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from typing import TYPE_CHECKING, Final

from workbench.errors import RunError, RunFolderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_MAGIC: Final = b"WBJOURNAL1\r\n"
_FRAME: Final = struct.Struct("<II")
"""Length of the record in bytes, and its CRC-32."""

_SYNC_S: Final = 1.0
"""A kill loses nothing that was written; only a power cut needs the disk to have it,
and waiting for the disk at each record would hold up a GPU."""

_BINARY: Final = getattr(os, "O_BINARY", 0)


def read_records(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Read the whole records of a journal, also while another process appends.

    Parameters
    ----------
    path : Path
        A journal; one that does not exist has no records.
    start : int
        Where an earlier reading ended, in bytes; 0: from the first record.

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
    try:
        with path.open("rb") as file:
            if not start:
                if not _has_magic(path, file.read(len(_MAGIC))):
                    return
                start = len(_MAGIC)
            file.seek(start)
            while (record := _whole(file.read(_FRAME.size), file.read)) is not None:
                start += _FRAME.size + len(record)
                yield start, record
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunFolderError(path, error) from error


class Journal:
    """A journal that one process appends to.

    Parameters
    ----------
    path : Path
        Made if there is none; otherwise cut behind its last whole record.

    Raises
    ------
    RunError
        If the file is no journal, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end = max((end for end, _ in read_records(path)), default=len(_MAGIC))
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)
            self._file = os.fdopen(descriptor, "r+b", buffering=0)
            self._file.write(_MAGIC)
            self._file.truncate(self._end)
            self._sync()
        except OSError as error:
            raise RunFolderError(path, error) from error

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
            self._sync()
        except OSError as error:
            raise RunFolderError(self.path, error) from error
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


def _has_magic(path: Path, head: bytes) -> bool:
    if not _MAGIC.startswith(head):
        message = f"'{path}' is not the journal of a run."
        raise RunError(message, "Choose another output folder.")
    return head == _MAGIC


def _whole(frame: bytes, read: Callable[[int], bytes]) -> bytes | None:
    """Return the record behind `frame`, None if either is not whole.

    A file that grew before a power cut may end in zeros, whose frame would describe
    a record without bytes; there are none such.
    """
    if len(frame) < _FRAME.size:
        return None
    length, checksum = _FRAME.unpack(frame)
    record = read(length) if length else b""
    whole = length and len(record) == length and zlib.crc32(record) == checksum
    return record if whole else None
