"""Random access to byte ranges of local and remote files."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MAX_WHOLE_BYTES: Final = 64 << 20
"""Maximum size of a remote file that is fetched whole."""

_LOCAL_BLOCK: Final = 1 << 20
"""Block size in bytes; the allocator maps larger blocks anew, which is slower."""

_REMOTE_BLOCK: Final = 4 << 20

Range = tuple[int, int]
"""Start and length, in bytes."""


class Part(Protocol):
    """Content of known size with random access, such as a file."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of several ranges, each of its full length.

        Raises
        ------
        OSError
            If a range cannot be read, or the content ends before its end.
        """

    def blocks(self) -> Iterator[bytes]:
        """Yield the whole content in order; raises as `read` does."""


class LocalPart:
    """A file on disk."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    @cached_property
    def size(self) -> int:
        """Size in bytes."""
        return os.stat(self.path).st_size  # noqa: PTH116 - a plain string

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of several ranges; see `Part.read`."""
        with open(self.path, "rb", buffering=0) as file:  # noqa: PTH123
            pieces = []
            for start, length in ranges:
                file.seek(start)
                pieces.append(_complete(file.read(length), length, file))
        return pieces

    def blocks(self) -> Iterator[bytes]:
        """Yield the whole content in order; see `Part.blocks`."""
        with open(self.path, "rb", buffering=0) as file:  # noqa: PTH123
            for start in range(0, self.size, _LOCAL_BLOCK):
                length = min(_LOCAL_BLOCK, self.size - start)
                yield _complete(file.read(length), length, file)


class RemotePart:
    """A file of an fsspec file system."""

    def __init__(self, system: Any, path: str) -> None:
        self._system = system
        self._path = path

    @cached_property
    def _info(self) -> dict[str, Any]:
        return dict(self._system.info(self._path))

    @cached_property
    def _all(self) -> bytes:
        """The whole file, from a server without support for ranges."""
        if self.size > _MAX_WHOLE_BYTES:
            message = "the server does not support HTTP range requests"
            raise OSError(message)
        return bytes(self._system.cat_file(self._path))

    @cached_property
    def size(self) -> int:
        """Size in bytes."""
        size = self._info.get("size")
        if size is None:
            message = "the server does not report the size of the file"
            raise OSError(message)
        return int(size)

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of several ranges, fetched together; see `Part.read`."""
        if self._info.get("partial") is False:
            return [_complete(self._all[a : a + n], n) for a, n in ranges]
        starts = [start for start, length in ranges if length]
        ends = [start + length for start, length in ranges if length]
        paths = [self._path] * len(starts)
        pieces = iter(self._system.cat_ranges(paths, starts, ends) if starts else ())
        return [self._crop(next(pieces), a, n) if n else b"" for a, n in ranges]

    def blocks(self) -> Iterator[bytes]:
        """Yield the whole content in order; see `Part.blocks`."""
        for start in range(0, self.size, _REMOTE_BLOCK):
            yield self.read([(start, min(_REMOTE_BLOCK, self.size - start))])[0]

    def _crop(self, data: bytes, start: int, length: int) -> bytes:
        """Return the range, also if the server sent the whole file in its place."""
        if len(data) > length and len(data) == self.size:
            data = data[start : start + length]
        return _complete(data, length)


def _complete(data: bytes | None, length: int, file: Any = None) -> bytes:
    """Return exactly `length` bytes; read on where the system returned fewer."""
    data = data or b""
    while file is not None and len(data) < length:
        more = file.read(length - len(data))
        if not more:
            break
        data += more
    if len(data) != length:
        message = f"{len(data):,} bytes were read instead of {length:,}"
        raise OSError(message)
    return data
