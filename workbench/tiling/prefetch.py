"""Tiles as batches, read ahead while the model works on the one before."""

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


_LOOK_S: Final = 0.05
"""How often a reader that is far enough ahead looks whether the focus has moved."""


class TileSource(Protocol):
    """What batches are read from: a `Slide`, or anything that reads tiles alike."""

    @property
    def path(self) -> str:
        """Where the pixels come from, for error messages."""

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
        """Return them as stored JPEG tiles, if they are; asked for only on demand."""


class Order(Protocol):
    """Which chunk comes first, as things are now; asked from several threads."""

    def first(self, numbers: Sequence[int]) -> int:
        """Return which of some drawn chunks is to be given first."""

    def hurries(self, numbers: Sequence[int]) -> bool:
        """Return whether one not yet drawn should come before all of these."""


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Some tiles of a grid, in the order that was asked for."""

    number: int
    """Of the chunk it answers."""

    indices: NDArray[np.int64]
    """Numbers of the tiles in the grid, int64 of shape (N,)."""

    pixels: NDArray[np.uint8]
    """uint8, shape (N, tile_px, tile_px, 3), sRGB; this batch's own memory. None of
    them where they are still encoded."""

    seconds: float = 0.0
    """How long reading it took."""

    encoded: EncodedBoxes | None = None
    """What becomes the pixels, where that was asked for and can be."""

    shown: tuple[Box, ...] = ()
    """What of each tile is on the slide, in its own pixels, if the slide's edge is to
    cut tiles and cuts some of these; else none."""


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
    """Read one batch for each chunk, ahead of whoever takes them.

    One thread reads; it is at most `prefetch` batches ahead, and it also draws from
    `chunks`, as late as that allows, so that a schedule can still change its mind.
    With an `order`, a batch that hurries is read although others wait, and is given
    before them. Closing the iterator, or dropping it, stops the thread after the
    batch in hand.

    Parameters
    ----------
    slide : Slide
        What to read.
    grid : Grid
        Where its tiles lie.
    chunks : iterable of (int, int64 (N,))
        Batch number and the tiles of that batch.
    order : Order, optional
        Says which batch is given first; by default the one that was read first.
    prefetch : int
        Batches that may wait to be taken, at least 1; twice as many if some hurry.
    threads : int or (int, int)
        Decoding threads within one batch; of two, the second while one is waited for
        or none is ready: whoever waits needs no processor.
    allocate : callable, optional
        Returns uint8 memory of a shape, such as pinned memory for a GPU.
    encoded : callable
        Whether the next batch is better left encoded, where it is stored as JPEG tiles.
    border : Border
        What tiles show beyond the slide's edge. If not its background, batches that
        reach there are decoded here. With "cut" they show the background, and say
        what of them is on the slide.

    Yields
    ------
    Batch
        With uint8 pixels of shape (N, tile_px, tile_px, 3).

    Raises
    ------
    SlideReadError
        When a batch could not be read, naming the file and the tiles' place; raised
        where the batch would have been taken, after all batches before it.
    """
    if isinstance(threads, int):
        threads = threads, threads
    read = _Reading(slide, grid, threads, allocate, encoded, border)
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
class _Reading:
    """How one chunk becomes a batch."""

    slide: TileSource
    grid: Grid
    threads: tuple[int, int]
    """While batches are ready, and while one is waited for or none is ready."""

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
            over = self._over_the_edge(tiles)
            if self.encoded() and not over:
                encoded = self.slide.read_encoded(boxes, (side, side))
            if encoded is None:
                pixels = self._pixels(boxes, self.threads[awaited])
                if self.border == "cut" and over:
                    shown = tuple(map(self.grid.on_slide, tiles.tolist()))
                else:
                    for i, inside in over.items():
                        go_on(pixels[i], inside, self.border)
        except WorkbenchError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise SlideReadError(self.slide.path, Box.hull(boxes), reason) from error
        spent = time.perf_counter() - began
        return Batch(number, tiles, pixels, spent, encoded, shown)

    def _over_the_edge(self, tiles: NDArray[np.int64]) -> dict[int, Box]:
        """Return what is on the slide of tiles that are to go on beyond its edge."""
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


def go_on(tile: NDArray[np.uint8], inside: Box, border: Border) -> None:
    """Let a tile go on beyond the edge of the slide, in place.

    Parameters
    ----------
    tile : uint8 (side, side, 3)
    inside : Box
        What of it is on the slide, in its own pixels.
    border : Border
        "mirror" or "median".
    """
    if border == "median":
        part = np.s_[inside.y0 : inside.y1, inside.x0 : inside.x1]
        shown = tile[part].copy()
        tile[:] = np.rint(np.median(shown, axis=(0, 1)))
        tile[part] = shown
        return
    rows = _mirrored(len(tile), inside.y0, inside.y1)
    columns = _mirrored(len(tile), inside.x0, inside.x1)
    tile[:] = tile[rows[:, None], columns]


def _mirrored(side: int, first: int, end: int) -> NDArray[np.int64]:
    """Return which pixel between `first` and `end` is shown at each of a side."""
    length = end - first
    back_and_forth = (np.arange(side) - first) % (2 * length)
    return first + np.minimum(back_and_forth, 2 * length - 1 - back_and_forth)


class _ReadAhead:
    """The producer and the batches that wait; all that is shared is behind one lock."""

    def __init__(
        self,
        read: _Reading,
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
        """Whether somebody waits for a batch."""
        self._stopped = False
        self._ended = False
        self._error: BaseException | None = None

    def stop(self) -> None:
        """Let the producer end after what it is doing now."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take(self) -> Batch | None:
        """Wait for the next batch; None when all were taken."""
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
        """Read batch after batch, as long as there is room for them."""
        error = None
        try:
            remaining = iter(chunks)
            while self._wait_for_room() and (chunk := next(remaining, None)):
                # Who waits may not have woken up yet for what is ready.
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
        # A focus that moves tells nobody: whoever follows one has to look.
        patience = None if self._order is None else _LOOK_S
        with self._changed:
            while not (self._stopped or self._has_room()):
                self._changed.wait(patience)
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
