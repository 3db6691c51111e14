"""Tiles as batches, read ahead while the model works on the one before."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

import numpy as np

from workbench.errors import SlideReadError, WorkbenchError
from workbench.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from numpy.typing import NDArray

    from workbench.grid import Grid


class TileSource(Protocol):
    """What batches are read from: a `Slide`, or anything that reads tiles alike."""

    @property
    def path(self) -> str:
        """Where the pixels come from, for error messages."""

    def read_tiles(
        self, boxes: Sequence[Box], size: tuple[int, int], *, threads: int = 1
    ) -> NDArray[np.uint8]:
        """Return every box resampled to `size`, uint8 (N, height, width, 3)."""


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Some tiles of a grid, in the order that was asked for."""

    number: int
    """Of the chunk it answers."""

    indices: NDArray[np.int64]
    """Numbers of the tiles in the grid, int64 of shape (N,)."""

    pixels: NDArray[np.uint8]
    """uint8, shape (N, tile_px, tile_px, 3), sRGB; this batch's own memory."""


def read_batches(
    slide: TileSource,
    grid: Grid,
    chunks: Iterable[tuple[int, NDArray[np.int64]]],
    *,
    prefetch: int = 2,
    threads: int = 1,
) -> Generator[Batch, None, None]:
    """Read one batch for each chunk, in order, ahead of whoever takes them.

    One thread reads; it is at most `prefetch` batches ahead, and it also draws from
    `chunks`, as late as that allows, so that a schedule can still change its mind.
    Closing the iterator, or dropping it, stops the thread after the batch in hand.

    Parameters
    ----------
    slide : Slide
        What to read.
    grid : Grid
        Where its tiles lie.
    chunks : iterable of (int, int64 (N,))
        Batch number and the tiles of that batch.
    prefetch : int
        Batches that may wait to be taken, at least 1.
    threads : int
        Decoding threads within one batch.

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
    reader = _ReadAhead(slide, grid, threads=threads, slots=max(1, prefetch))
    thread = threading.Thread(
        target=reader.produce, args=(chunks,), name="read-ahead", daemon=True
    )
    thread.start()
    try:
        while (item := reader.ready.get()) is not None:
            reader.free.release()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        reader.stop()
        thread.join()


class _ReadAhead:
    """The producer: it knows nothing of its consumer but a queue and free slots.

    A semaphore bounds the queue, so that stopping is waking the producer once and
    needs no polling.
    """

    def __init__(
        self, slide: TileSource, grid: Grid, *, threads: int, slots: int
    ) -> None:
        self.ready: SimpleQueue[Batch | BaseException | None] = SimpleQueue()
        self.free = threading.Semaphore(slots)
        self._slide = slide
        self._grid = grid
        self._threads = threads
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let the producer end after what it is doing now."""
        self._stopped.set()
        self.free.release()

    def produce(self, chunks: Iterable[tuple[int, NDArray[np.int64]]]) -> None:
        """Read batch after batch; `None` says that all are read."""
        try:
            remaining = iter(chunks)
            while self._wait_for_slot() and (chunk := next(remaining, None)):
                self.ready.put(self._read(*chunk))
        except BaseException as error:  # noqa: BLE001 - raised again by the consumer
            self.ready.put(error)
        else:
            self.ready.put(None)

    def _wait_for_slot(self) -> bool:
        self.free.acquire()
        return not self._stopped.is_set()

    def _read(self, number: int, indices: NDArray[np.int64]) -> Batch:
        tiles = np.asarray(indices, np.int64)
        boxes = [self._grid.tile(int(index)) for index in tiles]
        side = self._grid.tile_px
        if not boxes:
            return Batch(number, tiles, np.empty((0, side, side, 3), np.uint8))
        try:
            pixels = self._slide.read_tiles(boxes, (side, side), threads=self._threads)
        except WorkbenchError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise SlideReadError(self._slide.path, Box.hull(boxes), reason) from error
        return Batch(number, tiles, pixels)
