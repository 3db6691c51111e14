"""Makes the tiles of a pyramid, strip by strip, in memory that does not grow.

A block of the finest level gives whole tiles of the next levels too; the coarser levels
are halved from these, strip by strip. Tiles come in a fixed order, so an interrupted
conversion that is continued gives the same file.
"""

from __future__ import annotations

import itertools
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from workbench.export.slides.sink import TilePlace
from workbench.geometry import Box
from workbench.system.long_work import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from workbench.export.slides.plan import Block, ConversionPlan
    from workbench.export.slides.sink import FileSink
    from workbench.slide.slide import Slide

    Pixels = NDArray[np.uint8]
    _Encoded = tuple[TilePlace, bytes]


class PyramidBuilder:
    """Reads a slide block by block and gives the tiles of all levels to a sink.

    Parameters
    ----------
    slide : Slide
    plan : ConversionPlan
    sink : FileSink
    transform : callable
        Changes the tiles of a block, uint8 (rows, columns, tile, tile, 3);
        thread-safe.
    threads : int
        Number of threads that read, change and encode.
    """

    def __init__(
        self,
        slide: Slide,
        plan: ConversionPlan,
        sink: FileSink,
        transform: Callable[[Pixels, Block], Pixels],
        threads: int,
    ) -> None:
        self._slide, self._plan, self._sink = slide, plan, sink
        self._transform, self._threads = transform, threads
        self._first = plan.block_levels
        """First level that is not made within a block."""
        self._waiting: dict[int, Pixels] = {}
        self._rows = dict.fromkeys(range(self._first, len(plan.sizes)), 0)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what is needed to continue after the strips that are done."""
        rows = np.array([self._rows[level] for level in self._rows], np.int64)
        return {"rows": rows} | {f"wait{n}": part for n, part in self._waiting.items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state."""
        self._rows = dict(zip(self._rows, state["rows"].tolist(), strict=True))
        self._waiting = {
            int(name[4:]): part
            for name, part in state.items()
            if name.startswith("wait")
        }

    def strips(self, start: int) -> Iterator[int]:
        """Write the strips from a number on; yield the number of each that is done."""
        plan = self._plan
        columns, rows = plan.tiles(0)
        before = columns * min(rows, start * plan.block_px // plan.tile_px)
        blocks = counted(
            self._made(start),
            columns * rows,
            "tiles",
            size=lambda made: plan.tiles_of(made[1]),
            before=before,
        )
        strip = start
        edge: list[Pixels] = []
        for number, _, (tiles, coarse) in blocks:
            if number != strip:
                self._end_strip(edge)
                yield strip
                strip, edge = number, []
            for place, data in tiles:
                self._sink.put(place, data)
            edge.append(coarse)
        self._end_strip(edge)
        self._flush()
        yield strip

    def _made(self, start: int) -> Iterator[tuple[int, Block, Any]]:
        """Yield the strip, the place and the content of each block, made ahead."""
        plan = self._plan
        work = ((s, b) for s in range(start, plan.strips) for b in plan.blocks(s))
        ahead: deque[tuple[int, Block, Future[Any]]] = deque()
        with ThreadPoolExecutor(self._threads, "convert") as pool:
            try:
                self._refill(pool, work, ahead)
                while ahead:
                    number, block, future = ahead.popleft()
                    made = future.result()
                    self._refill(pool, work, ahead)
                    yield number, block, made
            finally:
                for *_, future in ahead:
                    future.cancel()

    def _refill(
        self,
        pool: ThreadPoolExecutor,
        work: Iterator[tuple[int, Block]],
        ahead: deque[tuple[int, Block, Future[Any]]],
    ) -> None:
        free = self._threads + 2 - len(ahead)
        for strip, block in itertools.islice(work, max(0, free)):
            ahead.append((strip, block, pool.submit(self._make, block)))

    def _make(self, block: Block) -> tuple[list[_Encoded], Pixels]:
        """Return the tiles of a block, level by level, and the next level."""
        finest = self._transform(self._read(block), block)
        tiles = list(self._encode(0, block, finest))
        pixels = _halved_tiles(finest)
        for level in range(1, self._plan.block_levels):
            pixels = _padded(pixels, self._plan.tile_px)
            tiles += self._encode(level, block, self._views(pixels))
            pixels = _halved(pixels)
        return tiles, pixels

    def _encode(
        self, level: int, block: Block, tiles: Iterable[Iterable[Pixels]]
    ) -> Iterator[_Encoded]:
        side = self._plan.tile_px << level
        return self._encoded(level, block.x // side, block.y // side, tiles)

    def _encoded(
        self, level: int, column: int, row: int, tiles: Iterable[Iterable[Pixels]]
    ) -> Iterator[_Encoded]:
        """Yield tiles, in rows, with their places from a column and row on."""
        for r, line in enumerate(tiles):
            for c, tile in enumerate(line):
                place = TilePlace(level, column + c, row + r)
                yield place, self._sink.encode(tile, place)

    def _views(self, pixels: Pixels) -> Iterator[list[Pixels]]:
        """Yield the rows of tiles of an image of whole tiles."""
        side = self._plan.tile_px
        for y in range(0, pixels.shape[0], side):
            row = pixels[y : y + side]
            yield [row[:, x : x + side] for x in range(0, pixels.shape[1], side)]

    def _read(self, block: Block) -> Pixels:
        """Return the tiles of a block, uint8 (rows, columns, tile, tile, 3)."""
        side = self._plan.tile_px
        rows, columns = block.height // side, block.width // side
        if self._plan.step == 1:
            corners = itertools.product(range(rows), range(columns))
            boxes = [
                Box.at(block.box.x0 + c * side, block.box.y0 + r * side, side, side)
                for r, c in corners
            ]
            tiles = self._slide.read_tiles(boxes, (side, side))
            return tiles.reshape(rows, columns, side, side, 3)
        pixels = self._slide.read_tiles([block.box], (block.width, block.height))[0]
        return in_tiles(pixels, side)

    def _end_strip(self, edge: list[Pixels]) -> None:
        """Give what a strip's blocks leave to the coarser levels."""
        if self._first < len(self._plan.sizes):
            self._add(self._first, np.concatenate(edge, axis=1))

    def _add(self, level: int, pixels: Pixels) -> None:
        """Add rows to a level; write a row of tiles when it is full."""
        if level >= len(self._plan.sizes):
            return
        before = self._waiting.pop(level, None)
        rows = pixels if before is None else np.concatenate([before, pixels])
        if len(rows) < self._plan.tile_px:
            self._waiting[level] = rows
        else:
            self._write_row(level, rows)

    def _write_row(self, level: int, rows: Pixels) -> None:
        columns, _ = self._plan.tiles(level)
        side = self._plan.tile_px
        padded = _padded(rows, side)[:, : columns * side]
        views = self._views(padded)
        for place, data in self._encoded(level, 0, self._rows[level], views):
            self._sink.put(place, data)
        self._rows[level] += 1
        self._add(level + 1, _halved(padded))

    def _flush(self) -> None:
        """Write the rows of tiles that are not full, at the end."""
        for level in range(self._first, len(self._plan.sizes)):
            rows = self._waiting.pop(level, None)
            if rows is not None and self._rows[level] < self._plan.tiles(level)[1]:
                self._write_row(level, rows)


def in_tiles(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    """Return an image (H, W, ...) as tiles (rows, columns, side, side, ...)."""
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    parts = pixels.reshape(rows, side, columns, side, *pixels.shape[2:])
    return np.ascontiguousarray(parts.swapaxes(1, 2))


def _halved_tiles(tiles: Pixels) -> Pixels:
    """Return tiles (rows, columns, tile, tile, 3) as an image of half the size."""
    rows, columns, side = tiles.shape[:3]
    half = side // 2
    pixels = np.empty((rows * half, columns * half, 3), np.uint8)
    for r, c in itertools.product(range(rows), range(columns)):
        place = np.s_[r * half : (r + 1) * half, c * half : (c + 1) * half]
        pixels[place] = _halved(tiles[r, c])
    return pixels


def _halved(pixels: Pixels) -> Pixels:
    """Return means of 2 x 2 pixels; the last row or column is repeated if odd."""
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        height, width = pixels.shape[:2]
    size = width // 2, height // 2
    half: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return half


def _padded(pixels: Pixels, side: int) -> Pixels:
    """Return pixels with sides that are multiples of a number, the edge repeated."""
    below, right = (-length % side for length in pixels.shape[:2])
    if not below and not right:
        return pixels
    return np.pad(pixels, ((0, below), (0, right), (0, 0)), "edge")
