"""Annotations are drawn on a picture where the viewer shows them."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from workbench.annotations.annotation import Annotation
from workbench.geometry import Box
from workbench.layers.annotations import draw_annotations
from workbench.layers.compose import orient

BOX = Box(1000, 2000, 1400, 2300)
"""Shown at one pixel for two level-0 pixels."""

GREEN = (0, 160, 0)


def blank(turn=0):
    shape = (150, 200, 3) if turn % 2 == 0 else (200, 150, 3)
    return np.full(shape, 255, np.uint8)


def marked(geometry, **fields):
    return Annotation(geometry=geometry, colour=GREEN, **fields)


def drawn(*annotations, **options):
    """Return where a picture has the colour of the annotations, bool (H, W)."""
    turn = options.get("turn", 0)
    pixels = draw_annotations(blank(turn), annotations, BOX, **options)
    return (np.abs(pixels.astype(int) - GREEN) <= 2).all(2)


def hull(mask):
    """Return left, top, right and bottom of what is set, in pixels."""
    y, x = np.nonzero(mask)
    return x.min(), y.min(), x.max(), y.max()


def test_an_area_is_an_outline_at_its_place_and_its_hole_is_one_too():
    square = shapely.box(1100, 2050, 1300, 2250)
    solid = drawn(marked(square))
    assert hull(solid) == pytest.approx((50, 25, 150, 125), abs=2)
    assert not solid[40:110, 65:135].any()
    holed = drawn(marked(square.difference(shapely.box(1160, 2110, 1240, 2190))))
    inside = np.s_[35:115, 60:140]
    inner = np.zeros_like(holed)
    inner[inside] = holed[inside]
    assert hull(inner) == pytest.approx((80, 55, 120, 95), abs=2)


def test_a_point_is_a_dot_and_a_line_is_open():
    dot = drawn(marked(shapely.Point(1200, 2100)))
    assert hull(dot) == pytest.approx((95, 45, 105, 55), abs=2)
    corner = drawn(
        marked(shapely.LineString([(1100, 2100), (1300, 2100), (1300, 2200)]))
    )
    assert hull(corner) == pytest.approx((50, 50, 150, 100), abs=2)
    assert not corner[60:, :140].any()


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_it_is_turned_and_mirrored_as_the_picture_is(turn, mirrored):
    shape = marked(shapely.LineString([(1040, 2040), (1040, 2200), (1160, 2200)]))
    plain = draw_annotations(blank(), [shape], BOX)
    expected = orient(plain, turn, mirrored=mirrored)
    found = draw_annotations(blank(turn), [shape], BOX, turn=turn, mirrored=mirrored)
    assert found.shape == expected.shape
    masks = [(each != 255).any(2) for each in (found, expected)]
    assert hull(masks[0]) == pytest.approx(hull(masks[1]), abs=2)
    assert (masks[0] != masks[1]).mean() < 0.02


def test_what_is_outside_the_view_is_not_drawn_and_a_name_is():
    away = marked(shapely.box(5000, 5000, 5100, 5100), name="far away")
    assert not drawn(away).any()
    square = shapely.box(1100, 2150, 1300, 2250)
    without, named = drawn(marked(square)), drawn(marked(square, name="tumour"))
    letters = named & ~without
    assert letters.any()
    assert hull(letters)[1] < 75


def test_the_picture_that_is_given_stays_as_it_is():
    pixels = blank()
    draw_annotations(pixels, [marked(shapely.Point(1200, 2100))], BOX)
    assert (pixels == 255).all()
