"""Pieces of content, local or remote, of which any range can be read."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_AT_ONCE: Final = 64 << 20
_LOCAL_BLOCK: Final = 1 << 20
"""Memory of larger blocks comes from the system anew each time, which takes longer."""

_REMOTE_BLOCK: Final = 4 << 20

Range = tuple[int, int]
"""Start and length, in bytes."""


class Part(Protocol):
    """A piece of content of known size."""

    @property
    def size(self) -> int:
        """Return its size in bytes."""

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return what is in some ranges, each of the length that was asked for.

        Raises
        ------
        OSError
            If that cannot be read, or ends before.
        """

    def blocks(self) -> Iterator[bytes]:
        """Yield all of it, in order; raises what `read` does."""


class LocalPart:
    """A file on disk."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    @cached_property
    def size(self) -> int:
        """Its size in bytes."""
        return os.stat(self.path).st_size  # noqa: PTH116 - a plain string

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return what is in some ranges; see `Part.read`."""
        with open(self.path, "rb", buffering=0) as file:  # noqa: PTH123
            found = []
            for start, length in ranges:
                file.seek(start)
                found.append(_whole(file.read(length), length, file))
        return found

    def blocks(self) -> Iterator[bytes]:
        """Yield all of it, in order; see `Part.blocks`."""
        with open(self.path, "rb", buffering=0) as file:  # noqa: PTH123
            for start in range(0, self.size, _LOCAL_BLOCK):
                length = min(_LOCAL_BLOCK, self.size - start)
                yield _whole(file.read(length), length, file)


class RemotePart:
    """A file that fsspec reaches."""

    def __init__(self, system: Any, path: str) -> None:
        self._system = system
        self._path = path

    @cached_property
    def _info(self) -> dict[str, Any]:
        return dict(self._system.info(self._path))

    @cached_property
    def _all(self) -> bytes:
        """The whole file, of a server that gives no parts of one."""
        if self.size > _MOST_AT_ONCE:
            message = "the server gives no parts of files (HTTP ranges)"
            raise OSError(message)
        return bytes(self._system.cat_file(self._path))

    @cached_property
    def size(self) -> int:
        """Its size in bytes."""
        size = self._info.get("size")
        if size is None:
            message = "the server does not say how large it is"
            raise OSError(message)
        return int(size)

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return what is in some ranges, fetched together; see `Part.read`."""
        if self._info.get("partial") is False:
            return [_whole(self._all[a : a + n], n) for a, n in ranges]
        wanted = [each for each in ranges if each[1]]
        starts = [start for start, _ in wanted]
        ends = [start + length for start, length in wanted]
        paths = [self._path] * len(wanted)
        found = iter(self._system.cat_ranges(paths, starts, ends) if wanted else ())
        return [self._cut(next(found), a, n) if n else b"" for a, n in ranges]

    def blocks(self) -> Iterator[bytes]:
        """Yield all of it, in order; see `Part.blocks`."""
        for start in range(0, self.size, _REMOTE_BLOCK):
            yield self.read([(start, min(_REMOTE_BLOCK, self.size - start))])[0]

    def _cut(self, data: bytes, start: int, length: int) -> bytes:
        """Return the range, also where a server sent the whole file in its place."""
        if len(data) > length and len(data) == self.size:
            data = data[start : start + length]
        return _whole(data, length)


def _whole(data: bytes | None, length: int, file: Any = None) -> bytes:
    """Return what was asked for to the last byte; the system may give it in pieces."""
    data = data or b""
    while file is not None and len(data) < length:
        more = file.read(length - len(data))
        if not more:
            break
        data += more
    if len(data) != length:
        message = f"{len(data):,} bytes came where {length:,} were asked for"
        raise OSError(message)
    return data
