"""Batches come in order, ahead of time, and stop when nobody wants them."""

from __future__ import annotations

import gc
import itertools
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fakes import FakeSlide
from patience import LONG_S, eventually
from workbench.errors import SlideReadError, StainError
from workbench.slide.slide import open_slide
from workbench.tiling.chunk_order import ChunkOrder
from workbench.tiling.grid import Grid
from workbench.tiling.prefetch import read_batches

GRID = Grid((64, 48), 1.0, 8)


class PlainSlide:
    """A slide whose pixels are their own place: red is x, green is y."""

    path = "plain.tif"

    def __init__(self, broken=None, error=OSError):
        self.broken = broken
        self.error = error
        self.reads = 0
        self.threads = set()
        self.asked = []

    def read_tiles(self, boxes, size, *, threads=1):
        self.reads += 1
        self.asked.append((threading.current_thread().name, threads))
        self.threads.add(self.asked[-1])
        if self.broken in boxes:
            message = "the disk is gone"
            raise self.error(message)
        tiles = np.zeros((len(boxes), size[1], size[0], 3), np.uint8)
        for tile, box in zip(tiles, boxes, strict=True):
            tile[..., 0], tile[..., 1] = box.x0, box.y0
        return tiles


def chunks(count=6, each=8):
    for number in range(count):
        yield number, np.arange(number * each, (number + 1) * each)


def reading_threads():
    return [t for t in threading.enumerate() if t.name == "read-ahead"]


@pytest.mark.parametrize("prefetch", [1, 2, 20])
def test_batches_answer_chunks_in_order(prefetch):
    slide = PlainSlide()
    batches = list(read_batches(slide, GRID, chunks(), prefetch=prefetch, threads=3))
    assert [batch.number for batch in batches] == list(range(6))
    assert np.concatenate([b.indices for b in batches]).tolist() == list(range(48))
    for batch in batches:
        assert batch.pixels.shape == (8, 8, 8, 3)
        for index, tile in zip(batch.indices, batch.pixels, strict=True):
            box = GRID.tile(int(index))
            assert tile[0, 0].tolist() == [box.x0, box.y0, 0]
    assert slide.threads == {("read-ahead", 3)}
    assert not reading_threads()


def test_all_threads_read_what_somebody_waits_for():
    taken = threading.Event()

    class Gated(PlainSlide):
        def read_tiles(self, boxes, size, *, threads=1):
            assert self.reads == 0 or taken.wait(LONG_S)
            return super().read_tiles(boxes, size, threads=threads)

    slide = Gated()
    with closing(
        read_batches(slide, GRID, chunks(3), prefetch=3, threads=(1, 4))
    ) as batches:
        next(batches)
        taken.set()  # nobody waits any more, and nothing is ready
        eventually(lambda: slide.reads == 3)
        used = [threads for _, threads in slide.asked]
        assert used[0] == 4  # the first is waited for
        assert used[-1] == 1  # now one is ready


def waits_for_a_batch(thread):
    """Tell whether a thread is asleep in the wait for the next batch."""
    frame, names = sys._current_frames()[thread], set()
    while frame is not None:
        names.add(frame.f_code.co_name)
        frame = frame.f_back
    return {"take", "wait_for", "wait"} <= names


def test_all_threads_read_as_long_as_somebody_waits():
    taker = threading.get_ident()

    class Slow(PlainSlide):
        def read_tiles(self, boxes, size, *, threads=1):
            eventually(lambda: waits_for_a_batch(taker))
            return super().read_tiles(boxes, size, threads=threads)

    slide = Slow()
    assert len(list(read_batches(slide, GRID, chunks(), threads=(1, 4)))) == 6
    assert {threads for _, threads in slide.asked} == {4}


def test_any_order_and_any_size_of_chunk():
    wanted = [(7, np.array([47, 0])), (3, np.array([5])), (9, np.empty(0, np.int64))]
    batches = list(read_batches(PlainSlide(), GRID, wanted))
    assert [(b.number, b.indices.tolist()) for b in batches] == [
        (7, [47, 0]),
        (3, [5]),
        (9, []),
    ]
    assert batches[2].pixels.shape == (0, 8, 8, 3)


def test_what_hurries_is_read_although_others_wait_and_is_given_first():
    looked_at, ready = [None], []

    class Noted(ChunkOrder):
        """Notes which batches are ready, each time that it is asked about them."""

        def hurries(self, numbers):
            ready[:] = numbers
            return super().hurries(numbers)

    schedule = Noted(GRID, [t for _, t in chunks()], focus=lambda: looked_at[0])
    slide = PlainSlide()
    with closing(
        read_batches(slide, GRID, schedule, order=schedule, prefetch=2)
    ) as batches:
        first = next(batches)
        eventually(lambda: len(ready) == 2 and slide.reads == 3)
        looked_at[0] = GRID.core(47)
        eventually(lambda: len(ready) == 3 and slide.reads == 4)
        assert 47 in next(batches).indices
        rest = [batch.number for batch in batches]
    assert sorted([first.number, 5, *rest]) == list(range(6))


def test_memory_for_the_pixels_can_be_given():
    given = []

    def allocate(shape):
        given.append(np.zeros(shape, np.uint8))
        return given[-1]

    class Filling(PlainSlide):
        def read_tiles(self, boxes, size, *, threads=1, out=None):
            out[:] = super().read_tiles(boxes, size, threads=threads)
            return out

    batches = list(read_batches(Filling(), GRID, chunks(2), allocate=allocate))
    assert all(b.pixels is m for b, m in zip(batches, given, strict=True))
    assert all(b.pixels.any() for b in batches)


def test_nothing_to_read():
    assert list(read_batches(PlainSlide(), GRID, [])) == []


def test_batches_do_not_share_memory():
    first, second = read_batches(PlainSlide(), GRID, chunks(2))
    assert not np.shares_memory(first.pixels, second.pixels)


def test_the_reader_is_at_most_prefetch_batches_ahead():
    slide = PlainSlide()
    drawn = []
    endless = (
        (n, np.array([n % 48])) for n in itertools.count() if not drawn.append(n)
    )
    with closing(read_batches(slide, GRID, endless, prefetch=3)) as batches:
        next(batches)
        eventually(lambda: slide.reads == 4)
        time.sleep(0.05)  # in which one that does not wait would read on
        assert slide.reads == 4
        assert len(drawn) == 4


def test_closing_stops_the_thread():
    batches = read_batches(
        PlainSlide(), GRID, ((n, np.array([0])) for n in itertools.count())
    )
    next(batches)
    batches.close()
    assert not reading_threads()


@pytest.mark.slow
def test_dropping_the_iterator_stops_the_thread():
    batches = read_batches(
        PlainSlide(), GRID, ((n, np.array([0])) for n in itertools.count())
    )
    next(batches)
    del batches
    gc.collect()
    eventually(lambda: not reading_threads())


@pytest.mark.slow
def test_an_error_of_the_consumer_stops_the_thread():
    def consume():
        for _ in read_batches(PlainSlide(), GRID, chunks(6)):
            message = "out of memory"
            raise MemoryError(message)

    with pytest.raises(MemoryError):
        consume()
    gc.collect()
    eventually(lambda: not reading_threads())


def test_an_error_comes_in_its_turn_and_names_the_place():
    said = r"x0=0, y0=16.*plain\.tif.*disk is gone"
    with closing(
        read_batches(PlainSlide(GRID.tile(17)), GRID, chunks(), prefetch=4)
    ) as batches:
        assert [next(batches).number, next(batches).number] == [0, 1]
        with pytest.raises(SlideReadError, match=said):
            next(batches)
        assert not reading_threads()


def test_typed_errors_pass_unchanged():
    slide = PlainSlide(GRID.tile(0), StainError)
    with pytest.raises(StainError, match="disk is gone"):
        next(read_batches(slide, GRID, chunks()))


def test_an_error_of_the_schedule_reaches_the_consumer():
    def schedule():
        yield 0, np.array([0])
        message = "no plan"
        raise RuntimeError(message)

    with closing(read_batches(PlainSlide(), GRID, schedule())) as batches:
        next(batches)
        with pytest.raises(RuntimeError, match="no plan"):
            next(batches)


BEYOND = Grid((64, 48), 1.0, 32, margin_px=6)
"""A grid whose outer tiles reach beyond the slide, the last ones by more than half."""


@pytest.mark.parametrize("downsample", [1.0, 2.0])
def test_tiles_are_mirrored_at_the_edge_of_the_slide(downsample):
    slide = FakeSlide((64, 48))
    grid = replace(BEYOND, downsample=downsample)
    (batch,) = read_batches(slide, grid, [(77, np.arange(len(grid)))], border="mirror")
    assert batch.number == 77
    size = round(64 / downsample), round(48 / downsample)
    whole = slide.read_tiles([slide.box], size)[0]
    wide = np.pad(whole, ((64, 64), (64, 64), (0, 0)), mode="symmetric")
    for index, pixels in zip(batch.indices.tolist(), batch.pixels, strict=True):
        box = grid.tile(index)
        x, y = (round(at / downsample) + 64 for at in (box.x0, box.y0))
        # A tile mirrors what it shows itself: as far beyond the edge as it lies within.
        part = grid.on_slide(index)
        x0, y0 = max(0, 2 * part.x0 - part.x1), max(0, 2 * part.y0 - part.y1)
        x1, y1 = min(32, 2 * part.x1 - part.x0), min(32, 2 * part.y1 - part.y0)
        expected = wide[y : y + 32, x : x + 32][y0:y1, x0:x1]
        np.testing.assert_array_equal(pixels[y0:y1, x0:x1], expected)


def test_tiles_show_their_median_colour_beyond_the_edge():
    slide = FakeSlide((64, 48))
    chunks = [(0, np.arange(len(BEYOND)))]
    (batch,) = read_batches(slide, BEYOND, chunks, border="median")
    (plain,) = read_batches(slide, BEYOND, chunks)
    for index, *tiles in zip(batch.indices, batch.pixels, plain.pixels, strict=True):
        part = BEYOND.on_slide(int(index))
        inside = np.zeros((32, 32), bool)
        inside[part.y0 : part.y1, part.x0 : part.x1] = True
        np.testing.assert_array_equal(tiles[0][inside], tiles[1][inside])
        middle = np.rint(np.median(tiles[1][inside], axis=0))
        assert (tiles[0][~inside] == middle).all()


def test_pixels_that_the_edge_cuts_are_not_shown():
    """They are part background."""
    slide = FakeSlide((101, 75))
    slide.pixels[:] = 40
    grid = Grid(slide.size, 2.0, 32, margin_px=6)
    given = {"border": "mirror", "allocate": lambda shape: np.zeros(shape, np.uint8)}
    slide.read_tiles = averaged(slide)
    (batch,) = read_batches(slide, grid, [(0, np.arange(len(grid)))], **given)
    assert (batch.pixels == 40).all()
    (plain,) = read_batches(slide, grid, [(0, np.arange(len(grid)))])
    assert set(np.unique(plain.pixels)) > {40, 255}


def averaged(slide):
    """Return a way to read a slide that averages, as those of real slides do."""
    read = slide.read_tiles

    def read_tiles(boxes, size, *, out=None, **_):
        large = read(boxes, (boxes[0].width, boxes[0].height))
        shrunk = [
            cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in large
        ]
        return np.stack(shrunk, out=out)

    return read_tiles


@pytest.mark.parametrize("border", ["background", "mirror", "median"])
def test_what_reaches_beyond_the_edge_is_decoded_here(border):
    """Stored tiles are of no use to a device where pixels are made up."""

    class Stored(FakeSlide):
        def read_encoded(self, boxes, size):
            return boxes, size

    slide = Stored((160, 160))
    grid = Grid(slide.size, 1.0, 32, margin_px=4)
    inside = [i for i in range(len(grid)) if grid.on_slide(i).area == 32 * 32]
    across = [i for i in range(len(grid)) if i not in inside]
    chunks = [(0, np.array(inside)), (1, np.array([inside[0], across[0]]))]
    wanted = {"encoded": lambda: True, "border": border}
    first, second = read_batches(slide, grid, chunks, **wanted)
    assert first.encoded is not None
    assert (second.encoded is None) == (border != "background")


def test_batches_of_a_real_slide_are_its_tiles(shared_data):
    with open_slide(shared_data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        grid = Grid(slide.size, 2.0, 224, 16)
        wanted = np.array([30, 3, 17])
        batch, other = read_batches(slide, grid, [(0, wanted), (1, wanted[:1])])
        for index, tile in zip(wanted, batch.pixels, strict=True):
            expected = slide.read(grid.tile(int(index)), size=(224, 224))
            np.testing.assert_array_equal(tile, expected.pixels)
        np.testing.assert_array_equal(other.pixels[0], batch.pixels[0])
