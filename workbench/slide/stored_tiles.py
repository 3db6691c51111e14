"""The tiles of one TIFF level: found in its page, read without a file position.

tiffslide spends most of a read in indexing. Where a level is made of 8-bit RGB
tiles we take their places from its tifffile page, read the bytes with `os.pread`
(no shared position, so threads are free) and decode them with libjpeg-turbo, which
releases the interpreter lock.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import simplejpeg

from workbench.slide.kept_tiles import KeptTiles
from workbench.slide.memory import empty_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.slide.positioned import PositionedFile

_JPEG = 7
_PHOTOMETRIC_RGB = 2
_CONTIGUOUS = 1
_CHANNELS = 3
_START_OF_IMAGE = 2
_REDUCTIONS = (1, 2, 4, 8)
_UNTRANSFORMED = bytes.fromhex("ffee000e41646f6265006400000000" + "00")
"""An Adobe APP14 segment: the three components are RGB, not YCbCr."""


class StoredTiles:
    """Where the tiles of a level lie, and how each is decoded.

    Parameters
    ----------
    page : tifffile.TiffPage
        The level's key frame, fully parsed.
    file : PositionedFile
        Reads from the file; safe from any number of threads.
    background : tuple of int
        Colour of tiles that the file leaves out.
    """

    def __init__(
        self,
        page: Any,
        file: PositionedFile,
        background: tuple[int, int, int],
    ) -> None:
        self.width, self.height = int(page.tilewidth), int(page.tilelength)
        self.limit = (int(page.imagewidth), int(page.imagelength))
        self.columns = -(-self.limit[0] // self.width)
        self.rows = -(-self.limit[1] // self.height)
        self.is_jpeg = int(page.compression) == _JPEG
        self._offsets = [int(offset) for offset in page.dataoffsets]
        self._counts = [int(count) for count in page.databytecounts]
        self._page = page
        self._file = file
        self.background = background
        self._front = self._jpeg_front() if self.is_jpeg else b""
        shape = (self.height, self.width, _CHANNELS)
        self._scratch = _Scratch(self._front, max(self._counts), shape)
        self.kept = KeptTiles(shape)

    @property
    def reductions(self) -> tuple[int, ...]:
        """By what its tiles can be shrunk while they are decoded, least first."""
        if not self.is_jpeg:
            return (1,)
        sides = (self.width, self.height)
        return tuple(
            n for n in _REDUCTIONS if not any(side % (8 * n) for side in sides)
        )

    def reduced(self, reduction: int) -> StoredTiles:
        """Return the same tiles, shrunk by the JPEG decoder (in its DCT)."""
        small = copy.copy(self)
        small.width //= reduction
        small.height //= reduction
        small.limit = (
            -(-self.limit[0] // reduction),
            -(-self.limit[1] // reduction),
        )
        shape = (small.height, small.width, _CHANNELS)
        small._scratch = _Scratch(self._front, max(self._counts), shape)  # noqa: SLF001
        small.kept = KeptTiles(shape)
        return small

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a tile."""
        return self.width, self.height

    @property
    def end(self) -> int:
        """Where in the file the last of its bytes lies."""
        ends = map(sum, zip(self._offsets, self._counts, strict=True))
        return max(ends, default=0)

    @staticmethod
    def fits(page: Any) -> bool:
        """Tell whether a page is made of 8-bit RGB tiles that can be read alone."""
        return bool(
            page.is_tiled
            and page.dtype == np.uint8
            and int(page.planarconfig) == _CONTIGUOUS
            and int(page.samplesperpixel) == _CHANNELS
            and page.imagedepth == 1
        )

    def _jpeg_front(self) -> bytes:
        """Return what replaces the start marker of a stored JPEG."""
        tables = self._page.jpegtables
        front = tables[:-2] if tables else b"\xff\xd8"
        if int(self._page.photometric) == _PHOTOMETRIC_RGB:
            front = front[:2] + _UNTRANSFORMED + front[2:]
        return front

    def encoded(self, index: int, *, wait: bool = True) -> bytes | None:
        """Return a stored JPEG as a complete file, None where none is stored.

        Unless `wait`, nor where it would have to be waited for.
        """
        if not self.is_jpeg or not self._counts[index]:
            return None
        start = len(self._front)
        data = bytearray(start + self._counts[index] - _START_OF_IMAGE)
        data[:start] = self._front
        part, offset = memoryview(data)[start:], self._offsets[index] + _START_OF_IMAGE
        if wait:
            self._file.pread_into(part, offset)
        elif not self._file.pread_cached_into(part, offset):
            return None
        return bytes(data)

    def whole(self, x: int, y: int, width: int, height: int) -> int | None:
        """Return the tile that a box is exactly, None where it is not one tile."""
        column, left = divmod(x, self.width)
        row, top = divmod(y, self.height)
        if left or top or width != self.width or height != self.height:
            return None
        right, bottom = self.limit
        if x < 0 or y < 0 or x + width > right or y + height > bottom:
            return None
        return row * self.columns + column

    def area_of(self, index: int) -> int:
        """Return how many pixels of a tile lie within the picture."""
        row, column = divmod(index, self.columns)
        width = min(self.width, self.limit[0] - column * self.width)
        height = min(self.height, self.limit[1] - row * self.height)
        return width * height

    def decode(self, index: int) -> NDArray[np.uint8]:
        """Return one tile, uint8 (height, width, 3), to be used at once.

        The thread's next call may write over it.
        """
        if self.is_jpeg and self._counts[index]:
            pixels = self._scratch.pixels
            self.decode_into(pixels, index)
            return pixels
        if not self._counts[index]:
            blank = np.empty((self.height, self.width, _CHANNELS), np.uint8)
            blank[:] = self.background
            return blank
        stored = self._file.pread(self._counts[index], self._offsets[index])
        decoded: NDArray[np.uint8] = self._page.decode(stored, index)[0]
        return decoded.reshape(-1, self.width, _CHANNELS)

    def decode_into(self, out: NDArray[np.uint8], index: int) -> None:
        """Write one whole tile into `out`, without a copy where it can be."""
        count = self._counts[index]
        if not self.is_jpeg or not count:
            out[:] = self.decode(index)
            return
        encoded, start = self._scratch.encoded, len(self._front)
        stop = start + count - _START_OF_IMAGE
        part = encoded[start:stop]
        self._file.pread_into(part, self._offsets[index] + _START_OF_IMAGE)
        decoded = simplejpeg.decode_jpeg(
            encoded[:stop],
            "RGB",
            min_height=self.height,
            min_width=self.width,
            buffer=out,
        )
        if decoded.shape != out.shape:
            reason = f"a stored tile has {decoded.shape} pixels, not {out.shape}"
            raise ValueError(reason)


class _Scratch(threading.local):
    """What a thread decodes with, kept because allocating it costs a tenth."""

    def __init__(self, front: bytes, longest: int, shape: tuple[int, ...]) -> None:
        self.encoded = memoryview(bytearray(front) + bytearray(longest))
        """The front of every JPEG, and room for the rest of one."""

        self.pixels = empty_pixels(shape)
