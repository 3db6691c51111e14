"""Stored tiles or strips of one TIFF level: positioned reads and decoding.

Offsets come from tifffile's pages; bytes are read with `os.preadv`, so threads share no
file position. 8-bit JPEG tiles are decoded with libjpeg-turbo, which releases the GIL;
other compressions with tifffile's codecs.
"""

from __future__ import annotations

import copy
import threading
from array import array
from typing import TYPE_CHECKING, Any, Final

import cv2
import imagecodecs
import numpy as np
import simplejpeg

from workbench.slide.readers.claimed_size import check_claimed_size
from workbench.slide.readers.tiff.samples import JPEG_2000, first_bytes, is_screen_jpeg
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

_BAND_BYTES: Final = 1 << 20
"""Size in bytes of the bands in which uncompressed strips are read."""

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
        self._planes = [plane for page in pages for plane in _planes(page)]
        self._band = self._planes[0].band
        self.width, self.height = _segment_size(page)
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


def _segment_size(page: Any) -> tuple[int, int]:
    """Return width and height of a stored tile or strip."""
    if page.is_tiled:
        return int(page.tilewidth), int(page.tilelength)
    return int(page.imagewidth), min(int(page.rowsperstrip), int(page.imagelength))


def _jpeg_front(page: Any) -> bytes:
    """Return the bytes that replace the start marker of a stored JPEG."""
    tables = page.jpegtables
    front: bytes = tables[:-2] if tables else b"\xff\xd8"
    if int(page.photometric) == _PHOTOMETRIC_RGB:
        front = front[:2] + _UNTRANSFORMED + front[2:]
    return front


def _planes(page: Any) -> list[_Plane]:
    """Return the planes of a page: one, or one for each separately stored sample."""
    width, height = _segment_size(page)
    across = -(-int(page.imagewidth) // width)
    down = -(-int(page.imagelength) // height)
    separate = int(page.planarconfig) != 1
    planes = int(page.samplesperpixel) if separate else 1
    each = across * down
    listed = min(len(page.dataoffsets), len(page.databytecounts))
    if listed < each * planes:
        reason = f"it lists {listed:,} of {each * planes:,} tiles or strips"
        raise ValueError(reason)
    return [_Plane(page, number * each, each) for number in range(planes)]


class _Plane:
    """The tiles or strips of a page, or those of one of its samples."""

    def __init__(self, page: Any, first: int, count: int) -> None:
        self._page, self._first = page, first
        offsets = np.array(page.dataoffsets[first : first + count], np.uint64)
        counts = np.array(page.databytecounts[first : first + count], np.uint64)
        counts[offsets == 0] = 0
        self.end = int((offsets + counts).max(initial=0))
        self.band = self._rows_of_band() if count == 1 else 0
        if self.band:
            offsets, counts = self._bands(int(offsets[0]), int(counts[0]))
        self.offsets = array("Q", offsets.tobytes())
        self.counts = array("Q", counts.tobytes())

    def _rows_of_band(self) -> int:
        """Return the number of rows per band of an uncompressed strip; 0: no bands."""
        page = self._page
        plain = int(page.compression) == 1 and page.bitspersample == 8  # noqa: PLR2004
        if (
            page.is_tiled
            or not plain
            or int(page.predictor) != 1
            or page.fillorder != 1
        ):
            return 0
        rows = max(1, _BAND_BYTES // self._row_bytes)
        return rows if rows < int(page.imagelength) else 0

    @property
    def _row_bytes(self) -> int:
        page = self._page
        samples = int(page.samplesperpixel) if int(page.planarconfig) == 1 else 1
        return int(page.imagewidth) * samples

    def _bands(self, start: int, count: int) -> tuple[Any, Any]:
        row, height = self._row_bytes, int(self._page.imagelength)
        if count and count < row * height:
            reason = f"its strip has {count:,} of {row * height:,} bytes"
            raise ValueError(reason)
        tops = np.arange(0, height, self.band).astype(np.uint64)
        counts = np.minimum(self.band, height - tops).astype(np.uint64) * row
        return tops * row + start, counts * bool(count)

    def decode(self, file: PositionedFile, index: int) -> NDArray[Any]:
        """Return one tile or strip, (height, width, samples)."""
        page = self._page
        stored = file.pread(self.counts[index], self.offsets[index])
        if self.band:
            return np.frombuffer(stored, np.uint8).reshape(
                -1, int(page.imagewidth), self._row_bytes // int(page.imagewidth)
            )
        check_claimed_size(stored, int(page.compression), *_segment_size(page))
        if (
            int(page.compression) in JPEG_2000
        ):  # tifffile expects YCbCr to be subsampled
            return np.atleast_3d(imagecodecs.jpeg2k_decode(stored))
        tables = {"jpegtables": page.jpegtables} if page.jpegtables else {}
        decoded, _, shape = page.decode(stored, self._first + index, **tables)
        pixels: NDArray[Any] = decoded.reshape(decoded.shape[-3:])
        if pixels.shape[2] != shape[3]:
            reason = f"a stored tile has {pixels.shape[2]} samples, not {shape[3]}"
            raise ValueError(reason)
        return pixels


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
