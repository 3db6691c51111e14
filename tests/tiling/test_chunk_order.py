"""Chunks are a pure function of what is asked; their order follows the focus."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.geometry import Box
from workbench.tiling.chunk_order import ChunkOrder, chunks_of, hilbert_index
from workbench.tiling.grid import Grid

grids = st.builds(
    lambda width, height: Grid((width, height), 1.0, 16),
    st.integers(1, 600),
    st.integers(1, 600),
)


@pytest.mark.parametrize("bits", [1, 2, 3, 5])
def test_the_curve_visits_every_point_of_a_square_by_steps_of_one(bits):
    y, x = np.divmod(np.arange(4**bits), 2**bits)
    order = np.argsort(hilbert_index(x, y))
    assert sorted(hilbert_index(x, y)) == list(range(4**bits))
    steps = np.abs(np.diff(x[order])) + np.abs(np.diff(y[order]))
    assert (steps == 1).all()


@given(grids, st.integers(1, 40), st.randoms(use_true_random=False))
def test_chunks_partition_the_tiles_whatever_their_order(grid, size, random):
    asked = np.array(
        sorted(random.sample(range(len(grid)), random.randint(0, len(grid)))), np.int64
    )
    chunks = chunks_of(grid, asked, size)
    assert sorted(np.concatenate([*chunks, []]).astype(int)) == asked.tolist()
    assert [len(c) for c in chunks[:-1]] == [size] * (len(chunks) - 1)
    shuffled = np.random.default_rng(0).permutation(asked)
    again = chunks_of(grid, shuffled, size)
    assert [c.tolist() for c in again] == [c.tolist() for c in chunks]


def test_chunks_are_compact():
    grid = Grid((64 * 16, 64 * 16), 1.0, 16)
    for tiles in chunks_of(grid, np.arange(len(grid)), 64):
        rows, columns = np.divmod(tiles, grid.columns)
        assert (np.ptp(rows), np.ptp(columns)) == (7, 7)


def numbers(schedule):
    return [number for number, _ in schedule]


@given(grids, st.integers(1, 20), st.data())
def test_every_chunk_is_drawn_once_however_the_focus_moves(grid, size, data):
    chunks = chunks_of(grid, np.arange(len(grid)), size)
    done = data.draw(st.sets(st.integers(0, len(chunks) - 1)))
    boxes = st.builds(
        Box.at, st.integers(0, 600), st.integers(0, 600), st.just(64), st.just(64)
    )
    seen = iter(data.draw(st.lists(st.none() | boxes, max_size=8)))
    schedule = ChunkOrder(grid, chunks, done=done, focus=lambda: next(seen, None))
    drawn = numbers(schedule)
    assert sorted([*drawn, *done]) == list(range(len(chunks)))


def distance(box, x, y):
    return np.hypot(max(box.x0 - x, 0, x - box.x1), max(box.y0 - y, 0, y - box.y1))


def test_the_focus_comes_first_from_its_centre_outwards_and_then_the_rest_in_order():
    grid = Grid((1600, 1600), 1.0, 16)
    chunks = chunks_of(grid, np.arange(len(grid)), 16)
    focus = Box.around(803, 791, 300, 300)
    drawn = numbers(ChunkOrder(grid, chunks, focus=lambda: focus))
    hulls = [Box.hull(grid.core(int(i)) for i in tiles) for tiles in chunks]
    first = [n for n in drawn if hulls[n].intersects(focus)]
    assert first
    assert drawn[: len(first)] == first
    assert hulls[first[0]].contains(*focus.centre)
    away = [distance(hulls[n], *focus.centre) for n in first]
    assert away == sorted(away)
    coarse_then_rest = sorted(drawn[len(first) :], key=lambda n: (n % 16 != 0, n))
    assert drawn[len(first) :] == coarse_then_rest


def test_a_focus_that_moves_is_followed_at_the_next_chunk():
    grid = Grid((1600, 1600), 1.0, 16)
    chunks = chunks_of(grid, np.arange(len(grid)), 16)
    looked_at = [None]
    drawing = iter(ChunkOrder(grid, chunks, focus=lambda: looked_at[0]))
    assert [next(drawing)[0] for _ in range(3)] == [0, 16, 32]
    looked_at[0] = grid.core(len(grid) - 1)
    number, tiles = next(drawing)
    assert len(grid) - 1 in tiles
    looked_at[0] = None
    assert next(drawing)[0] == 48
    assert number > 48


def test_a_coarse_pass_soon_covers_the_whole_slide():
    grid = Grid((3200, 3200), 1.0, 16)
    chunks = chunks_of(grid, np.arange(len(grid)), 16)
    drawn = numbers(ChunkOrder(grid, chunks))
    centres = np.array([grid.core(int(tiles[0])).centre for tiles in chunks])
    covered = centres[drawn[: len(chunks) // 16]]
    farthest = max(np.hypot(*(covered - centre).T).min() for centre in centres)
    assert farthest < 3200 / 4


def test_of_batches_that_wait_the_one_in_focus_is_first():
    grid = Grid((1600, 1600), 1.0, 16)
    chunks = chunks_of(grid, np.arange(len(grid)), 16)
    looked_at = [None]
    schedule = ChunkOrder(grid, chunks, focus=lambda: looked_at[0])
    drawing = iter(schedule)
    drawn = [next(drawing)[0] for _ in range(3)]
    assert schedule.first(drawn) == drawn[0]
    assert not schedule.hurries(drawn)
    looked_at[0] = grid.core(int(chunks[drawn[2]][0]))
    assert schedule.first(drawn) == drawn[2]
    assert not schedule.hurries(drawn)
    looked_at[0] = grid.core(int(chunks[7][0]))
    assert schedule.first(drawn) == drawn[0]
    assert schedule.hurries(drawn)
    assert next(drawing)[0] == 7
    assert not schedule.hurries(drawn)
