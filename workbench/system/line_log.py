"""Append-only JSON Lines file that several processes append to and follow.

Written lines are never changed. A damaged line (zeros after a power cut, garbage, a
line without end) is skipped and reported; later lines stay valid. A file that was
deleted is written again from the current state; a file that was replaced is read again
from the start.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

import filelock

from workbench.errors import UnsavedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_LOCK_S: Final = 20.0
_MAX_LINE_BYTES: Final = 64_000_000
"""Maximum length of a line in bytes; an outline of a million points takes less."""

_BATCH_LINES: Final = 20_000
_TAIL_BYTES: Final = 256
_BLOCK: Final = 1 << 20
_JSON_ERRORS: Final = (ValueError, RecursionError)

_log = logging.getLogger(__name__)


class Follower(Protocol):
    """Consumer of the lines of a log; holds the state that they describe."""

    def take(self, lines: list[Any]) -> list[str]:
        """Apply new lines; return the error of each line, or ""."""

    def forget(self) -> None:
        """Drop all state: the lines are read again from the first one."""

    def lines(self) -> list[Any]:
        """Return lines that describe the whole state, to write the file again."""


class LineLog:
    """One process's view of a shared JSON Lines file: reads and appends lines.

    Parameters
    ----------
    path : Path
        The file; created with the first line.
    follower : Follower
        Receives the lines.

    Attributes
    ----------
    damaged : list of str
        Line number and error of each skipped line.
    """

    def __init__(self, path: Path, follower: Follower) -> None:
        self.path = path
        self.damaged: list[str] = []
        self._follower = follower
        self._end = 0
        self._lines = 0
        self._file_id = 0
        self._tail = b""
        """The last bytes read; a file that was replaced has other bytes there."""

    def refresh(self) -> bool:
        """Read the lines that other processes have written.

        Returns
        -------
        bool
            Whether there were any.

        Raises
        ------
        UnsavedError
            On an I/O error.
        """
        try:
            stat = os.stat(self.path)  # noqa: PTH116 - polled
            if stat.st_ino == self._file_id and stat.st_size == self._end:
                return False
            with self.path.open("rb") as file:
                return self._read_new_lines(file)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._disk_error(error) from error

    def append(self, make: Callable[[], list[Any]]) -> list[Any]:
        """Append lines; `make` is called after all lines of others have been read.

        The follower does not receive the new lines: the caller applies them.

        Returns
        -------
        list
            The new lines.

        Raises
        ------
        UnsavedError
            On an I/O error; then nothing has changed.
        """
        with self._locked_file() as file:
            size = os.fstat(file.fileno()).st_size
            deleted = self._end > 0 and not size
            if not deleted:
                self._read_new_lines(file)
            before = self._follower.lines() if deleted or not self._end else []
            made = make()
            lines = [*before, *made]
            if deleted:
                self._end = self._lines = 0
            data = b"".join(map(_encode, lines))
            self._write(file, data)
            self._end += len(data)
            self._lines += len(lines)
            self._file_id = os.fstat(file.fileno()).st_ino
            self._tail = self._before_end(file)
        return made

    def _write(self, file: BinaryIO, data: bytes) -> None:
        """Write after the last complete line; undo a partial write."""
        file.truncate(self._end)  # removes a line left incomplete by a kill
        file.seek(self._end)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                os.ftruncate(file.fileno(), self._end)
            raise

    @contextmanager
    def _locked_file(self) -> Iterator[BinaryIO]:
        """Open the file with an exclusive lock for writing."""
        lock = filelock.FileLock(self.path.with_suffix(".lock"), timeout=_LOCK_S)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with lock:
                self.path.touch()
                with self.path.open("r+b") as file:
                    yield file
        except (OSError, filelock.Timeout) as error:
            raise self._disk_error(error) from error

    def _read_new_lines(self, file: BinaryIO) -> bool:
        """Read the complete lines after the current position; return if any."""
        if self._end and self._before_end(file) != self._tail:
            _log.warning("A file of changes was replaced while it was in use.")
            self._end = self._lines = 0
            self.damaged.clear()
            self._follower.forget()
        self._file_id = os.fstat(file.fileno()).st_ino
        start = self._end
        file.seek(start)
        batch: list[tuple[int, Any]] = []
        for line, length in _iterate_lines(file):
            self._lines += 1
            self._end += length
            values, problem = _decode(line)
            batch += [(self._lines, value) for value in values]
            if problem:
                self._skip(self._lines, problem)
            if len(batch) >= _BATCH_LINES:
                self._apply(batch)
                batch = []
        self._apply(batch)
        self._tail = self._before_end(file)
        return self._end > start

    def _before_end(self, file: BinaryIO) -> bytes:
        start = max(0, self._end - _TAIL_BYTES)
        file.seek(start)
        return file.read(self._end - start)

    def _apply(self, batch: list[tuple[int, Any]]) -> None:
        if not batch:
            return
        problems = self._follower.take([value for _, value in batch])
        for (number, _), problem in zip(batch, problems, strict=True):
            if problem:
                self._skip(number, problem)

    def _skip(self, number: int, problem: str) -> None:
        self.damaged.append(f"line {number} is damaged ({problem})")
        _log.warning("Line %d of a file of changes is damaged and skipped.", number)

    def _disk_error(self, error: Exception) -> UnsavedError:
        return UnsavedError(self.path, getattr(error, "strerror", "") or str(error))


def read_lines(path: Path) -> tuple[list[Any], list[str]]:
    """Return the lines of a file, and the errors of its damaged lines.

    Raises
    ------
    AnnotationError
        On an I/O error.
    """
    collector = _LineCollector()
    log = LineLog(path, collector)
    log.refresh()
    return collector.read, log.damaged


class _LineCollector:
    """Follower that collects lines unchanged."""

    def __init__(self) -> None:
        self.read: list[Any] = []

    def take(self, lines: list[Any]) -> list[str]:
        self.read += lines
        return [""] * len(lines)

    def forget(self) -> None:
        self.read.clear()

    def lines(self) -> list[Any]:
        return self.read


def _iterate_lines(file: BinaryIO) -> Iterator[tuple[bytes | None, int]]:
    """Yield complete lines with their length in bytes; None for a line too long."""
    while line := file.readline(_MAX_LINE_BYTES):
        length, ended = len(line), line.endswith(b"\n")
        whole: bytes | None = line
        while not ended and length >= _MAX_LINE_BYTES:
            more = file.readline(_BLOCK)
            whole, length, ended = None, length + len(more), more.endswith(b"\n")
            if not more:
                break
        if not ended:
            return  # being written by another process, or cut by a kill
        yield whole, length


def _decode(line: bytes | None) -> tuple[list[Any], str]:
    """Return the JSON values of a line, and its error or "".

    A line holds several values where zeros from a power cut replaced the line end.
    """
    if line is None:
        return [], f"it is longer than {_MAX_LINE_BYTES // 1_000_000} MB"
    pieces = [piece for piece in line.split(b"\0") if piece.strip()]
    problem = "zeros are in it" if b"\0" in line else ""
    values = []
    for piece in pieces:
        try:
            values.append(json.loads(piece))
        except _JSON_ERRORS:
            problem = "it cannot be read as JSON"
    return values, problem


def _encode(line: Any) -> bytes:
    text = json.dumps(line, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, which needs an escape
        return json.dumps(line, separators=(",", ":")).encode() + b"\n"
