from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import OutOfBoundsError
from workbench.geometry import (
    Box,
    is_plausible_mpp,
    mpp_of_objective,
    objective_of_mpp,
)
from workbench.slide.region import Region

coordinates = st.integers(-50, 50)
boxes = st.builds(
    Box.at, coordinates, coordinates, st.integers(0, 40), st.integers(0, 40)
)


def pixels_of(box):
    return {(x, y) for x in range(box.x0, box.x1) for y in range(box.y0, box.y1)}


@given(boxes, boxes)
def test_intersection_is_that_of_the_pixels(a, b):
    assert pixels_of(a.intersection(b)) == pixels_of(a) & pixels_of(b)
    assert a.intersects(b) == bool(pixels_of(a) & pixels_of(b))


@given(boxes)
def test_area_counts_pixels(box):
    assert box.area == len(pixels_of(box))


@given(boxes, boxes)
def test_hull_holds_both_and_no_more(a, b):
    hull = Box.hull([a, b])
    assert hull.intersection(a) == a
    assert hull.intersection(b) == b
    assert hull.x0 in (a.x0, b.x0)
    assert hull.y1 in (a.y1, b.y1)


@given(boxes, st.floats(0.01, 8))
def test_scaled_holds_every_corner(box, factor):
    scaled = box.scaled(factor)
    assert scaled.x0 <= box.x0 * factor
    assert scaled.y1 >= box.y1 * factor
    assert scaled.width <= math.ceil(box.width * factor) + 1


@given(coordinates, coordinates, st.integers(0, 9), st.integers(0, 9))
def test_around_is_centred(x, y, width, height):
    box = Box.around(x, y, width, height)
    assert (box.width, box.height) == (width, height)
    assert abs(box.centre[0] - x) <= 1
    assert abs(box.centre[1] - y) <= 1


@given(boxes, coordinates, coordinates)
def test_contains_is_half_open(box, x, y):
    assert box.contains(x, y) == ((x, y) in pixels_of(box))


def test_a_box_inside_out_is_refused():
    with pytest.raises(OutOfBoundsError, match="inside out"):
        Box(3, 0, 2, 5)


@pytest.mark.parametrize(
    ("mpp", "believed"),
    [
        (None, False),
        (0.25, True),
        (0.05, True),
        (20.0, True),
        (0.00499, False),
        (352.9, False),
        (28.97, False),
        (-0.5, False),
        (math.nan, False),
        (math.inf, False),
    ],
)
def test_which_mpp_is_believed(mpp, believed):
    assert is_plausible_mpp(mpp) is believed


def test_objectives_and_mpp_are_two_words_for_one_thing():
    assert mpp_of_objective(40) == 0.25
    assert objective_of_mpp(0.5) == 20


def test_a_region_refuses_what_is_not_rgb_and_protects_its_pixels():
    box = Box(0, 0, 4, 2)
    with pytest.raises(OutOfBoundsError, match="float64"):
        Region(np.zeros((2, 4, 3)), box, 0.5)
    with pytest.raises(OutOfBoundsError, match="uint8"):
        Region(np.zeros((2, 4, 4), np.uint8), box, 0.5)
    region = Region(np.zeros((2, 4, 3), np.uint8), box, 0.5)
    assert region.size == (4, 2)
    assert region.downsample == 1
    with pytest.raises(ValueError, match="read-only"):
        region.pixels[0, 0] = 1
    assert region._repr_png_().startswith(b"\x89PNG")


def test_a_box_travels():
    box = Box(1, 2, 3, 4)
    assert pickle.loads(pickle.dumps(box)) == box  # noqa: S301


@pytest.mark.parametrize("edges", [(0.5, 0, 10, 10), (0, 0, 10.0, 10), ("0", 0, 1, 1)])
def test_a_box_of_anything_but_whole_numbers_is_refused(edges):
    with pytest.raises(OutOfBoundsError, match="not a whole number"):
        Box(*edges)


@given(boxes)
def test_numbers_of_any_integer_type_make_the_same_box(box):
    same = (box.x0, box.y0, box.x1, box.y1)
    for made in (Box.of(same), Box.of(list(same)), Box.of(np.array(same)), Box.of(box)):
        assert made == box
        assert {type(edge) for edge in (made.x0, made.y0, made.x1, made.y1)} == {int}
        assert hash(made) == hash(box)


@pytest.mark.parametrize("what", [(0, 0, 10), None, 7, "0,0,1", (1, 2, 3, 4, 5)])
def test_what_is_no_box_is_refused_with_what_to_give(what):
    with pytest.raises(OutOfBoundsError, match="x0, y0, x1, y1"):
        Box.of(what)


def test_a_region_is_shown_in_one_line():
    pixels = np.zeros((200, 300, 3), np.uint8)
    region = Region(pixels, Box(0, 0, 600, 400), 0.5)
    assert repr(region) == (
        "Region(300 x 200 px, mpp 0.5, Box(x0=0, y0=0, x1=600, y1=400))"
    )
    assert "mpp unknown" in repr(Region(pixels, region.box, None))
