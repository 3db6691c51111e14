"""Stored tiles or strips of one TIFF level: positioned reads and decoding.

Offsets come from tifffile's pages; bytes are read with `os.preadv`, so threads share no
file position. 8-bit JPEG tiles are decoded with libjpeg-turbo, which releases the GIL;
other compressions with tifffile's codecs.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import simplejpeg

from workbench.slide.readers.tiff.plane import planes_of, segment_size
from workbench.slide.readers.tiff.samples import first_bytes, is_screen_jpeg
from workbench.slide.readers.tile_cache import TileCache, empty_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from workbench.slide.readers.pread import PositionedFile
    from workbench.slide.readers.samples import Samples

_PHOTOMETRIC_RGB = 2
_CHANNELS = 3
_START_OF_IMAGE = 2
_REDUCTIONS = (1, 2, 4, 8)
_UNTRANSFORMED = bytes.fromhex("ffee000e41646f6265006400000000" + "00")
"""Adobe APP14 segment that declares the three components as RGB, not YCbCr."""

COMPRESSIONS: Final = frozenset(
    {1, 5, 7, 8, 32773, 32946, 33003, 33004, 33005, 33007, 34712, 34925, 50000, 50001}
)
"""Supported compressions: none, LZW, JPEG, Deflate, PackBits, Aperio's and other JPEG
2000, LZMA, Zstandard, WebP."""


class StoredTiles:
    """The stored tiles of a level, and how to decode them.

    Strips are treated as tiles that are as wide as the image.

    Parameters
    ----------
    pages : sequence of tifffile.TiffPage
        The parsed page of the level; several if each channel has its own.
    file : PositionedFile
        The file; thread-safe.
    background : tuple of int
        sRGB of transparent pixels and of tiles that no level has.
    samples : Samples
        Meaning of the decoded samples.
    limit : (int, int), optional
        Width and height of the image; default: those of the page.
    """

    def __init__(
        self,
        pages: Sequence[Any],
        file: PositionedFile,
        background: tuple[int, int, int],
        samples: Samples,
        limit: tuple[int, int] | None = None,
    ) -> None:
        page = pages[0]
        self.limit = limit or (int(page.imagewidth), int(page.imagelength))
        self.is_tiled = bool(page.is_tiled)
        self._planes = [plane for page in pages for plane in planes_of(page)]
        self._band = self._planes[0].band
        self.width, self.height = segment_size(page)
        if self._band:
            self.height = self._band
        self.columns = -(-int(page.imagewidth) // self.width)
        self.rows = -(-int(page.imagelength) // self.height)
        self.is_jpeg = (
            self.is_tiled
            and len(self._planes) == 1
            and is_screen_jpeg(page, samples, first_bytes(page))
        )
        self._offsets, self._counts = self._planes[0].offsets, self._planes[0].counts
        self._samples = samples
        self._file = file
        self.background = background
        self._front = _jpeg_front(page) if self.is_jpeg else b""
        self._reduction = 1
        self.fill: Callable[[int], NDArray[np.uint8] | None] = _no_tile
        """Returns a missing tile made from other levels."""

        self._allocate()

    def _allocate(self) -> None:
        shape = (self.height, self.width, _CHANNELS)
        longest = max(self._counts, default=0) if self.is_jpeg else 0
        self._scratch = _Scratch(self._front, longest, shape)
        self.cache = TileCache(shape)

    @property
    def reductions(self) -> tuple[int, ...]:
        """Factors by which tiles can be reduced while decoding, in ascending order."""
        if not self.is_jpeg:
            return (1,)
        sides = (self.width, self.height)
        return tuple(
            n for n in _REDUCTIONS if not any(side % (8 * n) for side in sides)
        )

    def reduced(self, reduction: int) -> StoredTiles:
        """Return the same tiles, reduced by the JPEG decoder (scaled DCT)."""
        small = copy.copy(self)
        small._reduction = reduction  # noqa: SLF001
        small.width //= reduction
        small.height //= reduction
        small.limit = (
            -(-self.limit[0] // reduction),
            -(-self.limit[1] // reduction),
        )
        small._allocate()  # noqa: SLF001
        return small

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a tile."""
        return self.width, self.height

    @property
    def end(self) -> int:
        """Position in the file of the end of the last tile."""
        return max(plane.end for plane in self._planes)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which tiles are not stored, bool (rows, columns)."""
        counts = [np.array(plane.counts, np.uint64) for plane in self._planes]
        gone: NDArray[np.bool_] = np.min(counts, axis=0) == 0
        return gone.reshape(self.rows, self.columns)

    def missing_at(self, index: int) -> bool:
        """Return whether a tile is not stored."""
        return any(not plane.counts[index] for plane in self._planes)

    def encoded(self, index: int, *, wait: bool = True) -> bytes | None:
        """Return a stored JPEG as a complete file; None if there is none.

        Without `wait`, None also if it would have to be read from disk.
        """
        if not self.is_jpeg or not self._counts[index]:
            return None
        encoded, start = self._scratch.encoded, len(self._front)
        stop = start + self._counts[index] - _START_OF_IMAGE
        part, offset = encoded[start:stop], self._offsets[index] + _START_OF_IMAGE
        if wait:
            self._file.pread_into(part, offset)
        elif not self._file.pread_cached_into(part, offset):
            return None
        return bytes(encoded[:stop])

    def whole(self, x: int, y: int, width: int, height: int) -> int | None:
        """Return the index of the tile that a box covers exactly; else None."""
        column, left = divmod(x, self.width)
        row, top = divmod(y, self.height)
        if left or top or width != self.width or height != self.height:
            return None
        right, bottom = self.limit
        if x < 0 or y < 0 or x + width > right or y + height > bottom:
            return None
        return row * self.columns + column

    def area_of(self, index: int) -> int:
        """Return the number of pixels of a tile that are inside the image."""
        row, column = divmod(index, self.columns)
        width = min(self.width, self.limit[0] - column * self.width)
        height = min(self.height, self.limit[1] - row * self.height)
        return width * height

    def decode(self, index: int) -> NDArray[np.uint8]:
        """Return one tile, uint8 (height, width, 3).

        Valid until the next call on the same thread, which may overwrite it.
        """
        pixels = self._scratch.pixels
        self.decode_into(pixels, index)
        return pixels

    def decode_into(self, out: NDArray[np.uint8], index: int) -> None:
        """Decode one whole tile into `out`, without a copy if possible."""
        count = self._counts[index]
        if not self.is_jpeg or not count:
            self._write(out, index)
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

    def _write(self, out: NDArray[np.uint8], index: int) -> None:
        """Write a tile that is not JPEG, or not stored, into `out`."""
        pixels = self._decode_other(index)
        if pixels is None:
            pixels = self.fill(index)
            if pixels is not None and self._reduction > 1:
                pixels = cv2.resize(pixels, self.size, interpolation=cv2.INTER_AREA)
        if pixels is None:
            out[:] = self.background
            return
        height, width, _ = pixels.shape
        if (height, width) != out.shape[:2]:
            out[:] = self.background
        out[:height, :width] = pixels[: out.shape[0], : out.shape[1]]

    def _decode_other(self, index: int) -> NDArray[np.uint8] | None:
        """Return the decoded tile; None if it is not stored."""
        if self.missing_at(index):
            return None
        parts = [plane.decode(self._file, index) for plane in self._planes]
        pixels = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        return self._samples.to_rgb(pixels, self.background)


def _no_tile(_: int) -> None:
    return None


def _jpeg_front(page: Any) -> bytes:
    """Return the bytes that replace the start marker of a stored JPEG."""
    tables = page.jpegtables
    front: bytes = tables[:-2] if tables else b"\xff\xd8"
    if int(page.photometric) == _PHOTOMETRIC_RGB:
        front = front[:2] + _UNTRANSFORMED + front[2:]
    return front


class _Scratch(threading.local):
    """Buffers of a thread, reused because allocating them costs a tenth of decoding."""

    def __init__(self, front: bytes, longest: int, shape: tuple[int, ...]) -> None:
        self._front, self._longest, self._shape = front, longest, shape
        self._encoded: memoryview | None = None
        self._pixels: NDArray[np.uint8] | None = None

    @property
    def encoded(self) -> memoryview:
        """The start of every JPEG, and space for the rest of one."""
        if self._encoded is None:
            self._encoded = memoryview(
                bytearray(self._front) + bytearray(self._longest)
            )
        return self._encoded

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Space for one decoded tile."""
        if self._pixels is None:
            self._pixels = empty_pixels(self._shape)
        return self._pixels
