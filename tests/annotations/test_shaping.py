"""Areas that are painted, erased, filled, simplified and combined; the magic wand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from made_slides import write_tiff
from workbench.annotations.raster_outline import outline_of
from workbench.annotations.shaping import (
    combined,
    erased,
    filled,
    painted,
    rescaled,
    simplified,
    stroke,
)
from workbench.annotations.wand import Wand
from workbench.errors import OutOfBoundsError
from workbench.slide.slide import open_slide

SQUARE = shapely.box(0, 0, 100, 100)
DONUT = SQUARE.difference(shapely.box(40, 40, 60, 60))


def test_a_stroke_covers_what_a_round_brush_sweeps():
    line = stroke([(0, 0), (100, 0)], 10)
    assert line.area == pytest.approx(2000 + math.pi * 100, rel=0.01)
    dot = stroke([(5, 5), (5, 5)], 10)
    assert dot.area == pytest.approx(math.pi * 100, rel=0.01)
    ring = stroke([(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)], 10)
    assert len(ring.interiors) == 1


@pytest.mark.parametrize(
    ("points", "radius"),
    [([], 3), ([(0, 0)], 0), ([(0, math.nan)], 3), ([(0, 0)], math.inf)],
)
def test_a_stroke_of_nothing_is_refused(points, radius):
    with pytest.raises(OutOfBoundsError, match="covers no area"):
        stroke(points, radius)


WAYS = st.lists(
    st.tuples(st.integers(-200, 300), st.integers(-200, 300)), min_size=1, max_size=12
)


@given(WAYS, st.floats(0.5, 60))
@pytest.mark.slow
def test_painting_adds_and_erasing_takes_away_exactly_the_stroke(way, radius):
    shape = stroke(way, radius)
    more = painted(DONUT, shape)
    assert more.is_valid
    assert more.area == pytest.approx(
        DONUT.area + shape.area - DONUT.intersection(shape).area
    )
    less = erased(DONUT, shape)
    left = 0.0 if less is None else less.area
    assert left == pytest.approx(DONUT.area - DONUT.intersection(shape).area, abs=1e-6)
    assert less is None or less.is_valid


def test_what_is_left_of_an_erased_area_has_no_specks():
    cut = shapely.box(1, -1, 50, 101)
    assert erased(SQUARE, cut, speck=200).equals(shapely.box(50, 0, 100, 100))
    assert erased(SQUARE, SQUARE.buffer(1)) is None


def test_holes_are_filled_in_all_parts():
    two = shapely.union(DONUT, shapely.box(200, 0, 300, 100))
    assert filled(two).area == 20_000


@given(st.floats(0.1, 30))
def test_a_simplified_outline_stays_within_its_tolerance(tolerance):
    circle = shapely.Point(0, 0).buffer(100, quad_segs=64)
    simple = simplified(circle, tolerance)
    assert simple.is_valid
    assert len(simple.exterior.coords) <= len(circle.exterior.coords)
    assert simple.exterior.hausdorff_distance(circle.exterior) <= tolerance + 1e-6


def test_small_holes_and_parts_are_simplified_away_but_not_all():
    assert not simplified(DONUT, 12).interiors
    assert len(simplified(DONUT, 2).interiors) == 1
    small = shapely.box(200, 200, 203, 203)
    assert simplified(shapely.union(SQUARE, small), 5).equals(SQUARE)
    assert simplified(small, 50).area > 0
    with pytest.raises(OutOfBoundsError, match="cannot be simplified"):
        simplified(SQUARE, 0)


def test_areas_are_united_subtracted_and_intersected():
    other, third = shapely.box(50, 0, 150, 100), shapely.box(90, 0, 95, 100)
    areas = [SQUARE, other, third]
    assert combined(areas, "union").area == 15_000
    assert combined(areas, "difference").equals(shapely.box(0, 0, 50, 100))
    assert combined(areas, "intersection").equals(third)
    with pytest.raises(OutOfBoundsError, match="two areas or more, not 1"):
        combined([SQUARE], "union")
    with pytest.raises(OutOfBoundsError, match="encloses nothing"):
        combined([SQUARE, shapely.box(100, 0, 200, 100)], "intersection")


def test_coordinates_are_rescaled_for_a_slide_of_another_pixel_size():
    assert rescaled(SQUARE, 0.5).bounds == (0, 0, 50, 50)


def test_the_outline_of_a_mask_has_its_area_and_its_holes():
    mask = np.zeros((60, 80), bool)
    mask[10:40, 20:60] = True
    mask[20:30, 30:40] = False
    area = outline_of(mask, origin=(1000, 500), scale=4)
    assert area.area == pytest.approx(16 * (1200 - 100), rel=0.04)
    assert len(area.interiors) == 1
    assert area.bounds == pytest.approx((1080, 540, 1240, 660), abs=1)
    assert outline_of(np.zeros((3, 3), bool)) is None


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """Return a slide with a plain and a chequered square of one mean colour."""
    pixels = np.full((768, 768, 3), 240, np.uint8)
    pixels[100:300, 100:300] = (200, 120, 160)
    y, x = np.mgrid[:200, :200]
    pixels[100:300, 400:600] = (200, 120, 160)
    chequers = ((x // 4 + y // 4) % 2).astype(bool)
    pixels[100:300, 300:500][chequers] = (150, 70, 110)
    pixels[100:300, 300:500][~chequers] = (250, 170, 210)
    path = tmp_path_factory.mktemp("wand") / "patches.tif"
    write_tiff(path, pixels, mpp=0.5)
    with open_slide(path) as slide:
        yield slide


@pytest.mark.parametrize("downsample", [1, 2])
def test_the_wand_finds_what_is_alike_in_colour_and_texture(patches, downsample):
    wand = Wand.at(patches, (150, 200), downsample=downsample, reach=256)
    plain = shapely.box(100, 100, 300, 300)
    found = wand.region(12)
    assert found.is_valid
    # The texture beside it is another, though its mean colour is the same.
    assert found.symmetric_difference(plain).area < 0.15 * plain.area
    assert wand.region(60).area > 1.5 * plain.area
    assert wand.region(3).area <= found.area


def test_the_wand_stays_on_the_slide(patches):
    wand = Wand.at(patches, (5, 5), downsample=4)
    found = wand.region(10)
    assert shapely.box(0, 0, 768, 768).buffer(0.01).contains(found)
    assert found.covers(shapely.Point(760, 760))
    with pytest.raises(OutOfBoundsError, match="not on the slide"):
        Wand.at(patches, (-3, 5), downsample=1)
