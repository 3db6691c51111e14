"""Outlines of labels, and what is measured of them: against other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_fill_holes, label
from skimage.measure import regionprops

from labelled_slides import blobs
from workbench.geometry import Box
from workbench.instances.instances import Instances
from workbench.instances.measure import measure, shapes_of
from workbench.instances.stitching import codec
from workbench.instances.stitching.claims import ClaimKind, Claims
from workbench.instances.tracing import largest_parts, trace
from workbench.stain.deconvolution import STAIN_SETS

small = arrays(
    np.int32,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.integers(0, 3),
)


def instances_of(labels, **place):
    points, ends = trace(labels, **place)
    count = len(ends)
    return Instances(
        points, ends, np.zeros(count, np.uint16), np.ones(count, np.float32)
    )


@settings(max_examples=200)
@given(labels=small)
def test_rings_filled_give_back_the_labels(labels):
    """Of each object the largest part, meeting at corners included; without holes."""
    whole, _ = largest_parts(labels)
    points, ends = trace(labels)
    height, width = labels.shape
    y, x = np.mgrid[:height, :width] + 0.5
    for number, ring in enumerate(np.split(points, ends[:-1]), start=1):
        parts, count = label(labels == number, np.ones((3, 3)))
        if not count:
            assert not len(ring)
            continue
        held = whole == number
        assert held.sum() == np.bincount(parts[parts > 0]).max()
        polygon = shapely.Polygon(ring)
        assert polygon.is_valid
        filled = binary_fill_holes(held)
        inside = shapely.contains_xy(polygon, x, y)
        np.testing.assert_array_equal(inside, filled)
        assert polygon.area == filled.sum() - 0.5


@given(labels=small, x=st.integers(0, 900_000), scale=st.sampled_from([0.5, 1, 2, 4]))
def test_rings_lie_where_the_labels_do(labels, x, scale):
    here, _ = trace(labels)
    there, _ = trace(labels, origin=(x, 7), scale=scale)
    np.testing.assert_array_equal(there, here * scale + [x, 7])


@given(x=st.floats(0, 1e5), scale=st.floats(0.3, 5))
@pytest.mark.slow
def test_rings_lie_on_the_raster(x, scale):
    points, _ = trace(blobs((40, 40), 4, (3, 6)), origin=(x, x), scale=scale)
    np.testing.assert_array_equal(points * 8, np.rint(points * 8))


def test_neighbours_share_their_border():
    labels = np.ones((6, 6), np.int32)
    labels[:, 3:] = 2
    left, right = instances_of(labels).polygons
    assert shapely.intersection(left, right).area == 0
    assert shapely.distance(left, right) == 0
    assert shapely.intersection(left, right).length > 4


def test_measures_are_those_of_scikit_image():
    random = np.random.default_rng(0)
    labels = blobs((300, 300), 150, (4, 14))
    pixels = random.integers(0, 256, (*labels.shape, 3), np.uint8)
    stains = STAIN_SETS["H&E"]
    tables = {"hematoxylin_od": stains.tables(0), "eosin_od": stains.tables(1)}
    # Lies at (0, 0), two level-0 pixels for each.
    found = instances_of(labels, scale=2.0)
    got = measure(found, pixels, Box(0, 0, 600, 600), 0.25, tables).measures
    for region in regionprops(labels, stains.amounts(pixels)):
        i = region.label - 1
        if region.euler_number != 1:
            continue
        assert got["area_um2"][i] == pytest.approx((region.area - 0.5) * 0.25)
        assert got["hematoxylin_od"][i] == pytest.approx(
            region.intensity_mean[0], abs=1e-4
        )
        assert got["eosin_od"][i] == pytest.approx(region.intensity_mean[1], abs=1e-4)
        assert got["eccentricity"][i] == pytest.approx(region.eccentricity, abs=0.06)
        assert got["solidity"][i] == pytest.approx(region.solidity, abs=0.07)
        assert got["perimeter_um"][i] == pytest.approx(region.perimeter / 2, rel=0.12)


def test_shapes_of_known_figures():
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], np.float32)
    notched = np.array([[0, 0], [4, 0], [4, 4], [2, 2], [0, 4]], np.float32)
    longer = square * [3, 1]
    rings = [square, notched, longer.astype(np.float32)]
    ends = np.cumsum([len(ring) for ring in rings])
    none = np.zeros(3, np.uint16)
    found = Instances(np.concatenate(rings), ends, none, none.astype(np.float32))
    got = shapes_of(found, 0.5)
    np.testing.assert_allclose(got["area_um2"], [4, 3, 12])
    np.testing.assert_allclose(got["perimeter_um"][[0, 2]], [8, 16])
    np.testing.assert_allclose(got["solidity"], [1, 0.75, 1], rtol=1e-6)
    np.testing.assert_allclose(got["circularity"][0], np.pi / 4, rtol=1e-6)
    np.testing.assert_allclose(
        got["eccentricity"][[0, 2]], [0, np.sqrt(8 / 9)], atol=1e-6
    )


def test_what_lies_outside_the_pixels_is_not_measured():
    found = instances_of(np.ones((4, 4), np.int32), origin=(100, 100))
    pixels = np.zeros((10, 10, 3), np.uint8)
    tables = {"dab_od": np.ones((3, 256), np.float32)}
    got = measure(found, pixels, Box(0, 0, 10, 10), 0.5, tables).measures
    assert np.isnan(got["dab_od"]).all()


def test_claims_come_back_from_bytes():
    labels = blobs((200, 200), 60, (3, 7))
    found = instances_of(labels, origin=(90_000.5, 70_000))
    found = measure(
        found,
        np.zeros((200, 200, 3), np.uint8),
        Box(90_000, 70_000, 90_200, 70_200),
        0.5,
        {"dab_od": np.ones((3, 256), np.float32)},
    )
    count = len(found)
    kinds = np.arange(count, dtype=np.uint8) % 4
    claims = Claims(found, np.arange(count) * 7, kinds)
    data = codec.encode(claims, classes=2)
    back = codec.decode(data)
    np.testing.assert_array_equal(back.instances.points, found.points)
    np.testing.assert_array_equal(back.instances.ends, found.ends)
    np.testing.assert_array_equal(back.tiles, claims.tiles)
    np.testing.assert_array_equal(back.kinds, kinds)
    for name, column in found.measures.items():
        np.testing.assert_array_equal(back.instances.measures[name], column)
    assert codec.held(data) == [int((kinds != ClaimKind.BEYOND).sum()), 0]
