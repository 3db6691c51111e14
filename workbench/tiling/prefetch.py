"""Prefetching of batches: tiles are read while the model processes earlier ones."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from workbench.errors import SlideReadError, WorkbenchError
from workbench.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from numpy.typing import NDArray

    from workbench.slide.encoded_regions import EncodedBoxes
    from workbench.tiling.border import Border
    from workbench.tiling.grid import Grid


_POLL_S: Final = 0.05
"""Interval in seconds at which a waiting reader checks whether the focus has moved."""


class TileSource(Protocol):
    """Source of batches: a `Slide`, or an object with the same methods."""

    @property
    def path(self) -> str:
        """Path of the source, for error messages."""

    def read_tiles(
        self,
        boxes: Sequence[Box],
        size: tuple[int, int],
        *,
        threads: int = 1,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return every box resampled to `size`, uint8 (N, height, width, 3)."""

    def read_encoded(
        self, boxes: Sequence[Box], size: tuple[int, int]
    ) -> EncodedBoxes | None:
        """Return boxes as stored JPEG tiles; None if they are not stored so."""


class Order(Protocol):
    """Current priority of chunks; called from several threads."""

    def first(self, numbers: Sequence[int]) -> int:
        """Return the chunk among `numbers` (already read) to deliver first."""

    def hurries(self, numbers: Sequence[int]) -> bool:
        """Return whether a chunk not yet read should come before all of `numbers`."""


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """The tiles of one chunk, in the order of the chunk."""

    number: int
    """Number of the chunk."""

    indices: NDArray[np.int64]
    """Numbers of the tiles in the grid, int64 of shape (N,)."""

    pixels: NDArray[np.uint8]
    """uint8, shape (N, tile_px, tile_px, 3), sRGB; memory owned by the batch. Empty
    (N = 0) if the tiles are encoded."""

    seconds: float = 0.0
    """Time of reading, in seconds."""

    encoded: EncodedBoxes | None = None
    """Encoded tiles in place of `pixels`, if requested and possible."""

    shown: tuple[Box, ...] = ()
    """Part of each tile that is on the slide, in tile pixels, if the border is "cut"
    and
    the edge of the slide cuts some of these tiles; else empty."""


def read_batches(  # noqa: PLR0913 - options that have nothing to do with each other
    slide: TileSource,
    grid: Grid,
    chunks: Iterable[tuple[int, NDArray[np.int64]]],
    *,
    order: Order | None = None,
    prefetch: int = 2,
    threads: int | tuple[int, int] = 1,
    allocate: Callable[[tuple[int, ...]], NDArray[np.uint8]] | None = None,
    encoded: Callable[[], bool] = lambda: False,
    border: Border = "background",
) -> Generator[Batch, None, None]:
    """Read one batch per chunk, ahead of the consumer.

    One thread reads; it is at most `prefetch` batches ahead. It also draws from
    `chunks` as late as possible, so that their order can still change. With an `order`,
    an urgent batch is read although others wait, and is delivered before them. Closing
    or dropping the iterator stops the thread after the current batch.

    Parameters
    ----------
    slide : Slide
        Source of the tiles.
    grid : Grid
        Grid of the tiles.
    chunks : iterable of (int, int64 (N,))
        Number and tiles of each chunk.
    order : Order, optional
        Priority of batches; default: in the order of reading.
    prefetch : int
        Maximum number of waiting batches, at least 1; twice as many with urgent ones.
    threads : int or (int, int)
        Decoding threads within one batch. Of two numbers, the second is used while the
        consumer waits or no batch is ready, because then it needs no CPU.
    allocate : callable, optional
        Returns a uint8 array of a shape, for example in pinned memory for a GPU.
    encoded : callable
        Returns whether the next batch should stay encoded, if stored as JPEG tiles.
    border : Border
        Padding of tiles beyond the edge of the slide. Except for "background", batches
        at the edge are decoded on the CPU. With "cut" the pixels are background, and
        `Batch.shown` gives the part on the slide.

    Yields
    ------
    Batch
        With uint8 pixels of shape (N, tile_px, tile_px, 3).

    Raises
    ------
    SlideReadError
        If a batch cannot be read; it names the file and the position of the tiles. It
        is raised in place of the batch, after all batches before it.
    """
    if isinstance(threads, int):
        threads = threads, threads
    read = _BatchReader(slide, grid, threads, allocate, encoded, border)
    ahead = _ReadAhead(read, slots=max(1, prefetch), order=order)
    thread = threading.Thread(
        target=ahead.produce, args=(chunks,), name="read-ahead", daemon=True
    )
    thread.start()
    try:
        while (batch := ahead.take()) is not None:
            yield batch
    finally:
        ahead.stop()
        thread.join()


@dataclass(frozen=True)
class _BatchReader:
    """Reads the batch of a chunk."""

    slide: TileSource
    grid: Grid
    threads: tuple[int, int]
    """Number of threads while batches are ready, and while the consumer waits."""

    allocate: Callable[[tuple[int, ...]], NDArray[np.uint8]] | None
    encoded: Callable[[], bool]
    border: Border

    def __call__(
        self, number: int, indices: NDArray[np.int64], *, awaited: bool
    ) -> Batch:
        began = time.perf_counter()
        tiles = np.asarray(indices, np.int64)
        boxes = self.grid.tiles(tiles.tolist())
        side = self.grid.tile_px
        pixels, encoded = np.empty((0, side, side, 3), np.uint8), None
        shown: tuple[Box, ...] = ()
        if not boxes:
            return Batch(number, tiles, pixels)
        try:
            over = self._find_padded(tiles)
            if self.encoded() and not over:
                encoded = self.slide.read_encoded(boxes, (side, side))
            if encoded is None:
                pixels = self._pixels(boxes, self.threads[awaited])
                if self.border == "cut" and over:
                    shown = tuple(map(self.grid.on_slide, tiles.tolist()))
                else:
                    for i, inside in over.items():
                        pad_tile(pixels[i], inside, self.border)
        except WorkbenchError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise SlideReadError(self.slide.path, Box.hull(boxes), reason) from error
        spent = time.perf_counter() - began
        return Batch(number, tiles, pixels, spent, encoded, shown)

    def _find_padded(self, tiles: NDArray[np.int64]) -> dict[int, Box]:
        """Return the part on the slide of each tile that needs padding, by index."""
        if self.border == "background":
            return {}
        whole = Box(0, 0, self.grid.tile_px, self.grid.tile_px)
        parts = map(self.grid.on_slide, tiles.tolist())
        return {i: part for i, part in enumerate(parts) if part != whole}

    def _pixels(self, boxes: list[Box], threads: int) -> NDArray[np.uint8]:
        side = self.grid.tile_px
        if self.allocate is None:
            return self.slide.read_tiles(boxes, (side, side), threads=threads)
        out = self.allocate((len(boxes), side, side, 3))
        return self.slide.read_tiles(boxes, (side, side), threads=threads, out=out)


def pad_tile(tile: NDArray[np.uint8], inside: Box, border: Border) -> None:
    """Pad a tile beyond the edge of the slide, in place.

    Parameters
    ----------
    tile : uint8 (side, side, 3)
    inside : Box
        Part of the tile that is on the slide, in tile pixels.
    border : Border
        "mirror" or "median".
    """
    if border == "median":
        part = np.s_[inside.y0 : inside.y1, inside.x0 : inside.x1]
        shown = tile[part].copy()
        tile[:] = np.rint(np.median(shown, axis=(0, 1)))
        tile[part] = shown
        return
    rows = _mirror_indices(len(tile), inside.y0, inside.y1)
    columns = _mirror_indices(len(tile), inside.x0, inside.x1)
    tile[:] = tile[rows[:, None], columns]


def _mirror_indices(side: int, first: int, end: int) -> NDArray[np.int64]:
    """Return the index between `first` and `end` of each pixel, mirrored at both."""
    length = end - first
    back_and_forth = (np.arange(side) - first) % (2 * length)
    return first + np.minimum(back_and_forth, 2 * length - 1 - back_and_forth)


class _ReadAhead:
    """Producer and waiting batches; one lock guards the shared state."""

    def __init__(
        self,
        read: _BatchReader,
        *,
        slots: int,
        order: Order | None,
    ) -> None:
        self._read = read
        self._slots = slots
        self._order = order
        self._changed = threading.Condition()
        self._ready: dict[int, Batch] = {}
        self._awaited = False
        """Whether the consumer waits for a batch."""
        self._stopped = False
        self._ended = False
        self._error: BaseException | None = None

    def stop(self) -> None:
        """Stop the producer after the current batch."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take(self) -> Batch | None:
        """Wait for the next batch; None after the last one."""
        with self._changed:
            self._awaited = not self._ready
            self._changed.wait_for(lambda: self._ready or self._ended)
            self._awaited = False
            if self._ready:
                self._changed.notify_all()
                return self._ready.pop(self._first())
            if self._error is not None:
                raise self._error
            return None

    def produce(self, chunks: Iterable[tuple[int, NDArray[np.int64]]]) -> None:
        """Read batches while there is room for them."""
        error = None
        try:
            remaining = iter(chunks)
            while self._wait_for_room() and (chunk := next(remaining, None)):
                # A waiting consumer may not have woken up yet.
                awaited = self._awaited or not self._ready
                self._put(self._read(*chunk, awaited=awaited))
        except BaseException as caught:  # noqa: BLE001 - raised again by the consumer
            error = caught
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def _put(self, batch: Batch) -> None:
        with self._changed:
            self._ready[batch.number] = batch
            self._changed.notify_all()

    def _wait_for_room(self) -> bool:
        # A change of the focus sends no notification, so it is polled.
        interval = None if self._order is None else _POLL_S
        with self._changed:
            while not (self._stopped or self._has_room()):
                self._changed.wait(interval)
            return not self._stopped

    def _has_room(self) -> bool:
        if len(self._ready) < self._slots:
            return True
        if self._order is None or len(self._ready) >= 2 * self._slots:
            return False
        return self._order.hurries(list(self._ready))

    def _first(self) -> int:
        if self._order is None:
            return next(iter(self._ready))
        return self._order.first(list(self._ready))
