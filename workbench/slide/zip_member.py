"""Reading a file inside a ZIP archive in place.

Only members without compression: compressed ones do not allow random access.
"""

from __future__ import annotations

import io
import struct
import threading
import zipfile
from typing import TYPE_CHECKING, Any, Final

import fsspec

from workbench.errors import SlideNotFoundError, UnsupportedSlideError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.slide.byte_ranges import Range

_SCHEME: Final = "zip://"
_HEADER: Final = struct.Struct("<4s22xHH")
"""Local header of a member: signature, and lengths of the name and extra fields."""

_MARK: Final = b"PK\3\4"
_ENCRYPTED: Final = 1
_BLOCK: Final = 4 << 20


def is_archived(path: str) -> bool:
    """Return whether a URL is that of a file inside a ZIP archive."""
    return path.startswith(_SCHEME) and "::" in path


def archive_of(path: str) -> str:
    """Return the path or URL of the ZIP archive that holds a file."""
    return path.partition("::")[2]


def open_archived(path: str) -> ArchivedFile:
    """Open a file inside a ZIP archive.

    Parameters
    ----------
    path : str
        "zip://MEMBER::ARCHIVE"; the archive is a path or an fsspec URL.

    Raises
    ------
    SlideNotFoundError
        If the archive has no such member.
    UnsupportedSlideError
        If the member is compressed or encrypted.
    OSError
        If the archive cannot be read.
    """
    system, root = fsspec.core.url_to_fs(path)
    try:
        member = system.zip.getinfo(root)
    except KeyError as error:
        raise SlideNotFoundError(path) from error
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
        word = "encrypted" if member.flag_bits & _ENCRYPTED else "compressed"
        raise UnsupportedSlideError(
            path,
            f"it is {word} in its ZIP file, which does not allow random access",
            "Unpack it and open the file, or pack it without compression (zip -0).",
        )
    return ArchivedFile(system, member)


class ArchivedFile(io.RawIOBase):
    """A member of a ZIP archive as a file object.

    Parameters
    ----------
    system : ZipFileSystem
        The archive; a reference is held, because its finalizer closes the archive.
    member : ZipInfo
        Member that is not compressed.
    """

    def __init__(self, system: Any, member: zipfile.ZipInfo) -> None:
        self._system, self._archive = system, system.fo
        self._lock = threading.Lock()
        self._archive.seek(member.header_offset)
        mark, name, extra = _HEADER.unpack(self._archive.read(_HEADER.size))
        if mark != _MARK:
            message = "the directory of its ZIP file is wrong"
            raise OSError(message)
        self._start = member.header_offset + _HEADER.size + name + extra
        self._size, self._position = member.file_size, 0

    def readable(self) -> bool:
        """Return True: the file can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: the file allows random access."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; return it."""
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        self._position = max(0, begin[whence] + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; return the number of bytes."""
        view = memoryview(buffer)
        data = self._read_range(self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _read_range(self, start: int, length: int) -> bytes:
        length = max(0, min(length, self._size - start))
        with self._lock:
            self._archive.seek(self._start + start)
            return bytes(self._archive.read(length)) if length else b""

    def close(self) -> None:
        """Close the archive."""
        if not self.closed:
            self._system.close()
        super().close()

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self._size

    def ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of several ranges; thread-safe."""
        return [self._read_range(start, length) for start, length in ranges]


class ArchivedPart:
    """A member of a ZIP archive as a `Part`."""

    def __init__(self, path: str) -> None:
        self._file = open_archived(path)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self._file.size

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of several ranges; see `Part.read`."""
        pieces = self._file.ranges(ranges)
        if any(len(data) != n for data, (_, n) in zip(pieces, ranges, strict=True)):
            message = "its ZIP file is truncated"
            raise OSError(message)
        return pieces

    def blocks(self) -> Iterator[bytes]:
        """Yield the whole content in order; see `Part.blocks`."""
        for start in range(0, self.size, _BLOCK):
            yield self.read([(start, min(_BLOCK, self.size - start))])[0]
