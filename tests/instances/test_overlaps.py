"""Objects of different tiles that overlap are parted, whatever the order."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from workbench.instances.instances import Instances
from workbench.instances.stitching.overlaps import Disjoint


def squares(*corners, side=10, classes=None):
    """Return squares with their upper left corners at some places."""
    steps = np.array([[0, 0], [side, 0], [side, side], [0, side]])
    count = len(corners)
    return Instances(
        points=np.concatenate([steps + corner for corner in corners]).astype(
            np.float32
        ),
        ends=np.arange(1, count + 1) * 4,
        classes=np.array(classes or [0] * count, np.uint16),
        scores=np.ones(count, np.float32),
    )


def parted(crossing, inner=(), *, layered=False):
    disjoint = Disjoint(crossing, 0.25, layered=layered)
    for each in inner:
        disjoint.meet(each)
    return disjoint.parted()


def shared(found, *others):
    """Return the area that any two of all objects share."""
    shapes = np.concatenate([each.polygons for each in (found, *others)])
    one, other = np.triu_indices(len(shapes), 1)
    return shapely.area(shapely.intersection(shapes[one], shapes[other])).sum()


def test_the_later_loses_what_it_shares():
    found, trimmed, dropped = parted(squares((0, 0), (7, 3)))
    assert (len(found), trimmed, dropped) == (2, 1, 0)
    assert shared(found) == 0
    areas = sorted(shapely.area(found.polygons))
    assert areas[1] == 100
    assert 75 < areas[0] < 100 - 21 + 1


def test_an_object_inside_a_core_keeps_all():
    inner = squares((7, 3))
    found, trimmed, dropped = parted(squares((0, 0)), [inner])
    assert (len(found), trimmed, dropped) == (1, 1, 0)
    assert shared(found, inner) == 0


@pytest.mark.parametrize("at", [(2, 2), (0, 0), (4, 0)])
def test_what_keeps_less_than_half_is_dropped(at):
    found, trimmed, dropped = parted(squares(at), [squares((0, 0))])
    assert (len(found), trimmed, dropped) == (0, 0, 1)


def test_what_would_go_around_another_is_dropped():
    small = squares((3, 3), side=3)
    found, _, dropped = parted(squares((0, 0)), [small])
    assert (len(found), dropped) == (0, 1)


def test_what_is_dropped_takes_nothing_from_others():
    found, trimmed, dropped = parted(squares((1, 0), (9, 0)), [squares((0, 0))])
    assert dropped == 1
    assert trimmed == 1  # by the inner one, which reaches to 10
    assert shapely.area(found.polygons).max() > 85


def test_neighbours_that_touch_stay_as_they_are():
    both = squares((0, 0), (10, 0))
    found, trimmed, dropped = parted(both, [squares((0, 10))])
    assert (trimmed, dropped) == (0, 0)
    np.testing.assert_array_equal(found.points, both.points)


def test_objects_of_other_classes_may_overlap_where_each_has_its_raster():
    both = squares((0, 0), (2, 2), classes=[0, 1])
    assert len(parted(both, layered=True)[0]) == 2
    assert len(parted(both)[0]) == 1


def test_the_order_in_which_others_are_met_does_not_matter():
    random = np.random.default_rng(5)
    crossing = squares(*random.integers(0, 60, (12, 2)))
    inner = [squares(tuple(at)) for at in random.integers(0, 60, (15, 2)).tolist()]
    one, *counts = parted(crossing, inner)
    other, *same = parted(crossing, inner[::-1])
    assert counts == same
    assert shared(one) == 0
    np.testing.assert_array_equal(one.points, other.points)


def test_nothing_to_part():
    assert parted(Instances.empty(), [squares((0, 0))])[1:] == (0, 0)
    assert len(parted(squares((0, 0)))[0]) == 1
