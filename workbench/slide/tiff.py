"""TIFF slides: tiffslide opens and describes them, stored tiles are read directly."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tiffslide

from workbench.crew import work_together
from workbench.errors import (
    BrokenSlideError,
    SlideError,
    SlideReadError,
    UnsupportedSlideError,
)
from workbench.geometry import Box
from workbench.slide.memory import empty_pixels
from workbench.slide.positioned import PositionedFile
from workbench.slide.reader import EncodedTile, Level, mpp_pair
from workbench.slide.stored_tiles import StoredTiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CHANNELS = 3
_WHITE = (255, 255, 255)


class TiffReader:
    """Any TIFF that tiffslide opens: SVS, generic and OME pyramids and more.

    Parameters
    ----------
    path : str
        A local path or an fsspec URL.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.name = f"tiffslide {tiffslide.__version__}"
        self._lock = threading.Lock()
        self._slide = _open(path)
        try:
            self._describe()
        except SlideError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise BrokenSlideError(path, str(error) or type(error).__name__) from error

    def _describe(self) -> None:
        """Parse all that will be needed, while only one thread is here."""
        slide = self._slide
        properties = slide.properties
        self.properties = {
            key: str(value) for key, value in properties.items() if value is not None
        }
        self.declared_mpp_xy = mpp_pair(
            properties.get("tiffslide.mpp-x"), properties.get("tiffslide.mpp-y")
        )
        self.declared_mpp = self.declared_mpp_xy and self.declared_mpp_xy[0]
        self.background = background_of(properties.get("tiffslide.background-color"))
        self.bounds = Box(0, 0, *slide.dimensions)
        self.icc_profile: bytes | None = slide.color_profile and bytes(
            slide.color_profile.tobytes()
        )
        self.associated_names = tuple(slide.associated_images)
        pages = self._pages()
        self._check(pages[0])
        handle = slide.ts_tifffile.filehandle
        file = self._file = PositionedFile(handle)
        self._stored = [
            StoredTiles(page, file, self.background)
            if page is not None and StoredTiles.fits(page)
            else None
            for page in pages
        ]
        self._reduced = [
            {n: stored.reduced(n) for n in stored.reductions} if stored else {}
            for stored in self._stored
        ]
        end = max((stored.end for stored in self._stored if stored), default=0)
        if end > handle.size:
            reason = f"it ends after {handle.size:,} of {end:,} bytes"
            raise BrokenSlideError(self._path, reason)
        self.levels = tuple(
            Level(
                size,
                float(downsample),
                stored.size if stored else None,
                stored.reductions if stored else (1,),
            )
            for size, downsample, stored in zip(
                slide.level_dimensions,
                slide.level_downsamples,
                self._stored,
                strict=True,
            )
        )

    @property
    def waited_s(self) -> float:
        """For how many seconds stored tiles were waited for, of all threads."""
        return self._file.seconds

    def _pages(self) -> list[Any]:
        index = self._slide.properties.get("tiffslide.series-index")
        if not isinstance(index, int):
            return [None] * self._slide.level_count
        series = self._slide.ts_tifffile.series[index]
        return [
            level.keyframe if len(level.pages) == 1 else None for level in series.levels
        ]

    def _check(self, page: Any) -> None:
        """Refuse pixels that are not 8-bit grey or RGB."""
        if page is None:
            return
        samples = int(page.samplesperpixel)
        if page.dtype != np.uint8 or samples not in {1, _CHANNELS, _CHANNELS + 1}:
            reason = f"its pixels are {samples} x {page.dtype}, not 8-bit grey or RGB"
            raise UnsupportedSlideError(
                self._path,
                reason,
                "If it is a label image, open the slide that it belongs to; else"
                " convert it to 8-bit RGB.",
            )

    def read_batch(
        self,
        level: int,
        origins: Sequence[tuple[int, int]],
        width: int,
        height: int,
        *,
        reduction: int = 1,
        threads: int = 1,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return boxes of one size, uint8 (N, height, width, 3).

        Each stored tile is decoded once, however many boxes it is part of.
        """
        if out is None:
            out = empty_pixels((len(origins), height, width, _CHANNELS))
        stored = self._reduced[level].get(reduction)
        try:
            if stored is None:
                for picture, (x, y) in zip(out, origins, strict=True):
                    picture[:] = self._library_read(level, x, y, width, height)
            else:
                _fill(out, stored, origins, threads)
        except Exception as error:
            place = f"level {level} at {origins[0]}"
            raise SlideReadError(self._path, place, str(error)) from error
        return out

    def _library_read(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        whole = self.levels[level]
        out = np.empty((height, width, _CHANNELS), np.uint8)
        out[:] = self.background
        x0, y0 = max(0, x), max(0, y)
        x1, y1 = min(whole.size[0], x + width), min(whole.size[1], y + height)
        if x0 < x1 and y0 < y1:
            location = round(x0 * whole.downsample), round(y0 * whole.downsample)
            with self._lock:
                pixels = self._slide.read_region(
                    location, level, (x1 - x0, y1 - y0), as_array=True
                )
            if pixels.ndim == 2:  # noqa: PLR2004 - grey
                pixels = pixels[..., None]
            out[y0 - y : y1 - y, x0 - x : x1 - x] = pixels[..., :_CHANNELS]
        return out

    def encoded_tile(
        self, level: int, column: int, row: int, *, wait: bool = True
    ) -> EncodedTile | None:
        """Return a stored JPEG tile; see `Reader.encoded_tile`."""
        stored = self._stored[level]
        if stored is None:
            return None
        if not (0 <= column < stored.columns and 0 <= row < stored.rows):
            return None
        data = stored.encoded(row * stored.columns + column, wait=wait)
        return None if data is None else EncodedTile(data, "image/jpeg")

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image; see `Reader.associated`."""
        with self._lock:
            return np.asarray(self._slide.associated_images[name].convert("RGB"))

    def close(self) -> None:
        """Give back the file."""
        self._slide.close()


def _open(path: str) -> tiffslide.TiffSlide:
    """Open with tiffslide, which lets through whatever a damaged file provokes."""
    try:
        return tiffslide.TiffSlide(path)
    except NotImplementedError as error:
        raise UnsupportedSlideError(path, str(error)) from error
    except Exception as error:
        raise BrokenSlideError(path, str(error) or type(error).__name__) from error


_Piece = tuple["NDArray[np.uint8]", int, int]
"""Where a part of a stored tile goes: the target, and x and y in the tile."""


def _fill(
    out: NDArray[np.uint8],
    stored: StoredTiles,
    origins: Sequence[tuple[int, int]],
    threads: int,
) -> None:
    """Read every box, decoding each tile once, by several threads if asked."""
    if len(out) == 1:
        _, height, width, _ = out.shape
        index = stored.whole(*origins[0], width, height)
        if index is not None:
            stored.decode_into(out[0], index)
            return
    pieces = _planned(out, stored, origins)
    # One box has no neighbours to keep anything for, and keeping costs memory traffic.
    scatter = _scatter if len(out) == 1 else _scatter_and_keep
    jobs = (partial(scatter, stored, index, each) for index, each in pieces.items())
    work_together(jobs, threads)


def _planned(
    out: NDArray[np.uint8], stored: StoredTiles, origins: Sequence[tuple[int, int]]
) -> dict[int, list[_Piece]]:
    """Return what goes where of every tile that the boxes touch.

    What is outside of the level is filled with the background.
    """
    _, height, width, _ = out.shape
    right, bottom = stored.limit
    # A raster's boxes share their columns and rows.
    across = {x: _spans(x, width, stored.width, right) for x, _ in origins}
    down = {y: _spans(y, height, stored.height, bottom) for _, y in origins}
    pieces: dict[int, list[_Piece]] = {}
    for picture, (x, y) in zip(out, origins, strict=True):
        if x < 0 or y < 0 or x + width > right or y + height > bottom:
            picture[:] = stored.background
        for row, top, rows in down[y]:
            first = row * stored.columns
            for column, left, columns in across[x]:
                piece = picture[rows, columns], left, top
                pieces.setdefault(first + column, []).append(piece)
    return pieces


def _spans(
    start: int, length: int, side: int, limit: int
) -> list[tuple[int, int, slice]]:
    """Cut a length at the edges of tiles: each tile, where in it, and where in all."""
    at, end = max(0, start), min(limit, start + length)
    spans = []
    while at < end:
        number, inner = divmod(at, side)
        upto = min(end, at - inner + side)
        spans.append((number, inner, slice(at - start, upto - start)))
        at = upto
    return spans


def _scatter(stored: StoredTiles, index: int, pieces: list[_Piece]) -> None:
    """Decode a tile and copy it where it is wanted, in place where it fits."""
    target, *_ = pieces[0]
    whole = target.shape[:2] == (stored.height, stored.width)
    if len(pieces) == 1 and whole and target.flags.c_contiguous:
        stored.decode_into(target, index)
    else:
        _copy(stored.decode(index), pieces)


def _scatter_and_keep(stored: StoredTiles, index: int, pieces: list[_Piece]) -> None:
    """Do the same, and keep the tile for the next batch while there is more in it."""
    used = sum(target.shape[0] * target.shape[1] for target, *_ in pieces)
    if (kept := stored.kept.take(index)) is not None:
        pixels, before = kept
        used += before
    elif used >= stored.area_of(index):
        _scatter(stored, index, pieces)
        return
    else:
        pixels = stored.kept.empty()
        stored.decode_into(pixels, index)
    _copy(pixels, pieces)
    if used < stored.area_of(index):
        stored.kept.keep(index, pixels, used)
    else:
        stored.kept.release(pixels)


def _copy(pixels: NDArray[np.uint8], pieces: list[_Piece]) -> None:
    for target, x, y in pieces:
        height, width, _ = target.shape
        target[:] = pixels[y : y + height, x : x + width]


def background_of(text: str | None) -> tuple[int, int, int]:
    """Return the colour that a property names as six hex digits, else white."""
    if not text:
        return _WHITE
    red, green, blue = bytes.fromhex(text.strip().lstrip("#")[:6])
    return red, green, blue
