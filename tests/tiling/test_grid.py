"""The cores of a grid partition the slide, whatever its resolution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import OutOfBoundsError
from workbench.geometry import Box
from workbench.tiling.grid import Grid


@st.composite
def grids(draw):
    size = draw(st.tuples(st.integers(1, 120), st.integers(1, 120)))
    core = draw(st.integers(1, 40))
    margin = draw(st.integers(0, 9))
    downsample = draw(st.one_of(st.floats(1, 9), st.sampled_from([1.0, 2.0, 10 / 3])))
    return Grid(size, downsample, core + 2 * margin, margin)


@st.composite
def boxes(draw):
    edge = st.integers(-30, 150)
    x0, x1 = sorted(draw(st.tuples(edge, edge)))
    y0, y1 = sorted(draw(st.tuples(edge, edge)))
    return Box(x0, y0, x1, y1)


@settings(deadline=None)
@given(grids())
def test_every_pixel_has_exactly_one_core(grid):
    width, height = grid.slide_size
    owners = np.zeros((height, width), int)
    for index in range(len(grid)):
        core = grid.core(index)
        assert core.area > 0
        owners[core.y0 : core.y1, core.x0 : core.x1] += 1
    assert (owners == 1).all()


@pytest.mark.parametrize(("width", "step"), [(100, 33.2), (10, 10 / 3), (7, 2.3)])
def test_what_rounds_to_nothing_is_no_tile(width, step):
    grid = Grid((width, 5), step, 1)
    assert grid.core(grid.columns - 1).x1 == width
    assert all(grid.core(index).area for index in range(len(grid)))


@settings(deadline=None)
@given(grids())
def test_tiles_are_square_and_hold_their_core(grid):
    side = round(grid.tile_px * grid.downsample)
    for index in range(len(grid)):
        core, tile = grid.core(index), grid.tile(index)
        assert (tile.width, tile.height) == (side, side)
        # Rounding may leave the last row of pixels of a core outside its tile.
        assert tile.grow(1).intersection(core) == core


@settings(deadline=None)
@given(grids())
def test_pixels_on_the_slide_are_those_that_its_edge_does_not_cut(grid):
    for index in range(min(len(grid), 60)):
        tile, inside = grid.tile(index), grid.on_slide(index)
        scale = tile.width / grid.tile_px
        at = np.arange(grid.tile_px)
        for axis, length in enumerate(grid.slide_size):
            low = (tile.x0, tile.y0)[axis] + at * scale
            whole = at[(low >= -1e-6) & (low + scale <= length + 1e-6)]
            first, end = [(inside.x0, inside.x1), (inside.y0, inside.y1)][axis]
            if len(whole):
                assert (first, end) == (whole[0], whole[-1] + 1)
            assert 0 <= first < end <= grid.tile_px


@settings(deadline=None)
@given(grids())
def test_places_and_centres_are_those_of_the_cores(grid):
    centres = grid.centres()
    assert centres.shape == (len(grid), 2)
    for index in range(len(grid)):
        row, column = grid.place(index)
        assert row * grid.columns + column == index
        assert centres[index].tolist() == list(grid.core(index).centre)


@settings(deadline=None)
@given(grids(), boxes())
def test_tiles_in_a_box_are_those_whose_centre_is(grid, box):
    expected = [i for i in range(len(grid)) if box.contains(*grid.core(i).centre)]
    assert grid.inside(box).tolist() == expected


@settings(deadline=None)
@given(grids(), boxes())
def test_tiles_that_touch_a_box_are_those_whose_core_does(grid, box):
    expected = [i for i in range(len(grid)) if grid.core(i).intersects(box)]
    assert grid.touching(box).tolist() == expected


@given(grids())
def test_the_whole_slide_is_all_tiles(grid):
    whole = Box(0, 0, *grid.slide_size)
    assert grid.inside(whole).tolist() == list(range(len(grid)))
    assert grid.touching(whole).tolist() == list(range(len(grid)))


@pytest.mark.parametrize("index", [-1, 6])
def test_a_tile_that_is_not_there(index):
    with pytest.raises(OutOfBoundsError, match=f"no tile {index} in a grid of 6"):
        Grid((30, 20), 1.0, 10).core(index)


@pytest.mark.parametrize(
    ("size", "downsample", "tile_px", "margin_px"),
    [
        ((0, 9), 1.0, 8, 0),
        ((9, 9), 0.0, 8, 0),
        ((9, 9), -1.0, 8, 0),
        ((9, 9), float("nan"), 8, 0),
        ((9, 9), float("inf"), 8, 0),
        ((9, 9), 0.01, 8, 0),
        ((9, 9), 1.0, 8, 4),
        ((9, 9), 1.0, 8, -1),
        ((9, 9), 1.0, 0, 0),
    ],
)
def test_grids_without_tiles_are_refused(size, downsample, tile_px, margin_px):
    with pytest.raises(OutOfBoundsError, match="no tiles"):
        Grid(size, downsample, tile_px, margin_px)
