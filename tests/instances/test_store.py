"""Instances on disk: what goes in comes out, sorted, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from made_instances import CLASSES, COLOURS, made_instances, made_store, write_instances
from workbench.errors import RunError
from workbench.geometry import Box
from workbench.instances import store as store_module
from workbench.instances import writer
from workbench.instances.instances import Instances
from workbench.instances.outline_codec import (
    boxes_of,
    centres_of,
    curve_order,
    pack,
    unpack,
)
from workbench.instances.store import InstanceWriter, open_instances


def rows_of(instances):
    """Return objects as a set of what each is, whatever their order."""
    values = zip(
        (polygon.wkb for polygon in instances.polygons),
        instances.classes.tolist(),
        instances.scores.tolist(),
        *(column.tolist() for column in instances.measures.values()),
        strict=True,
    )
    return sorted(values)


@given(
    hnp.arrays(np.int32, st.tuples(st.integers(1, 40), st.just(2))),
    st.lists(st.integers(1, 40), max_size=5),
)
def test_packing_keeps_every_point_however_far(steps, cuts):
    ends = np.unique([*(cut for cut in cuts if cut < len(steps)), len(steps)])
    centres = steps[ends - 1] // 2
    data, byte_ends = pack(steps, ends.astype(np.int64), centres)
    back, back_ends = unpack(data, byte_ends, centres)
    np.testing.assert_array_equal(back, steps)
    np.testing.assert_array_equal(back_ends, ends)


@given(
    hnp.arrays(np.uint8, st.integers(0, 60)), st.lists(st.integers(0, 80), max_size=6)
)
def test_any_bytes_unpack_to_something(data, ends):
    byte_ends = np.sort(np.array([*ends], np.int64))
    steps, ends = unpack(data, byte_ends, np.zeros((len(byte_ends), 2), np.int32))
    assert len(steps) == (ends[-1] if len(ends) else 0)


def test_centres_areas_and_boxes_are_those_of_shapely():
    made = made_instances(300)
    steps = np.rint(made.points * 8).astype(np.int32)
    centres, areas = centres_of(steps, made.ends)
    polygons = made.polygons
    exact = shapely.get_coordinates(shapely.centroid(polygons))
    assert np.abs(centres / 8 - exact).max() <= 1 / 16 + 1e-9
    np.testing.assert_allclose(areas, shapely.area(polygons))
    np.testing.assert_array_equal(boxes_of(steps, made.ends) / 8, made.boxes)


def test_the_curve_visits_each_quarter_before_the_next():
    side = np.arange(64, dtype=np.int32)
    x, y = (each.ravel() for each in np.meshgrid(side, side))
    order = np.argsort(curve_order(np.stack([x, y], 1)))
    for quarter in np.split(order, 4):
        assert len(set(zip(x[quarter] // 32, y[quarter] // 32, strict=True))) == 1


def test_what_goes_in_comes_out(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "_STRETCH", 700)
    monkeypatch.setattr(writer, "GROUP", 256)
    made = made_instances(3000)
    store = write_instances(tmp_path / "a.parquet", made, step=90)
    assert len(store) == 3000
    assert len(store.bounds) > 5
    assert store.classes == CLASSES
    assert store.palette == COLOURS
    assert store.mpp == 0.25
    assert rows_of(store.take(np.arange(3000))) == rows_of(made)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize("group", [256, 8192])
def test_the_order_of_writing_does_not_matter(tmp_path, monkeypatch, group):
    monkeypatch.setattr(writer, "_STRETCH", 500)
    monkeypatch.setattr(writer, "GROUP", group)
    made = made_instances(2000)
    shuffled = made.take(np.random.default_rng(0).permutation(2000))
    first = write_instances(tmp_path / "a.parquet", made, step=70)
    second = write_instances(tmp_path / "b.parquet", shuffled, step=400)
    assert first.id == second.id
    pd.testing.assert_frame_equal(first.frame(), second.frame())
    moved = made_instances(2000, seed=4)
    assert write_instances(tmp_path / "c.parquet", moved).id != first.id


@settings(max_examples=30)
@given(
    st.integers(-200, 4200),
    st.integers(-200, 4200),
    st.integers(0, 900),
    st.integers(0, 900),
)
def test_a_box_finds_what_shares_a_point_with_it(shared_store, x, y, width, height):
    store, _ = shared_store
    box = Box.at(x, y, width, height)
    ids, found = store.within(box)
    everything = store.take(np.arange(len(store)))
    x0, y0, x1, y1 = everything.boxes.T
    hit = (x0 < box.x1) & (y0 < box.y1) & (x1 >= box.x0) & (y1 >= box.y0)
    np.testing.assert_array_equal(ids, np.flatnonzero(hit))
    assert rows_of(found) == rows_of(everything.take(hit))


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory):
    store = made_store(tmp_path_factory.mktemp("store"))
    return store, store.path


def test_rows_say_what_an_object_is(shared_store):
    store, _ = shared_store
    ids = np.array([7, 2999, 0])
    rows = store.rows(ids)
    assert rows.index.tolist() == ids.tolist()
    found = store.take(ids)
    assert rows["class"].tolist() == [CLASSES[i] for i in found.classes]
    np.testing.assert_array_equal(rows["area_um2"], found.measures["area_um2"])
    centres = shapely.get_coordinates(shapely.centroid(found.polygons))
    assert np.abs(rows[["x", "y"]].to_numpy() - centres).max() <= 1 / 16 + 1e-3
    assert len(store.frame()) == len(store)
    with pytest.raises(RunError, match="no instance 3000"):
        store.rows([3000])
    with pytest.raises(RunError, match=r"no column 'mood'.*area_um2"):
        store.columns(["mood"])


def test_neighbours_are_read_together(shared_store):
    store, path = shared_store
    other = open_instances(path)
    _ = other.within(Box(0, 0, 100, 100))
    assert len(other._groups) < max(2, len(store.bounds))
    table = pq.read_table(path)
    assert table.column_names[:4] == ["x", "y", "class", "score"]


@pytest.mark.parametrize(("held", "groups"), [(5000, 2), (100, 0)])
def test_no_more_outlines_are_held_than_asked_for(tmp_path, monkeypatch, held, groups):
    monkeypatch.setattr(store_module, "_HELD", held)
    monkeypatch.setattr(writer, "GROUP", 2048)
    path = tmp_path / "some.parquet"
    store = write_instances(path, made_instances(7000))
    everything = np.arange(len(store))
    outlines = store.take(everything)
    assert len(store.bounds) > groups
    assert len(store._groups) == groups
    again = store.take(everything)
    assert np.array_equal(again.points, outlines.points)


def test_an_empty_store_is_a_store(tmp_path):
    store = write_instances(tmp_path / "none.parquet", Instances.empty())
    assert len(store) == 0
    assert store.frame().empty
    ids, found = store.within(Box(0, 0, 100, 100))
    assert len(ids) == len(found) == 0


def test_a_file_that_was_not_finished_is_not_there(tmp_path):
    path = tmp_path / "instances.parquet"
    write_instances(path, made_instances(50))

    def fail():
        with InstanceWriter(path, classes=CLASSES, measures=["area_um2"]) as file:
            file.append(made_instances(200))
            message = "the model failed"
            raise ValueError(message)

    with pytest.raises(ValueError, match="the model failed"):
        fail()
    assert len(open_instances(path)) == 50
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("harm", ["cut", "empty", "other", "newer"])
def test_a_damaged_file_is_an_error_that_says_so(tmp_path, harm, shared_store):
    _, path = shared_store
    copy = tmp_path / "instances.parquet"
    data = path.read_bytes()
    copy.write_bytes(
        {
            "cut": data[: len(data) // 2],
            "empty": b"",
            "other": b"PAR1 is not all there is to it",
            "newer": data.replace(b'{"format": 1', b'{"format": 7'),
        }[harm]
    )
    with pytest.raises(RunError, match=r"instances\.parquet"):
        open_instances(copy)


def test_damage_within_is_noticed_when_it_is_read(tmp_path, shared_store):
    store, path = shared_store
    copy = tmp_path / "instances.parquet"
    data = bytearray(path.read_bytes())
    place = len(data) // 2
    data[place : place + 400] = bytes(400)
    copy.write_bytes(data)
    damaged = open_instances(copy)

    def read_all():
        damaged.take(np.arange(len(store)))

    with pytest.raises(RunError, match="cannot be read"):
        read_all()


def test_what_does_not_belong_is_refused(tmp_path):
    made = made_instances(5)
    one = InstanceWriter(tmp_path / "a.parquet", classes=["one"])
    with one as file, pytest.raises(RunError, match="no class"):
        file.append(made)
    moody = InstanceWriter(tmp_path / "b.parquet", classes=CLASSES, measures=["mood"])
    with moody as file, pytest.raises(RunError, match="no measure 'mood'"):
        file.append(made)
    with pytest.raises(RunError, match="no instances"):
        open_instances(tmp_path / "c.parquet")


@pytest.mark.slow
def test_real_polygons_take_little_room(shared_data, tmp_path):
    file = pq.ParquetFile(shared_data / "wsi_polygons" / "hgsc_nuclei_wsi.parquet")
    table = next(file.iter_batches(40_000)).to_pydict()
    polygons = shapely.from_wkb(table["geometry"])
    rings = shapely.get_exterior_ring(polygons)
    points, owner = shapely.get_coordinates(rings, return_index=True)
    last = np.flatnonzero(np.diff(owner, append=-1))
    open_rings = np.delete(points, last, axis=0)
    ends = np.cumsum(np.bincount(np.delete(owner, last)), dtype=np.int64)
    names, classes = np.unique(table["class_name"], return_inverse=True)
    made = Instances(
        points=open_rings.astype(np.float32),
        ends=ends,
        classes=classes.astype(np.uint16),
        scores=np.ones(len(ends), np.float32),
    )
    store = write_instances(tmp_path / "real.parquet", made, classes=names.tolist())
    assert store.path.stat().st_size / len(store) < 60
    back = store.take(np.arange(len(store))).polygons
    filled = shapely.area(shapely.polygons(rings)).sum()
    # Its points are cut, not rounded, to 0.001 px: on the raster they gain a little.
    assert abs(shapely.area(back).sum() / filled - 1) < 3e-3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much is held")
def test_memory_does_not_grow_with_the_number_of_objects(tmp_path):
    script = Path(__file__).parents[1] / "support" / "writing_instances.py"
    command = [sys.executable, str(script), str(tmp_path / "a.parquet"), "20", "120"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    few, many = map(int, said.split())
    assert many < 1.1 * few, "kB of memory for 200,000 and 1,200,000 objects"
