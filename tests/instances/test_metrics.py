"""Agreement of found objects with drawn ones, against cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workbench.errors import OutOfBoundsError
from workbench.instances.metrics import Agreement, agreement

LABELS = arrays(np.int32, (9, 11), elements=st.integers(0, 5))


def picture(*boxes):
    labels = np.zeros((10, 20), np.int32)
    for number, (y0, y1, x0, x1) in enumerate(boxes, 1):
        labels[y0:y1, x0:x1] = number
    return labels


def test_two_of_three_found_and_one_too_many():
    # Drawn: 4x4, 4x4, 2x2. Found: the first exactly, the second one column short,
    # nothing of the third, and 3x3 where nothing was drawn.
    drawn = picture((0, 4, 0, 4), (0, 4, 6, 10), (0, 2, 12, 14))
    found = picture((0, 4, 0, 4), (0, 4, 6, 9), (6, 9, 0, 3))
    got = agreement(drawn, found)
    assert got.f1 == pytest.approx(2 / 3)
    assert got.pq == pytest.approx((1 + 12 / 16) / 3)
    assert got.aji == pytest.approx((16 + 12) / (16 + 16 + 4 + 9))
    assert got.dice == pytest.approx(2 * 28 / (36 + 37))


def test_one_object_over_two_is_one_match_at_most():
    # 4x4 and 4x2, found as one of 4x6: 16/24 with the first, 8/24 with the second.
    drawn = picture((0, 4, 0, 4), (0, 4, 4, 6))
    found = picture((0, 4, 0, 6))
    got = agreement(drawn, found)
    assert got.f1 == pytest.approx(2 / 3)
    assert got.pq == pytest.approx((16 / 24) / 1.5)
    assert got.aji == pytest.approx((16 + 8) / (24 + 24))
    assert got.dice == 1


def test_exactly_half_is_no_match():
    got = agreement(picture((0, 4, 0, 4)), picture((0, 4, 0, 2)))
    assert (got.f1, got.pq, got.aji) == (0, 0, 0.5)


def test_nothing_is_found_where_nothing_is():
    empty, some = picture(), picture((0, 2, 0, 2))
    assert agreement(empty, empty) == Agreement(1, 1, 1, 1)
    assert agreement(empty, some) == agreement(some, empty) == Agreement(0, 0, 0, 0)


@given(LABELS, LABELS)
def test_values_stay_in_range_and_numbers_do_not_matter(drawn, found):
    got = agreement(drawn, found)
    assert 0 <= got.pq <= got.f1 <= 1
    assert 0 <= got.aji <= got.dice <= 1
    renumbered = np.array([0, 70, 3, 9, 1000, 5])[found]
    assert agreement(drawn, renumbered) == got
    assert agreement(drawn, drawn) == Agreement(1, 1, 1, 1)


@given(LABELS, LABELS)
def test_pixel_by_pixel_counting_gives_the_same(drawn, found):
    ious = [
        [(np.sum((drawn == i) & (found == j)), np.sum((drawn == i) | (found == j)), j)
         for j in np.unique(found) if j]
        for i in np.unique(drawn) if i
    ]  # fmt: skip
    if not ious or not ious[0]:
        return
    best = [max(row, key=lambda each: each[0] / each[1]) for row in ious]
    shared = sum(each[0] for each in best)
    unions = sum(
        each[1] if each[0] else np.sum(drawn == i)
        for i, each in zip(np.unique(drawn[drawn > 0]), best, strict=True)
    )
    taken = {each[2] for each in best if each[0]}
    rest = sum(np.sum(found == j) for j in np.unique(found) if j and j not in taken)
    got = agreement(drawn, found)
    matches = [a / b for row in ious for a, b, _ in row if a / b > 0.5]
    objects = (len(ious) + len(ious[0])) / 2
    assert got.f1 == pytest.approx(len(matches) / objects)
    assert got.pq == pytest.approx(sum(matches) / objects)
    if len({each[0] / each[1] for row in ious for each in row}) == sum(map(len, ious)):
        assert got.aji == pytest.approx(shared / (unions + rest))


def test_the_mean_weighs_pictures_alike():
    mean = Agreement.mean([Agreement(1, 1, 1, 1), Agreement(0, 0.5, 0, 0.2)])
    assert mean == Agreement(0.5, 0.75, 0.5, 0.6)


def test_pictures_of_different_sizes_are_refused():
    with pytest.raises(OutOfBoundsError, match=r"\(10, 20\) and \(10, 19\)"):
        agreement(picture(), picture()[:, 1:])
