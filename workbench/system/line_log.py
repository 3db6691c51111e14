"""A file of JSON objects, a line each, that many processes append to and follow.

Nothing that is written is rewritten. A line that is damaged (zeros after a power cut,
garbage, a line without end) is skipped and said, and what follows it holds. A file that
was taken away is written anew from what is known of it; one that another has taken the
place of is read from its beginning.
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
_LONGEST: Final = 64_000_000
"""Bytes of a line; more than an outline of a million points takes."""

_AT_ONCE: Final = 20_000
_TAIL: Final = 256
_BLOCK: Final = 1 << 20
_UNREADABLE: Final = (ValueError, RecursionError)

_log = logging.getLogger(__name__)


class Follower(Protocol):
    """Whoever keeps what the lines say."""

    def take(self, lines: list[Any]) -> list[str]:
        """Take in what was read; return for each line what is wrong with it, or ""."""

    def forget(self) -> None:
        """Forget all lines: they are read again from the first one."""

    def lines(self) -> list[Any]:
        """Return lines that say all that is known, to write the file anew."""


class LineLog:
    """A file of lines, as one process reads and extends it.

    Parameters
    ----------
    path : Path
        Made with the first line.
    follower : Follower

    Attributes
    ----------
    damaged : list of str
        What is wrong with the lines that were skipped, with their number.
    """

    def __init__(self, path: Path, follower: Follower) -> None:
        self.path = path
        self.damaged: list[str] = []
        self._follower = follower
        self._end = 0
        self._lines = 0
        self._file_id = 0
        self._tail = b""
        """What stands before the end of what was read: in a file put in its place by
        chance there is something else."""

    def refresh(self) -> bool:
        """Take in lines that others have written; tell whether there were any.

        Raises
        ------
        UnsavedError
            If the disk refuses.
        """
        try:
            facts = os.stat(self.path)  # noqa: PTH116 - polled
            if facts.st_ino == self._file_id and facts.st_size == self._end:
                return False
            with self.path.open("rb") as file:
                return self._read_on(file)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._disk(error) from error

    def append(self, make: Callable[[], list[Any]]) -> list[Any]:
        """Write lines that are made once all lines of others have been taken in.

        Whoever calls takes in the new lines; the follower is not given them.

        Returns
        -------
        list
            The lines that were made.

        Raises
        ------
        UnsavedError
            If the disk refuses; then nothing has changed.
        """
        with self._opened() as file:
            known = self._end > 0
            size = os.fstat(file.fileno()).st_size
            anew = known and not size
            if not anew:
                self._read_on(file)
            before = self._follower.lines() if anew or not self._end else []
            made = make()
            lines = [*before, *made]
            if anew:
                self._end = self._lines = 0
            data = b"".join(map(_encoded, lines))
            self._write(file, data)
            self._end += len(data)
            self._lines += len(lines)
            self._file_id = os.fstat(file.fileno()).st_ino
            self._tail = self._before_end(file)
        return made

    def _write(self, file: BinaryIO, data: bytes) -> None:
        """Write behind the whole lines; what is refused does not stay there."""
        file.truncate(self._end)  # a line that a kill has left unfinished
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
    def _opened(self) -> Iterator[BinaryIO]:
        """Open the file as the only one who writes it."""
        lock = filelock.FileLock(self.path.with_suffix(".lock"), timeout=_LOCK_S)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with lock:
                self.path.touch()
                with self.path.open("r+b") as file:
                    yield file
        except (OSError, filelock.Timeout) as error:
            raise self._disk(error) from error

    def _read_on(self, file: BinaryIO) -> bool:
        """Take in the whole lines that have been added."""
        if self._end and self._before_end(file) != self._tail:
            _log.warning("A file of changes was replaced while it was in use.")
            self._end = self._lines = 0
            self.damaged.clear()
            self._follower.forget()
        self._file_id = os.fstat(file.fileno()).st_ino
        start = self._end
        file.seek(start)
        batch: list[tuple[int, Any]] = []
        for line, length in _lines_of(file):
            self._lines += 1
            self._end += length
            found, problem = _decoded(line)
            batch += [(self._lines, value) for value in found]
            if problem:
                self._skip(self._lines, problem)
            if len(batch) >= _AT_ONCE:
                self._take(batch)
                batch = []
        self._take(batch)
        self._tail = self._before_end(file)
        return self._end > start

    def _before_end(self, file: BinaryIO) -> bytes:
        start = max(0, self._end - _TAIL)
        file.seek(start)
        return file.read(self._end - start)

    def _take(self, batch: list[tuple[int, Any]]) -> None:
        if not batch:
            return
        problems = self._follower.take([value for _, value in batch])
        for (number, _), problem in zip(batch, problems, strict=True):
            if problem:
                self._skip(number, problem)

    def _skip(self, number: int, problem: str) -> None:
        self.damaged.append(f"line {number} is damaged ({problem})")
        _log.warning("Line %d of a file of changes is damaged and left out.", number)

    def _disk(self, error: Exception) -> UnsavedError:
        reason = f"the disk refuses: {getattr(error, 'strerror', '') or error}"
        return UnsavedError(self.path, reason)


def read_lines(path: Path) -> tuple[list[Any], list[str]]:
    """Return the lines of a file that nobody extends, and what is damaged in it.

    Raises
    ------
    AnnotationError
        If the disk refuses.
    """
    kept = _Kept()
    log = LineLog(path, kept)
    log.refresh()
    return kept.read, log.damaged


class _Kept:
    """Keeps lines as they are."""

    def __init__(self) -> None:
        self.read: list[Any] = []

    def take(self, lines: list[Any]) -> list[str]:
        self.read += lines
        return [""] * len(lines)

    def forget(self) -> None:
        self.read.clear()

    def lines(self) -> list[Any]:
        return self.read


def _lines_of(file: BinaryIO) -> Iterator[tuple[bytes | None, int]]:
    """Go through whole lines, each with its length; None for one that is too long."""
    while line := file.readline(_LONGEST):
        length, ended = len(line), line.endswith(b"\n")
        whole: bytes | None = line
        while not ended and length >= _LONGEST:
            more = file.readline(_BLOCK)
            whole, length, ended = None, length + len(more), more.endswith(b"\n")
            if not more:
                break
        if not ended:
            return  # somebody writes it, or a kill cut it off
        yield whole, length


def _decoded(line: bytes | None) -> tuple[list[Any], str]:
    """Return what a line says, and what is wrong with it.

    Zeros that a power cut has left may have swallowed the end of the line before.
    """
    if line is None:
        return [], f"it is longer than {_LONGEST // 1_000_000} MB"
    pieces = [piece for piece in line.split(b"\0") if piece.strip()]
    problem = "zeros are in it" if b"\0" in line else ""
    found = []
    for piece in pieces:
        try:
            found.append(json.loads(piece))
        except _UNREADABLE:
            problem = "it cannot be read as JSON"
    return found, problem


def _encoded(line: Any) -> bytes:
    text = json.dumps(line, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # half a letter, which only an escape can write
        return json.dumps(line, separators=(",", ":")).encode() + b"\n"
