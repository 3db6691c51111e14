"""All metadata of a TIFF as bytes: every tag of every page.

Tags are read without interpretation, so vendor tags are included and a damaged file is
read as far as possible.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workbench.slide.byte_ranges import Part

_BLOCK: Final = 1 << 16
_KEPT: Final = 256
_MOST_BYTES: Final = 64 << 20
"""Maximum total size of all tags, in bytes."""

_MOST_PAGES: Final = 4096
_MOST_TAGS: Final = 4096
_SIZES: Final = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
"""Size of a value in bytes, by the number of its type."""

_COMPRESSION: Final = 259
_SUB_PAGES: Final = 330
_COUNTS: Final = (279, 325)
"""Tags with the byte counts of strips and of tiles."""


class TiffStructure:
    """The tags of a TIFF, and how its images are stored.

    Parameters
    ----------
    part : Part
        The file.

    Attributes
    ----------
    data : bytes
        All tags, with their values.
    tiles : int
        Number of strips and tiles of all pages.
    compressed : bool
        Whether all of them are compressed, so that their lengths distinguish images.
    """

    def __init__(self, part: Part) -> None:
        self._part = part
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._tags: list[bytes] = []
        self._bytes = 0
        self.tiles = 0
        self._plain_tiles = 0
        head = self._read(0, 16)
        self._order = "<" if head[:2] == b"II" else ">"
        self._big = head[2:4] in (b"+\0", b"\0+")
        self._walk(head)
        self.data = b"".join(self._tags)
        self.compressed = self.tiles > 0 and not self._plain_tiles

    def _walk(self, head: bytes) -> None:
        first = self._numbers("Q" if self._big else "I", head, 8 if self._big else 4)
        waiting, seen = [first[0]] if first else [], set[int]()
        while waiting and len(seen) < _MOST_PAGES and self._bytes < _MOST_BYTES:
            offset = waiting.pop(0)
            if offset and offset not in seen:
                seen.add(offset)
                waiting += self._read_page(offset)

    def _read_page(self, offset: int) -> list[int]:
        """Read a page; return the offsets of its sub-pages and of the next page."""
        count_code, entry_size, link = ("Q", 20, "Q") if self._big else ("H", 12, "I")
        counted = self._numbers(count_code, self._read(offset, 8))
        if not counted or not 0 < counted[0] <= _MOST_TAGS:
            return []
        start = offset + struct.calcsize(count_code)
        entries = self._read(start, counted[0] * entry_size)
        self._add(entries)
        others: list[int] = []
        compression, tiles = 1, 0
        for at in range(0, len(entries) - entry_size + 1, entry_size):
            tag, code, values = self._value(entries[at : at + entry_size])
            if tag == _SUB_PAGES:
                others += self._numbers({8: "Q", 4: "I"}.get(_size(code), "I"), values)
            elif tag == _COMPRESSION:
                compression = (self._numbers("H", values) or (1,))[0]
            elif tag in _COUNTS and _size(code):
                tiles = len(values) // _size(code)
        self.tiles += tiles
        self._plain_tiles += tiles if compression == 1 else 0
        following = self._numbers(link, self._read(start + len(entries), 8))
        return [*others[:_MOST_PAGES], *following[:1]]

    def _value(self, entry: bytes) -> tuple[int, int, bytes]:
        """Return tag, type and values of an entry, inline or elsewhere in the file."""
        tag, code = struct.unpack(f"{self._order}HH", entry[:4])
        form, inline = ("Q", 8) if self._big else ("I", 4)
        (count,) = struct.unpack(f"{self._order}{form}", entry[4 : 4 + inline])
        held = entry[4 + inline :]
        length = count * _size(code)
        if length <= inline:
            return tag, code, held[:length]
        (offset,) = struct.unpack(f"{self._order}{form}", held)
        values = self._read(offset, min(length, _MOST_BYTES - self._bytes))
        self._add(values)
        return tag, code, values

    def _add(self, data: bytes) -> None:
        self._tags.append(data)
        self._bytes += len(data)

    def _numbers(self, code: str, data: bytes, start: int = 0) -> tuple[int, ...]:
        size = struct.calcsize(code)
        count = max(0, len(data) - start) // size
        return struct.unpack_from(f"{self._order}{count}{code}", data, start)

    def _read(self, start: int, length: int) -> bytes:
        """Return a range, clipped to the file, through a cache of blocks."""
        end = min(start + length, self._part.size)
        if start >= end:
            return b""
        first, last = start // _BLOCK, (end - 1) // _BLOCK
        if last - first >= _KEPT:
            return self._part.read([(start, end - start)])[0]
        data = b"".join(self._block(number) for number in range(first, last + 1))
        return data[start - first * _BLOCK : end - first * _BLOCK]

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        start = number * _BLOCK
        length = min(_BLOCK, self._part.size - start)
        self._blocks[number] = block = self._part.read([(start, length)])[0]
        if len(self._blocks) > _KEPT:
            self._blocks.popitem(last=False)
        return block


def _size(code: int) -> int:
    return _SIZES[code] if code < len(_SIZES) else 0
