"""Areas: what lies inside is the same for boxes, polygons, tiles and pixels."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from workbench.area import Area
from workbench.errors import OutOfBoundsError, RecipeError
from workbench.geometry import Box
from workbench.recipe import Recipe
from workbench.tiling.grid import Grid

coordinates = st.integers(-20, 60)
boxes = st.builds(
    Box.at, coordinates, coordinates, st.integers(1, 50), st.integers(1, 50)
)
outlines = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=12)


def area_or_none(points):
    try:
        return Area.of(shapely.Polygon(points))
    except OutOfBoundsError:
        return None


@pytest.mark.slow
@given(boxes)
def test_the_area_of_a_box_holds_what_the_box_holds(box):
    xs, ys = np.arange(-25, 115), np.arange(-25, 115)
    expected = [[box.contains(x, y) for x in xs] for y in ys]
    assert (Area.of(box).lattice(xs, ys) == expected).all()
    assert Area.of(box).box == box
    assert Area.of((box.x0, box.y0, box.x1, box.y1)) == Area.of(box)


@given(outlines)
@pytest.mark.slow
def test_away_from_the_outline_shapely_agrees(points):
    area = area_or_none(points)
    if area is None:
        return
    # Off the raster of the corners, so that no point lies on the outline's corners.
    xs = ys = np.arange(-25, 65) + 0.3137
    x, y = np.meshgrid(xs, ys)
    near = shapely.dwithin(area.shape.boundary, shapely.points(x, y), 1e-6)
    inside = shapely.contains_xy(area.shape, x, y)
    assert (area.lattice(xs, ys) == inside)[~near].all()


@pytest.mark.slow
@given(outlines, st.integers(-20, 60))
def test_the_halves_of_an_area_share_no_point_and_leave_none_out(points, cut):
    area = area_or_none(points)
    if area is None:
        return
    halves = [
        area_or_none_of(shapely.intersection(area.shape, shapely.box(*edges)))
        for edges in ((-99, -99, cut, 99), (cut, -99, 99, 99))
    ]
    xs = ys = np.arange(-25, 65)
    count = sum(half.lattice(xs, ys).astype(int) for half in halves if half)
    # Cutting moves corners to the raster of 0.01 px: look away from the outline.
    x, y = np.meshgrid(xs, ys)
    near = shapely.dwithin(area.shape.boundary, shapely.points(x, y), 0.02)
    assert (np.broadcast_to(count, near.shape) == area.lattice(xs, ys))[~near].all()


def area_or_none_of(geometry):
    try:
        return Area.of(geometry)
    except OutOfBoundsError:
        return None


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e5)), min_size=3))
def test_an_area_is_the_same_once_saved(points):
    area = area_or_none(points)
    if area is not None:
        assert Area.of(area.coordinates) == area
        assert Area.of(area) is area
        recipe = Recipe.of(region=area)
        again = Recipe.model_validate_json(recipe.model_dump_json())
        assert again == recipe == recipe.replace(region=recipe.region)


def test_a_sliver_thinner_than_the_raster_is_no_area():
    with pytest.raises(OutOfBoundsError, match="encloses no area"):
        Area.of(shapely.Polygon([(0, 0), (0, 1), (0.004, 0)]))


def test_equal_outlines_are_one_wherever_their_rings_begin():
    ring = [(0, 0), (9, 0), (9, 9), (0, 9)]
    turned = [*ring[2:], *ring[:2]]
    assert Area.of(shapely.Polygon(ring)) == Area.of(shapely.Polygon(turned[::-1]))


def test_holes_are_not_inside_and_several_are_united():
    donut = shapely.Polygon(
        [(0, 0), (9, 0), (9, 9), (0, 9)], [[(3, 3), (6, 3), (6, 6), (3, 6)]]
    )
    mask = Area.of(donut).mask(Box(0, 0, 9, 9), (9, 9))
    assert mask.sum() == 81 - 9
    assert not mask[3:6, 3:6].any()
    both = Area.of([donut, shapely.box(3, 3, 6, 6)])
    assert both == Area.of(Box(0, 0, 9, 9))


@pytest.mark.parametrize(
    "nothing",
    [
        shapely.Point(1, 1),
        shapely.LineString([(0, 0), (5, 5)]),
        [],
        "text",
        None,
        [[1]],
        {"type": "Nope"},
        (0, 0, 0, 5),
        (0, 0, 5, float("nan")),
        Box(3, 3, 3, 9),
    ],
    ids=repr,
)
def test_what_encloses_nothing_is_refused(nothing):
    with pytest.raises(OutOfBoundsError):
        Area.of(nothing)


def test_a_recipe_takes_what_has_an_area_and_says_what_has_none():
    assert Recipe.of(region=Box(1, 2, 3, 4)).region == (1, 2, 3, 4)
    assert Recipe.of(region=shapely.box(0, 0, 5, 5)).region == (
        (((0, 0), (0, 5), (5, 5), (5, 0), (0, 0)),),
    )
    with pytest.raises(RecipeError, match="encloses no area"):
        Recipe.of(region=shapely.Point(1, 1))


@given(boxes, st.floats(0.7, 3), st.integers(2, 9))
def test_a_grid_takes_a_box_and_its_area_for_the_same(box, downsample, tile_px):
    grid = Grid((70, 55), downsample, tile_px)
    area = Area.of(box)
    assert grid.inside(area).tolist() == grid.inside(box).tolist()
    assert grid.touching(area).tolist() == grid.touching(box).tolist()


def test_tiles_are_inside_if_their_centre_is():
    grid = Grid((1000, 1000), 1.0, 100)
    triangle = Area.of(shapely.Polygon([(0, 0), (1000, 0), (0, 1000)]))
    inside = set(grid.inside(triangle).tolist())
    expected = {i for i in range(len(grid)) if sum(grid.core(i).centre) < 1000}
    assert inside == expected
    small = Area.of(shapely.Polygon([(90, 90), (110, 90), (90, 110)]))
    assert not len(grid.inside(small))
    assert grid.touching(small).tolist() == [0, 1, 10]
