"""All that a TIFF says of itself, as bytes: every tag of every page.

Read without understanding more than the file format, so that whatever a maker has put
there is taken along, and a damaged file is read as far as it goes.
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
"""Of tags, in all."""

_MOST_PAGES: Final = 4096
_MOST_TAGS: Final = 4096
_SIZES: Final = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
"""Bytes of a value, by the number of its type."""

_COMPRESSION: Final = 259
_SUB_PAGES: Final = 330
_COUNTS: Final = (279, 325)
"""Lengths of strips and of tiles."""


class TiffStructure:
    """The tags of a TIFF, and what they say of how its pictures are stored.

    Parameters
    ----------
    part : Part
        The file.

    Attributes
    ----------
    data : bytes
        All tags, with their values.
    tiles : int
        How many strips and tiles its pages are stored in.
    compressed : bool
        Whether all of these are compressed, so that their lengths tell pictures apart.
    """

    def __init__(self, part: Part) -> None:
        self._part = part
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._found: list[bytes] = []
        self._bytes = 0
        self.tiles = 0
        self._plain_tiles = 0
        head = self._read(0, 16)
        self._order = "<" if head[:2] == b"II" else ">"
        self._big = head[2:4] in (b"+\0", b"\0+")
        self._walk(head)
        self.data = b"".join(self._found)
        self.compressed = self.tiles > 0 and not self._plain_tiles

    def _walk(self, head: bytes) -> None:
        first = self._numbers("Q" if self._big else "I", head, 8 if self._big else 4)
        waiting, seen = [first[0]] if first else [], set[int]()
        while waiting and len(seen) < _MOST_PAGES and self._bytes < _MOST_BYTES:
            place = waiting.pop(0)
            if place and place not in seen:
                seen.add(place)
                waiting += self._page(place)

    def _page(self, place: int) -> list[int]:
        """Take in a page; return where others are: those within it, and the next."""
        count_code, entry_size, link = ("Q", 20, "Q") if self._big else ("H", 12, "I")
        counted = self._numbers(count_code, self._read(place, 8))
        if not counted or not 0 < counted[0] <= _MOST_TAGS:
            return []
        start = place + struct.calcsize(count_code)
        entries = self._read(start, counted[0] * entry_size)
        self._take(entries)
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
        """Return tag, type and values of an entry, wherever these lie."""
        tag, code = struct.unpack(f"{self._order}HH", entry[:4])
        form, inline = ("Q", 8) if self._big else ("I", 4)
        (count,) = struct.unpack(f"{self._order}{form}", entry[4 : 4 + inline])
        held = entry[4 + inline :]
        length = count * _size(code)
        if length <= inline:
            return tag, code, held[:length]
        (place,) = struct.unpack(f"{self._order}{form}", held)
        values = self._read(place, min(length, _MOST_BYTES - self._bytes))
        self._take(values)
        return tag, code, values

    def _take(self, data: bytes) -> None:
        self._found.append(data)
        self._bytes += len(data)

    def _numbers(self, code: str, data: bytes, start: int = 0) -> tuple[int, ...]:
        size = struct.calcsize(code)
        count = max(0, len(data) - start) // size
        return struct.unpack_from(f"{self._order}{count}{code}", data, start)

    def _read(self, start: int, length: int) -> bytes:
        """Return a range as far as the file goes, by way of blocks that are kept."""
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
