"""Labels of tiles from clicks and annotations."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb
from workbench.training import TileLabels, label_tiles

GRID = np.array([(x, y, x + 10, y + 10) for y in (0, 10) for x in (0, 10)], float)


def area(name, *bounds, **fields):
    return wb.Annotation(geometry=shapely.box(*bounds), classification=name, **fields)


def named(labels):
    return {row: label.name for row, label in labels.by_row.items()}


def test_an_area_labels_the_tiles_that_it_covers_enough():
    tumour = area("tumour", 0, 0, 15.5, 10)
    assert named(label_tiles(GRID, [tumour])) == {0: "tumour", 1: "tumour"}
    assert named(label_tiles(GRID, [tumour], min_coverage=0.56)) == {0: "tumour"}
    assert len(label_tiles(GRID, [area("tumour", 4, 4, 6, 6)])) == 0


def test_a_label_names_its_annotation_and_the_last_editor():
    tumour = area("tumour", 0, 0, 10, 10, id="abc", author="me", editor="you")
    label = label_tiles(GRID, [tumour]).by_row[0]
    assert (label.source, label.author) == ("abc", "you")


def test_the_area_that_covers_more_wins_and_a_point_before_it():
    most, less = area("most", 0, 0, 10, 8), area("less", 0, 0, 10, 6)
    assert named(label_tiles(GRID, [most, less])) == {0: "most"}
    assert named(label_tiles(GRID, [less, most])) == {0: "most"}
    click = wb.Annotation(geometry=shapely.Point(3, 3), classification="clicked")
    for order in ([click, most], [most, click]):
        assert named(label_tiles(GRID, order)) == {0: "clicked"}


def test_a_point_labels_the_tile_with_the_nearest_centre():
    boxes = np.array([(0, 0, 10, 10), (4, 0, 14, 10)], float)
    points = [(5.5, 5), (8.5, 5), (20, 5)]
    both = wb.Annotation(
        geometry=shapely.MultiPoint(points[1:]), classification="right"
    )
    first = wb.Annotation(geometry=shapely.Point(points[0]), classification="left")
    assert named(label_tiles(boxes, [first, both])) == {0: "left", 1: "right"}


def test_lines_and_ignored_and_unclassified_annotations_give_no_labels():
    line = wb.Annotation(
        geometry=shapely.LineString([(0, 0), (20, 20)]), classification="tumour"
    )
    others = [line, area("", 0, 0, 20, 20), area("Ignore*", 0, 0, 20, 20)]
    assert len(label_tiles(GRID, others)) == 0


@pytest.mark.parametrize("share", [0, -1, 1.1, float("nan")])
def test_a_share_out_of_bounds_is_refused(share):
    with pytest.raises(wb.errors.TrainingError, match="is no share of a tile"):
        label_tiles(GRID, [], min_coverage=share)


def test_an_earlier_value_undoes_a_click():
    before = TileLabels().with_click(3, "a")
    after = before.with_click(3, "b", author="me").with_click(1, "a")
    assert (before.counts, after.counts) == ({"a": 1}, {"b": 1, "a": 1})
    assert after.rows.tolist() == [1, 3]
    assert after.names == ["a", "b"]
    assert after.with_click(1, None).rows.tolist() == [3]
    assert after.updated(before).names == ["a", "a"]


@given(
    st.lists(
        st.tuples(*[st.integers(0, 40)] * 4).filter(
            lambda b: b[0] < b[2] and b[1] < b[3]
        ),
        min_size=1,
        max_size=4,
    )
)
@pytest.mark.slow
def test_coverage_is_that_of_pixels(bounds):
    corners = [(x, y) for y in range(0, 40, 10) for x in range(0, 40, 10)]
    boxes = np.array([(x, y, x + 10, y + 10) for x, y in corners], float)
    areas = [area(str(i), *each) for i, each in enumerate(bounds)]
    labels = named(label_tiles(boxes, areas, min_coverage=0.3))
    masks = np.zeros((len(bounds), 40, 40))
    for mask, (x0, y0, x1, y1) in zip(masks, bounds, strict=True):
        mask[y0:y1, x0:x1] = 1
    for row, (x, y) in enumerate(corners):
        shares = masks[:, y : y + 10, x : x + 10].mean((1, 2)).round(6)
        if shares.max() < 0.3:
            assert row not in labels
        else:
            best = np.flatnonzero(shares == shares.max())[-1]
            assert labels[row] == str(best)
