"""What a run covered: how much of a place it is, and which points lie in it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.area import Area
from workbench.geometry import Box
from workbench.tiling.coverage import Coverage, within
from workbench.tiling.grid import Grid
from workbench.tissue import Tissue

SIZE = (190, 130)
POLYGON = Area.of(shapely.Polygon([(11, 8), (170, 40), (120, 128), (30, 99)]))
TISSUE = Tissue(np.random.default_rng(5).random((19, 28)) < 0.6, 7.0)


@st.composite
def coverages(draw):
    step = draw(st.sampled_from([16.0, 17.3, 40.7]))
    grid = Grid(SIZE, step / 16, 20, 2)
    random = np.random.default_rng(draw(st.integers(0, 9)))
    tiles = np.flatnonzero(
        random.random(len(grid)) < draw(st.sampled_from([0, 0.5, 1]))
    )
    asked = draw(st.sampled_from([None, Box(-5, 20, 140, 500), POLYGON]))
    return Coverage(grid, tiles, asked)


def fine(place, covered):
    """Return how much of a place is covered by looking at points between pixels."""
    side = 2
    xs, ys = ((np.arange(n * side) + 0.5) / side for n in SIZE)
    x, y = (each.ravel() for each in np.meshgrid(xs, ys))
    return (within(place, x, y) & covered.holds(x, y)).sum() / side**2


@pytest.mark.parametrize(
    "place", [Box(0, 0, *SIZE), Box(-50, 33, 77, 400), POLYGON, TISSUE]
)
@settings(max_examples=25)
@given(coverages())
def test_the_area_is_that_of_the_points(place, covered):
    exact = place is not POLYGON and covered.region is not POLYGON
    near = 1e-6 if exact else 20
    assert covered.px(place) == pytest.approx(fine(place, covered), abs=near)
    again = Coverage.from_dict(json.loads(json.dumps(covered.to_dict())))
    assert again.px(place) == pytest.approx(covered.px(place), abs=1e-6)
    assert again.px() == pytest.approx(covered.px(), abs=1e-6)
    np.testing.assert_array_equal(again.tiles, covered.tiles)


def test_cores_that_meet_share_no_point_and_leave_none_out():
    grid = Grid(SIZE, 1.1, 20, 2)
    x, y = (each.ravel() for each in np.meshgrid(*map(np.arange, SIZE)))
    each = [Coverage(grid, np.array([tile])).holds(x, y) for tile in range(len(grid))]
    assert (np.sum(each, axis=0) == 1).all()
    everything = Coverage(grid, np.arange(len(grid)))
    assert everything.px() == SIZE[0] * SIZE[1]
    outside = [-1, 190, 5, 5], [5, 5, -1, 130]
    assert not everything.holds(*outside).any()


def test_only_tiles_with_values_are_covered():
    grid = Grid(SIZE, 1.0, 20, 2)
    values = np.full((2, grid.rows * 3, grid.columns * 3), np.nan, np.float32)
    values[:, 3:6, 6:12] = 0
    covered = Coverage.of_values(grid, values, None)
    assert covered.tiles.tolist() == [grid.columns + 2, grid.columns + 3]
    assert covered.px() == 2 * 16 * 16
