"""Counts of instances: where they lie, what share they are, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from made_instances import CLASSES, made_store
from made_slides import write_tiff
from workbench.area import Area
from workbench.errors import MissingMppError, OutOfBoundsError
from workbench.geometry import Box
from workbench.instances.counts import count, poisson, positivity, wilson, within
from workbench.instances.edits import InstanceEdits
from workbench.instances.stain_measures import measure_stains
from workbench.slide.slide import open_slide
from workbench.stain.deconvolution import find_stains
from workbench.stain.quantify import THRESHOLDS, h_score
from workbench.tissue import Tissue


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("counts"), 2000)


@given(st.integers(0, 400), st.integers(1, 400), st.sampled_from([0.9, 0.95, 0.99]))
def test_shares_have_wilsons_interval(hits, more, confidence):
    total = hits + more
    exact = stats.binomtest(hits, total).proportion_ci(confidence, "wilson")
    assert wilson(hits, total, confidence) == pytest.approx(tuple(exact), abs=1e-9)
    low, high = wilson(total, total, confidence)
    assert high == 1
    assert low < 1


@given(st.integers(0, 3000), st.sampled_from([0.9, 0.95]))
def test_densities_have_the_exact_poisson_interval(number, confidence):
    low, high = poisson(number, confidence)
    tail = (1 - confidence) / 2
    assert stats.poisson.cdf(number, high) == pytest.approx(tail)
    if number:
        assert stats.poisson.sf(number - 1, low) == pytest.approx(tail)
    else:
        assert low == 0


def test_areas_that_share_an_edge_share_no_object(store):
    x, y = store.columns(["x"])["x"], store.columns(["y"])["y"]
    cut = float(x[7])  # an edge right through centroids
    left = Area.of(shapely.box(-100, -100, cut, 4100))
    right = Area.of(shapely.box(cut, -100, 4200, 4100))
    both = within(left, x, y).astype(int) + within(right, x, y)
    assert (both == 1).all()
    box = Box(500, 500, 1500, 1500)
    area = Area.of(box)
    np.testing.assert_array_equal(within(box, x, y), within(area, x, y))


def test_classes_add_up_to_all(store):
    places = {"box": Box(0, 0, 2000, 2000), "empty": Box(9000, 9000, 9100, 9100)}
    table = count(store, places).set_index(["place", "class"])
    box = table.loc["box"]
    frame = store.frame()
    inside = frame[
        (frame.x < 2000) & (frame.y < 2000) & (frame.x >= 0) & (frame.y >= 0)
    ]
    for name in CLASSES:
        assert box.loc[name, "count"] == (inside["class"] == name).sum()
    assert box.loc["all", "count"] == len(inside)
    assert box.loc["all", "area_mm2"] == pytest.approx(0.25)
    assert box.loc["all", "per_mm2"] == pytest.approx(len(inside) / 0.25)
    assert box["share"].iloc[:3].sum() == pytest.approx(1)
    assert (box["share_low"] <= box["share"]).all()
    assert (box["per_mm2_low"] < box["per_mm2"]).all()
    empty = table.loc["empty"]
    assert empty["count"].sum() == 0
    assert empty["share"].isna().all()
    assert (empty["per_mm2_high"] > 0).all()


def test_deleted_objects_do_not_count(tmp_path):
    edits = InstanceEdits(made_store(tmp_path, 300))
    whole = {"all": Box(-100, -100, 5000, 5000)}
    edits.delete(range(40), by="ann")
    found = count(edits.current, whole).set_index("class")
    assert found.loc["all", "count"] == 260


def test_tissue_is_a_place_too(store):
    mask = np.zeros((500, 500), bool)
    mask[:250] = True
    tissue = Tissue(mask, 8)
    table = count(store, {"tissue": tissue}).set_index("class")
    y = store.columns(["y"])["y"]
    x = store.columns(["x"])["x"]
    expected = ((y < 2000) & (y >= 0) & (x >= 0) & (x < 4000)).sum()
    assert table.loc["all", "count"] == expected
    assert table.loc["all", "area_mm2"] == pytest.approx(0.5)


def test_without_mpp_nothing_is_said_to_a_mm2(tmp_path):
    store = made_store(tmp_path, 10)
    store.mpp = None
    with pytest.raises(MissingMppError):
        count(store, {"a": Box(0, 0, 10, 10)})
    assert count(store, {"a": Box(0, 0, 10, 10)}, mpp=0.5)["area_mm2"].iloc[0] > 0


def test_positivity_is_that_of_the_objects(store):
    rng = np.random.default_rng(0)
    densities = rng.gamma(2, 0.2, len(store)).astype(np.float32)
    densities[:50] = np.nan
    whole = {"slide": Box(-100, -100, 5000, 5000)}
    row = positivity(store, whole, densities).iloc[0]
    known = densities[50:]
    assert row["objects"] == len(known)
    assert row["positive"] == pytest.approx((known >= THRESHOLDS[0]).mean())
    assert row["positive_low"] < row["positive"] < row["positive_high"]
    assert row["h_score"] == pytest.approx(h_score(known))
    assert row["h_score_low"] < row["h_score"] < row["h_score_high"]
    assert row["weak"] + row["moderate"] + row["strong"] + row["negative"] == len(known)
    with pytest.raises(OutOfBoundsError):
        positivity(store, whole, densities[:5])


@pytest.mark.slow
def test_stains_are_measured_in_each_object(tmp_path):
    made = made_store(tmp_path, 60, size=(1500, 1500))
    stains = find_stains("H-DAB")
    brown = np.rint(255 * 10 ** -(0.8 * stains.vectors[1])).astype(np.uint8)
    pixels = np.full((1600, 2600, 3), 255, np.uint8)
    pixels[:, :800] = brown
    slide = open_slide(write_tiff(tmp_path / "a.tif", pixels, levels=1), mpp=0.25)
    tables = {name: stains.tables(i) for i, name in enumerate(stains.names)}
    found = measure_stains(slide, made, tables)[stains.names[1]]
    boxes = made.take(np.arange(60)).boxes
    left = (boxes[:, 2] < 795) & (boxes.min(1) > 0)
    np.testing.assert_allclose(found[left], 0.8, atol=0.02)
    np.testing.assert_allclose(found[boxes[:, 0] > 805], 0, atol=0.02)


def test_a_box_may_be_given_as_its_edges(store):
    x0, y0, x1, y1 = edges = (0, 0, 300, 200)
    box = Box(x0, y0, x1, y1)
    assert count(store, {"a": edges}).equals(count(store, {"a": box}))
    np.testing.assert_array_equal(store.within(edges)[0], store.within(box)[0])
