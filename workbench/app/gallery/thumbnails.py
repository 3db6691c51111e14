"""Thumbnails of slides, plain or under a result, in a cache of bounded size."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np
from cachetools import LRUCache

from workbench.app.gallery.result_pictures import under_result
from workbench.layers.encode import encode_jpeg
from workbench.slide.pixel_size import parse_mpp
from workbench.slide.slide import open_slide

if TYPE_CHECKING:
    from concurrent.futures import Future

    from workbench.results.run import Run
    from workbench.study.slide_table import SlideRow

THUMBNAIL_PX: Final = 320
"""Longest side."""

_CACHE_BYTES: Final = 96 << 20
_THREADS: Final = 2


class Thumbnails:
    """Draws thumbnails in threads, and keeps the last. Thread-safe.

    Parameters
    ----------
    max_bytes : int
        Most bytes of JPEGs that are kept.
    """

    def __init__(self, max_bytes: int = _CACHE_BYTES) -> None:
        self._kept: LRUCache[tuple[str, ...], bytes] = LRUCache(max_bytes, len)
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="thumbnail")

    def kept(self, key: tuple[str, ...]) -> bytes | None:
        """Return the JPEG of a key, if it was drawn before."""
        with self._lock:
            return self._kept.get(key)

    def draw(
        self,
        key: tuple[str, ...],
        row: SlideRow,
        run: Run | None = None,
        name: str = "",
    ) -> Future[bytes]:
        """Draw the thumbnail of a slide in a thread.

        Parameters
        ----------
        key : tuple of str
            Under which it is kept.
        row : SlideRow
        run : Run, optional
            Run whose result lies over it.
        name : str
            One of `shown_of` the run.
        """
        return self._pool.submit(self._draw, key, row, run, name)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _draw(
        self, key: tuple[str, ...], row: SlideRow, run: Run | None, name: str
    ) -> bytes:
        data = thumbnail(row, run, name)
        with self._lock:
            if len(data) <= self._kept.maxsize:
                self._kept[key] = data
        return data


def thumbnail(row: SlideRow, run: Run | None = None, name: str = "") -> bytes:
    """Return the thumbnail of a slide as JPEG, at most `THUMBNAIL_PX` on a side.

    Raises
    ------
    SlideError
        If the slide cannot be opened or read.
    KeyError
        If the run has no such class.
    RunError
        If its results cannot be read.
    """
    mpp = parse_mpp(row.mpp) if row.mpp else None
    with open_slide(row.path, mpp=mpp) as slide:
        region = slide.thumbnail(THUMBNAIL_PX)
        pixels, width = np.asarray(region.pixels), slide.size[0]
    if run is not None:
        pixels = under_result(pixels, run, name, pixels.shape[1] / width)
    return encode_jpeg(np.ascontiguousarray(pixels[..., :3])).data
