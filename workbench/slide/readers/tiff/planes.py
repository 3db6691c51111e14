"""Reader of TIFF slides that consist of channels: stored values, tile by tile."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import BrokenSlideError, SlideReadError, UnsupportedSlideError
from workbench.slide.channels.composite_reader import DTYPES
from workbench.slide.readers.base import Level
from workbench.slide.readers.samples import unsupported_samples
from workbench.slide.readers.tiff.channel_stack import describe_stack
from workbench.slide.readers.tiff.plane import planes_of, segment_size
from workbench.slide.readers.tiff.reader import TiffReader
from workbench.system.thread_pool import run_parallel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.slide.readers.pread import PositionedFile
    from workbench.slide.readers.tiff.channel_stack import StackLevel
    from workbench.slide.readers.tiff.images import TiffImage

_BLACK: Final = (0, 0, 0)
_CACHE_BYTES: Final = 1 << 26
_ORIENTATION: Final = 274


class TiffPlanes(TiffReader):
    """Reads stored values of a TIFF with channels; see `PlaneReader`.

    Parameters
    ----------
    path : str
        A local path or an fsspec URL.
    image : int or str, optional
        Number or name of the image; default: the scan.

    Raises
    ------
    SlideNotFoundError, BrokenSlideError, UnsupportedSlideError
        If the file does not exist, is damaged, or its values are not uint8, uint16 or
        float32.
    """

    path: str

    def _describe_levels(self, shown: TiffImage, size: int) -> None:
        stack = shown.stack
        if stack is None:
            raise UnsupportedSlideError(self._path, "it has no channels")
        declared = self._describe_shown(shown, _BLACK)
        self.path = self._path
        self.icc_profile = None
        self.facts, self.depth, self.z = stack.facts, stack.depth, 0
        self._levels = [self._stored_level(level) for level in stack.levels]
        kinds = set().union(*(level.kinds for level in self._levels))
        if len(kinds) > 1 or any(len(level.forms) > 1 for level in self._levels):
            reason = "its channels or levels are not stored in the same way"
            raise UnsupportedSlideError(self._path, reason)
        self.dtype = kinds.pop()
        if (end := max(level.end for level in self._levels)) > size:
            reason = f"it ends after {size:,} of {end:,} bytes"
            raise BrokenSlideError(self._path, reason)
        full = stack.levels[0].size
        self.levels = tuple(
            Level(
                level.size,
                (full[0] / level.size[0] + full[1] / level.size[1]) / 2,
                level.segment if level.is_tiled else None,
            )
            for level in self._levels
        )
        self._cache = _Tiles(_CACHE_BYTES)
        self.notes = (
            *declared.notes,
            *self._notes_on_images(),
            *describe_stack(stack),
        )

    def _stored_level(self, level: StackLevel) -> _StoredLevel:
        """Parse the directories of a level."""
        pages = []
        for directories in level.planes:
            for directory in directories:
                directory.check()
            pages.append([self._page(directory) for directory in directories])
            for page in pages[-1]:
                _check_page(page, self._path)
        return _StoredLevel(level, pages, self._file)

    def read_planes(
        self,
        level: int,
        origin: tuple[int, int],
        size: tuple[int, int],
        channels: Sequence[int],
        *,
        z: int,
        threads: int = 1,
    ) -> NDArray[Any]:
        """Return stored values; see `PlaneReader.read_planes`."""
        stored = self._levels[level]
        out = np.zeros((len(channels), size[1], size[0]), self.dtype)
        targets: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for number, channel in enumerate(channels):
            plane, sample = stored.place(channel)
            for index in stored.tiles_of(origin, size):
                targets.setdefault((plane, index), []).append((number, sample))

        def fill(plane: int, index: int) -> None:
            key = level, z, plane, index
            tile = self._cache.get(key, partial(stored.decode, z, plane, index))
            if tile is not None:
                place = stored.origin_of(index)
                _copy(tile, place, out, origin, targets[plane, index])

        try:
            run_parallel((partial(fill, *key) for key in targets), threads)
        except Exception as error:
            place = f"level {level} at {origin}"
            reason = str(error) or type(error).__name__
            raise SlideReadError(self._path, place, reason) from error
        return out


def _copy(
    tile: NDArray[Any],
    place: tuple[int, int],
    out: NDArray[Any],
    origin: tuple[int, int],
    targets: list[tuple[int, int]],
) -> None:
    """Copy samples of a tile at a place to channels of a box at its origin."""
    left, top = place
    x0, y0 = max(left, origin[0]), max(top, origin[1])
    x1 = min(left + tile.shape[1], origin[0] + out.shape[2])
    y1 = min(top + tile.shape[0], origin[1] + out.shape[1])
    rows = slice(y0 - origin[1], y1 - origin[1])
    columns = slice(x0 - origin[0], x1 - origin[0])
    part = tile[y0 - top : y1 - top, x0 - left : x1 - left]
    for number, sample in targets:
        out[number, rows, columns] = part[..., sample]


class _StoredLevel:
    """The stored tiles of all planes of a level."""

    def __init__(
        self, level: StackLevel, pages: list[list[Any]], file: PositionedFile
    ) -> None:
        self.size = level.size
        self._file = file
        self._planes = [
            [plane for page in each for plane in planes_of(page)] for each in pages
        ]
        every = [page for each in pages for page in each]
        planes = [plane for each in self._planes for plane in each]
        self.kinds = {np.dtype(page.dtype) for page in every}
        self.forms = {
            *((*segment_size(page), bool(page.is_tiled)) for page in every),
            *((plane.band,) for plane in planes if plane.band != planes[0].band),
        }
        self.is_tiled = bool(every[0].is_tiled)
        self._interleaved = len(pages[0]) == len(self._planes[0]) == 1
        width, height = segment_size(every[0])
        self.segment = width, planes[0].band or height
        self.columns = -(-self.size[0] // self.segment[0])
        self.end = max(plane.end for plane in planes)

    def place(self, channel: int) -> tuple[int, int]:
        """Return the plane that holds a channel, and its sample there."""
        return (0, channel) if self._interleaved else (channel, 0)

    def tiles_of(self, origin: tuple[int, int], size: tuple[int, int]) -> list[int]:
        """Return the indices of the tiles that a box touches."""
        columns, rows = (
            range(start // side, (start + length - 1) // side + 1)
            for start, length, side in zip(origin, size, self.segment, strict=True)
        )
        return [row * self.columns + column for row in rows for column in columns]

    def origin_of(self, index: int) -> tuple[int, int]:
        """Return the upper left corner of a tile, in pixels of the level."""
        row, column = divmod(index, self.columns)
        return column * self.segment[0], row * self.segment[1]

    def decode(self, z: int, plane: int, index: int) -> NDArray[Any] | None:
        """Return a stored tile, (height, width, samples); None if it is not stored."""
        stored = self._planes[z][plane]
        if not stored.counts[index]:
            return None
        return stored.decode(self._file, index)


def _check_page(page: Any, path: str) -> None:
    """Refuse a page whose samples are not plain values of a supported type."""
    if page.dtype is None or np.dtype(page.dtype) not in DTYPES:
        reason = f"its channels are {page.dtype}, not uint8, uint16 or float32"
        remedy = "Convert its values to one of these types."
        raise unsupported_samples(path, reason, remedy)
    if page.bitspersample != np.dtype(page.dtype).itemsize * 8:
        reason = f"its values have {page.bitspersample} bits"
        raise unsupported_samples(path, reason, "Convert them to 8, 16 or 32 bits.")
    if page.tags.valueof(_ORIENTATION) in range(2, 9):
        reason = "its Orientation tag requires a rotation or flip"
        raise unsupported_samples(path, reason, "Rotate the values themselves.")


class _Tiles:
    """Cache of decoded tiles, the latest used; thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit, self._bytes = limit, 0
        self._lock = threading.Lock()
        self._tiles: OrderedDict[tuple[int, ...], NDArray[Any] | None] = OrderedDict()

    def get(self, key: tuple[int, ...], decode: Any) -> NDArray[Any] | None:
        """Return a tile; it is decoded if it is not there."""
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
                return self._tiles[key]
        tile: NDArray[Any] | None = decode()
        with self._lock:
            if key not in self._tiles:
                self._tiles[key] = tile
                self._bytes += 0 if tile is None else tile.nbytes
            while self._bytes > self._limit and len(self._tiles) > 1:
                _, oldest = self._tiles.popitem(last=False)
                self._bytes -= 0 if oldest is None else oldest.nbytes
        return tile
