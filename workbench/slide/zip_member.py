"""A file that is stored in a ZIP file, read in place.

Only members without compression: of others no part can be read by itself.
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
"""Of a member: its mark, and the lengths of its name and of what else is said."""

_MARK: Final = b"PK\3\4"
_ENCRYPTED: Final = 1
_BLOCK: Final = 4 << 20


def is_archived(path: str) -> bool:
    """Return whether an address is that of a file within a ZIP file."""
    return path.startswith(_SCHEME) and "::" in path


def archive_of(path: str) -> str:
    """Return where the ZIP file lies of a file that is in one."""
    return path.partition("::")[2]


def open_archived(path: str) -> ArchivedFile:
    """Open a file within a ZIP file.

    Parameters
    ----------
    path : str
        "zip://MEMBER::ARCHIVE"; the archive is a path or an fsspec URL.

    Raises
    ------
    SlideNotFoundError
    UnsupportedSlideError
        If it is compressed or encrypted there.
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
            f"it is {word} in its ZIP file, so that no part of it can be read by"
            " itself",
            "Unpack it and open the file, or pack it without compression (zip -0).",
        )
    return ArchivedFile(system, member)


class ArchivedFile(io.RawIOBase):
    """A member of a ZIP file, as a file of its own.

    Parameters
    ----------
    system : ZipFileSystem
        Kept, since it closes the archive when nobody knows it any more.
    member : ZipInfo
        Of a file that is not compressed.
    """

    def __init__(self, system: Any, member: zipfile.ZipInfo) -> None:
        self._system, self._archive = system, system.fo
        self._lock = threading.Lock()
        self._archive.seek(member.header_offset)
        mark, name, extra = _HEADER.unpack(self._archive.read(_HEADER.size))
        if mark != _MARK:
            message = "its ZIP file has no such file where it says"
            raise OSError(message)
        self._start = member.header_offset + _HEADER.size + name + extra
        self._size, self._place = member.file_size, 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from any place."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; return it."""
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}
        self._place = max(0, begin[whence] + offset)
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; return how many bytes."""
        view = memoryview(buffer)
        data = self._bytes(self._place, len(view))
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _bytes(self, start: int, length: int) -> bytes:
        length = max(0, min(length, self._size - start))
        with self._lock:
            self._archive.seek(self._start + start)
            return bytes(self._archive.read(length)) if length else b""

    def close(self) -> None:
        """Give back the archive."""
        if not self.closed:
            self._system.close()
        super().close()

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self._size

    def ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return what is in some ranges, safe from any number of threads."""
        return [self._bytes(*each) for each in ranges]


class ArchivedPart:
    """A member of a ZIP file, as a piece of content."""

    def __init__(self, path: str) -> None:
        self._file = open_archived(path)

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self._file.size

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return what is in some ranges; see `Part.read`."""
        found = self._file.ranges(ranges)
        if any(len(data) != n for data, (_, n) in zip(found, ranges, strict=True)):
            message = "its ZIP file ends too early"
            raise OSError(message)
        return found

    def blocks(self) -> Iterator[bytes]:
        """Yield all of it, in order; see `Part.blocks`."""
        for start in range(0, self.size, _BLOCK):
            yield self.read([(start, min(_BLOCK, self.size - start))])[0]
