"""The stored tiles or strips of one plane of a TIFF page, read and decoded."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Final

import imagecodecs
import numpy as np

from workbench.slide.readers.claimed_size import check_claimed_size
from workbench.slide.readers.tiff.samples import JPEG_2000

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.slide.readers.pread import PositionedFile

_BAND_BYTES: Final = 1 << 20
"""Size in bytes of the bands in which uncompressed strips are read."""

_BANDED_BITS: Final = (8, 16, 32)
"""Bits per sample of strips that are read in bands."""


def segment_size(page: Any) -> tuple[int, int]:
    """Return width and height of a stored tile or strip."""
    if page.is_tiled:
        return int(page.tilewidth), int(page.tilelength)
    return int(page.imagewidth), min(int(page.rowsperstrip), int(page.imagelength))


def planes_of(page: Any) -> list[Plane]:
    """Return the planes of a page: one, or one for each separately stored sample."""
    width, height = segment_size(page)
    across = -(-int(page.imagewidth) // width)
    down = -(-int(page.imagelength) // height)
    separate = int(page.planarconfig) != 1
    planes = int(page.samplesperpixel) if separate else 1
    each = across * down
    listed = min(len(page.dataoffsets), len(page.databytecounts))
    if listed < each * planes:
        reason = f"it lists {listed:,} of {each * planes:,} tiles or strips"
        raise ValueError(reason)
    return [Plane(page, number * each, each) for number in range(planes)]


class Plane:
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
        plain = int(page.compression) == 1 and page.bitspersample in _BANDED_BITS
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
    def _row_samples(self) -> int:
        page = self._page
        samples = int(page.samplesperpixel) if int(page.planarconfig) == 1 else 1
        return int(page.imagewidth) * samples

    @property
    def _row_bytes(self) -> int:
        return self._row_samples * int(self._page.bitspersample) // 8

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
            kind = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
            rows = np.frombuffer(stored, kind).reshape(
                -1, int(page.imagewidth), self._row_samples // int(page.imagewidth)
            )
            return rows.astype(page.dtype, copy=False)
        check_claimed_size(stored, int(page.compression), *segment_size(page))
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
