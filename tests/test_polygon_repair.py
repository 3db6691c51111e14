"""Outlines that cross themselves: inside is what a ray reaches over an odd count."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.area import Area
from workbench.errors import OutOfBoundsError
from workbench.polygon_repair import (
    MAX_CROSSINGS,
    TangledError,
    count_crossings,
    refuse_tangled,
    without_crossings,
)

POSITIONS = st.tuples(st.integers(0, 400), st.integers(0, 400))


def odd(rings, points):
    """Count crossings of a ray to the right, edge by edge."""
    inside = np.zeros(len(points), bool)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if y0 == y1:
                continue
            across = (points[:, 1] >= min(y0, y1)) & (points[:, 1] < max(y0, y1))
            at = x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0)
            inside ^= across & (at > points[:, 0])
    return inside


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(POSITIONS, min_size=3, max_size=14), st.lists(POSITIONS, max_size=6))
def test_inside_is_what_a_ray_says(shell, hole):
    holes = [hole] if len(hole) > 2 else []
    polygon = shapely.Polygon(shell, holes)
    found = without_crossings(polygon, 0.01)
    assert found.is_valid
    points = np.random.default_rng(1).uniform(0, 400, (300, 2))
    edge = shapely.distance(shapely.points(points), polygon.boundary) < 0.1
    wanted = odd([np.array(each, float) for each in (shell, *holes)], points)
    answer = shapely.contains_xy(found, *points.T)
    np.testing.assert_array_equal(answer[~edge], wanted[~edge])
    again = np.round(shapely.get_coordinates(found), 2)
    np.testing.assert_array_equal(shapely.get_coordinates(found), again)


def star(points):
    angle = np.arange(points) * (points // 2) % points * 2 * np.pi / points
    return shapely.Polygon(5000 + 4000 * np.stack([np.cos(angle), np.sin(angle)], 1))


@pytest.mark.slow
def test_crossings_are_counted_before_they_are_cut():
    edges = shapely.get_coordinates(star(301))
    edges = np.stack([edges[:-1], edges[1:]], axis=1)
    assert count_crossings(edges, 40_000) == 301 * 298 // 2
    assert count_crossings(edges, 1_000) > 1_000
    square = np.array([[[0, 0], [0, 9]], [[0, 9], [9, 9]]], float)
    assert count_crossings(np.concatenate([square] * 300), 0) == 0


def test_what_is_too_tangled_is_refused():
    with pytest.raises(TangledError, match=f"{MAX_CROSSINGS:,}"):
        without_crossings(star(301), 0.01)
    with pytest.raises(TangledError):
        refuse_tangled(star(20_001))  # before its validity is looked at
    with pytest.raises(OutOfBoundsError, match="crosses itself"):
        Area.of(star(301))
    assert Area.of(star(101)).shape.is_valid


def test_teeth_that_are_valid_but_take_hours_to_check_are_refused():
    count = 100_000
    x = np.arange(count) * 2.0
    teeth = np.empty((2 * count, 2))
    teeth[0::2] = np.stack([x, np.zeros(count)], 1)
    teeth[1::2] = np.stack([x + 90_000, np.full(count, 90_000.0)], 1)
    around = [[x[-1] + 99_000, 0], [x[-1] + 99_000, -50], [-50, -50]]
    with pytest.raises(TangledError):
        refuse_tangled(shapely.Polygon(np.concatenate([teeth, around])))


@pytest.mark.slow
def test_a_large_outline_is_no_trouble():
    angle = np.linspace(0, 2 * np.pi, 50_000, endpoint=False)
    ring = 50_000 + 40_000 * np.stack([np.cos(angle), np.sin(angle)], 1)
    ring[100:110] = ring[109:99:-1].copy()  # a loop
    polygon = shapely.Polygon(ring)
    assert not polygon.is_valid
    found = without_crossings(polygon, 0.01)
    assert found.is_valid
    assert found.area == pytest.approx(np.pi * 40_000**2, rel=1e-4)
