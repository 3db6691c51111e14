"""Directories (IFDs) of a TIFF, parsed with limits before a library opens the file.

Supports classic TIFF, BigTIFF and Hamamatsu's NDPI, a classic TIFF with 64-bit offsets.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.slide import limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.slide.readers.pread import PositionedFile

_TYPES: Final = {
    1: "u1",
    2: "S1",
    3: "u2",
    4: "u4",
    5: "u4",
    6: "i1",
    7: "u1",
    8: "i2",
    9: "i4",
    10: "i4",
    11: "f4",
    12: "f8",
    13: "u4",
    16: "u8",
    17: "i8",
    18: "u8",
}
"""NumPy dtype of each field type; a rational is two numbers."""

_RATIONALS: Final = (5, 10)
_TEXTS: Final = (2, 7, 1)

NDPI_FORMAT: Final = 65420
WIDTH, HEIGHT = 256, 257
_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 254, 258, 259, 262, 277
_STRIP_OFFSETS, _STRIP_COUNTS, _ROWS_PER_STRIP = 273, 279, 278
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 322, 323, 324, 325
_SUB_DIRECTORIES, _PLANAR, _EXTRA = 330, 284, 338
DESCRIPTION, SOFTWARE, ICC_PROFILE = 270, 305, 34675
_CLAIMED_TWICE: Final = 2
_OVERHEAD: Final = 1 << 24


class ClaimError(ValueError):
    """A TIFF declares an impossible value, or exceeds a limit."""


class SeveralFilesError(ClaimError):
    """A TIFF refers to data in other files."""


@dataclass(frozen=True, slots=True)
class Field:
    """One entry (tag) of a directory; its values are not read yet."""

    kind: int
    count: int
    offset: int
    file: PositionedFile

    @property
    def nbytes(self) -> int:
        """Size of all values in bytes."""
        each = np.dtype(_TYPES[self.kind]).itemsize
        return each * (2 if self.kind in _RATIONALS else 1) * self.count


@dataclass(frozen=True, eq=False)
class Directory:
    """The tags of one image of a TIFF.

    Attributes
    ----------
    offset : int
        Position in the file, in bytes.
    byteorder : str
        "<" or ">".
    fields : mapping of int to Field
        Fields by tag.
    children : tuple of Directory
        Sub-directories (tag 330).
    """

    offset: int
    byteorder: str
    fields: Mapping[int, Field]
    children: tuple[Directory, ...] = ()

    def numbers(self, tag: int) -> tuple[float, ...]:
        """Return the values of a tag, rationals as quotients; empty if absent."""
        field = self.fields.get(tag)
        if field is None or field.kind == _TEXTS[0]:
            return ()
        kind = np.dtype(self.byteorder + _TYPES[field.kind])
        raw = np.frombuffer(field.file.pread(field.nbytes, field.offset), kind)
        if field.kind not in _RATIONALS:
            return tuple(raw.tolist())
        pairs = raw.reshape(-1, 2).tolist()
        return tuple(top / below if below else math.nan for top, below in pairs)

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first value of an integer tag."""
        field = self.fields.get(tag)
        if field is not None and field.count > limits.MAX_ENTRIES:
            return default
        values = self.numbers(tag)
        return int(values[0]) if values and math.isfinite(values[0]) else default

    def text(self, tag: int) -> str:
        """Return a text, decoded as UTF-8 or else Latin-1; "" if absent."""
        raw = self.raw(tag).split(b"\0", 1)[0]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    def raw(self, tag: int) -> bytes:
        """Return the bytes of a text or of untyped values; empty if absent."""
        field = self.fields.get(tag)
        if field is None or field.kind not in _TEXTS:
            return b""
        return field.file.pread(min(field.nbytes, limits.MAX_TEXT_BYTES), field.offset)

    @cached_property
    def description(self) -> str:
        """The text of tag 270."""
        return self.text(DESCRIPTION)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.number(WIDTH), self.number(HEIGHT)

    @cached_property
    def tile(self) -> tuple[int, int] | None:
        """Width and height of the tiles; None if the image is stored in strips."""
        if _TILE_OFFSETS not in self.fields and _TILE_WIDTH not in self.fields:
            return None
        return self.number(_TILE_WIDTH), self.number(_TILE_HEIGHT)

    @cached_property
    def is_reduced(self) -> bool:
        """Whether it is marked as a reduced version of another image."""
        return bool(self.number(_SUBFILE) & 1)

    @cached_property
    def samples(self) -> int:
        """Samples per pixel."""
        return self.number(_SAMPLES, 1)

    @cached_property
    def bits(self) -> int:
        """Bits of the first sample."""
        return self.number(_BITS, 1)

    @cached_property
    def is_alpha_declared(self) -> bool:
        """Whether the samples beyond the colours are declared as transparency."""
        return bool({1, 2} & {int(each) for each in self.numbers(_EXTRA)})

    @cached_property
    def compression(self) -> int:
        """Number of the compression; 1: none."""
        return self.number(_COMPRESSION, 1)

    @cached_property
    def photometric(self) -> int:
        """Value of PhotometricInterpretation; -1 if absent."""
        return self.number(_PHOTOMETRIC, -1)

    @cached_property
    def form(self) -> tuple[object, ...]:
        """Storage parameters; equal for images that are stored in the same way."""
        rows = self.number(_ROWS_PER_STRIP, self.size[1])
        bits = self.number(_BITS, 1)
        return self.tile, rows, self.samples, bits, self.compression, self.photometric

    def check(self) -> None:
        """Refuse sizes that are impossible or exceed a limit.

        Raises
        ------
        ClaimError
            If a size is out of bounds.
        """
        width, height = self.size
        if not (0 < width <= limits.MAX_SIDE_PX and 0 < height <= limits.MAX_SIDE_PX):
            reason = f"it declares an image of {width} x {height} pixels"
            raise ClaimError(reason)
        bits = max(self.numbers(_BITS)[: limits.MAX_ENTRIES] or (1,))
        samples = self.samples if self.number(_PLANAR, 1) == 1 else 1
        if not (0 < self.samples <= limits.MAX_ENTRIES and 0 < bits <= 128):  # noqa: PLR2004
            reason = f"it declares {self.samples} samples of {bits:g} bits"
            raise ClaimError(reason)
        across, down = self._segment_size()
        most = limits.MAX_TILE_BYTES if self.tile else limits.MAX_STRIP_BYTES
        if across < 1 or down < 1 or across * down * samples * bits / 8 > most:
            word = "tiles" if self.tile else "strips"
            reason = f"it declares {word} of {across} x {down} pixels"
            raise ClaimError(reason)
        planes = 1 if samples == self.samples else self.samples
        self._check_segments(planes * -(-width // across) * -(-height // down))

    def _segment_size(self) -> tuple[int, int]:
        """Return width and height of the pixels that are decoded at once."""
        width, height = self.size
        if self.tile is not None:
            across, down = self.tile
            if max(across, down) > limits.MAX_TILE_SIDE_PX:
                reason = f"it declares tiles of {across} x {down} pixels"
                raise ClaimError(reason)
            return across, down
        rows = min(self.number(_ROWS_PER_STRIP, height), height)
        plain = self.compression == 1  # allows reading of single rows
        return width, min(rows, 64) if plain else rows

    def _check_segments(self, expected: int) -> None:
        offsets = _STRIP_OFFSETS if self.tile is None else _TILE_OFFSETS
        counts = _STRIP_COUNTS if self.tile is None else _TILE_COUNTS
        if expected > limits.MAX_TILES:
            reason = f"it declares an image of {expected:,} tiles or strips"
            raise ClaimError(reason)
        for tag in (offsets, counts):
            field = self.fields.get(tag)
            if field is not None and field.count > 2 * expected + 1:
                reason = f"it lists {field.count:,} tiles or strips, not {expected:,}"
                raise ClaimError(reason)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Sizes of the numbers in a TIFF (classic or BigTIFF)."""

    byteorder: str
    count: str
    entry: str
    offset: str
    inline: int
    first: int
    """Position of the offset of the first directory."""


def read_directories(file: PositionedFile, size: int) -> tuple[Directory, ...]:
    """Return the directories of a file's chain, each with its sub-directories.

    Parameters
    ----------
    file : PositionedFile
    size : int
        Size of the file in bytes.

    Raises
    ------
    ClaimError
        If the chain is circular or too long, or a directory declares more values than
        the file has bytes.
    """
    try:
        return _Chain(file, size).directories()
    except (struct.error, EOFError) as error:
        reason = f"its directory is truncated ({error})"
        raise ClaimError(reason) from error


class _Chain:
    """Follows the chain of directories, and limits the total of declared bytes."""

    def __init__(self, file: PositionedFile, size: int) -> None:
        self._file, self._size = file, size
        self._seen: set[int] = set()
        self._claimed = 0
        head = file.pread(min(size, 16), 0)
        order = {b"II": "<", b"MM": ">"}[head[:2]]
        if struct.unpack(order + "H", head[2:4])[0] == 43:  # noqa: PLR2004 - BigTIFF
            self._layout = _Layout(order, "Q", "HHQ8s", "Q", 8, 8)
        else:
            self._layout = _Layout(order, "H", "HHI4s", "I", 4, 4)
        self._is_ndpi = False
        self._is_ndpi = self._detect_ndpi()

    def directories(self) -> tuple[Directory, ...]:
        offset = self._read_offset(self._layout.first)
        directories = []
        while offset:
            directory, after = self._read_directory(offset, depth=0)
            directories.append(directory)
            offset = self._read_offset(after)
        if not directories:
            reason = "it has no directory"
            raise ClaimError(reason)
        return tuple(directories)

    def _detect_ndpi(self) -> bool:
        """Return whether it is a classic TIFF with 64-bit offsets (NDPI)."""
        if self._layout.inline != 4 or self._layout.byteorder != "<":  # noqa: PLR2004
            return False
        self._is_ndpi = True
        try:
            offset = self._read_offset(self._layout.first)
            return NDPI_FORMAT in dict(self._read_entries(offset)[0])
        except (struct.error, EOFError, ClaimError):
            return False

    def _read_offset(self, position: int) -> int:
        kind = "Q" if self._is_ndpi else self._layout.offset
        offset: int = self._unpack(kind, position)[0]
        if offset >= self._size:
            reason = f"the offset of a directory, {offset:,}, is beyond its end"
            raise ClaimError(reason)
        return offset

    def _unpack(self, kind: str, position: int) -> tuple[int, ...]:
        kind = self._layout.byteorder + kind
        return struct.unpack(kind, self._file.pread(struct.calcsize(kind), position))

    def _read_entries(self, offset: int) -> tuple[list[tuple[int, Field]], int]:
        """Return the entries of a directory, and the position of the next offset."""
        layout = self._layout
        (count,) = self._unpack(layout.count, offset)
        if not 0 < count <= limits.MAX_ENTRIES:
            reason = f"a directory declares {count:,} entries"
            raise ClaimError(reason)
        start = offset + struct.calcsize("<" + layout.count)
        form = layout.byteorder + layout.entry
        each = struct.calcsize(form)
        data = self._file.pread(each * count, start)
        after = start + each * count
        high: tuple[int, ...] = (0,) * count
        if self._is_ndpi:
            high = self._unpack(f"{count}I", after + 8)
        fields = []
        for number, (tag, kind, many, _) in enumerate(struct.iter_unpack(form, data)):
            if kind not in _TYPES:
                continue
            position = start + each * number + each - layout.inline
            field = Field(kind, many, position, self._file)
            if field.nbytes > layout.inline:
                (low,) = self._unpack(layout.offset, position)
                field = Field(kind, many, low + (high[number] << 32), self._file)
            fields.append((tag, field))
        return fields, after

    def _read_directory(self, offset: int, depth: int) -> tuple[Directory, int]:
        if offset in self._seen:
            reason = "its directories form a circle"
            raise ClaimError(reason)
        self._seen.add(offset)
        if len(self._seen) > limits.MAX_DIRECTORIES:
            reason = f"it has more than {limits.MAX_DIRECTORIES:,} directories"
            raise ClaimError(reason)
        entries, after = self._read_entries(offset)
        fields = dict(entries)
        for tag, field in fields.items():
            self._check_bytes(tag, field)
        directory = Directory(offset, self._layout.byteorder, fields)
        if depth or _SUB_DIRECTORIES not in fields:
            return directory, after
        if fields[_SUB_DIRECTORIES].count > limits.MAX_ENTRIES:
            reason = f"it declares {fields[_SUB_DIRECTORIES].count:,} sub-directories"
            raise ClaimError(reason)
        children = tuple(self._read_children(directory))
        return Directory(offset, self._layout.byteorder, fields, children), after

    def _read_children(self, parent: Directory) -> Iterator[Directory]:
        for offset in parent.numbers(_SUB_DIRECTORIES):
            if not 0 < offset < self._size:
                reason = f"the offset of a level is {offset:,}, beyond its end"
                raise ClaimError(reason)
            yield self._read_directory(int(offset), depth=1)[0]

    def _check_bytes(self, tag: int, field: Field) -> None:
        if field.offset + field.nbytes > self._size:
            reason = (
                f"it ends after {self._size:,} bytes, but tag {tag} starts at"
                f" {field.offset:,} and has {field.nbytes:,}"
            )
            raise ClaimError(reason)
        self._claimed += field.nbytes
        if self._claimed > _CLAIMED_TWICE * self._size + _OVERHEAD:
            reason = "its directories declare more bytes than it has"
            raise ClaimError(reason)
