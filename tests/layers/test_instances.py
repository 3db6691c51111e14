"""Objects as tiles: every pixel says whose it is, colours follow, nothing is lost."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from made_instances import CLASSES, COLOURS, made_instances, made_store, write_instances
from workbench.errors import OutOfBoundsError, RecipeError
from workbench.instances.edits import InstanceEdits
from workbench.instances.instances import Instances
from workbench.layers.instance_style import (
    CHOSEN,
    InstanceStyle,
    Limit,
    outline_palette,
)
from workbench.layers.instances import InstanceLayer, InstanceNumberLayer
from workbench.layers.layer import InstancesLayer, Pyramid
from workbench.layers.rasterize import fill_outlines
from workbench.tileserver.registry import TileRegistry

SIZE = (4000, 4000)
PYRAMID = Pyramid(SIZE, 256)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("layer"), 3000)


def unpacked(tile, side=256):
    """Return the ids and cells of a tile of numbers, as the browser reads them."""
    data = zlib.decompress(tile.data)
    count, wide = struct.unpack_from("<II", data)
    ids = np.frombuffer(data, "<u4", count, 8)
    cells = np.frombuffer(data, "<u4" if wide else "<u2", side * side, 8 + 4 * count)
    return ids, cells.reshape(side, side)


def rgba(tile):
    with Image.open(io.BytesIO(tile.data)) as image:
        return np.asarray(image.convert("RGBA"))


rings = st.lists(
    st.tuples(st.integers(-40, 300), st.integers(-40, 300)), min_size=3, max_size=9
)


@settings(max_examples=60)
@given(rings, st.sampled_from([1, 2, 4]))
def test_a_pixel_is_filled_if_its_centre_is_inside(ring, downsample):
    steps = np.array(ring, np.int32) * 8 + 3  # no edge on a centre
    polygon = shapely.Polygon(steps / 8)
    box = np.concatenate([steps.min(0), steps.max(0)])[None].astype(np.int32)
    cells, members = np.zeros((64, 64), np.uint32), np.empty(4, np.int64)
    group = (7, steps, np.array([len(steps)], np.int64), box)
    fill_outlines(cells, members, 0, (0, 0, downsample), group)
    if not polygon.is_valid:
        return
    at = (np.arange(64) + 0.5) * downsample
    x, y = np.meshgrid(at, at)
    inside = shapely.contains_xy(polygon, x, y)
    if inside.any():
        np.testing.assert_array_equal(cells > 0, inside)
    assert (cells > 0).sum() <= max(1, inside.sum())


@pytest.mark.slow
def test_tiles_say_whose_each_pixel_is(store):
    layer = InstanceNumberLayer(store, PYRAMID)
    z = PYRAMID.max_zoom
    ids, cells = unpacked(layer.tile(z, 5, 6))
    everything = store.take(np.arange(len(store))).polygons
    at = np.arange(256) + 0.5
    x, y = np.meshgrid(5 * 256 + at, 6 * 256 + at)
    for key in np.unique(cells[cells > 0] // 2):
        mine = cells // 2 == key
        polygon = everything[ids[key - 1]]
        assert shapely.intersects_xy(polygon, x[mine], y[mine]).all()
    tree = shapely.STRtree(everything)
    points = shapely.points(x, y).ravel()
    for predicate, missed in (("within", cells == 0), ("intersects", cells > 0)):
        held = np.zeros(256 * 256, bool)
        held[tree.query(points, predicate)[0]] = True
        # Centres on an outline itself belong to one side or the other.
        wrong = missed.ravel() & (held if predicate == "within" else ~held)
        assert not wrong.any()


def test_tiles_meet_without_a_seam(store):
    wide = InstanceNumberLayer(store, Pyramid(SIZE, 512))
    small = InstanceNumberLayer(store, PYRAMID)
    z = PYRAMID.max_zoom

    def owners(tile, side):
        ids, cells = unpacked(tile, side)
        table = np.concatenate([[-1], ids.astype(int)])
        return table[cells // 2], cells % 2

    whole = owners(wide.tile(wide.pyramid.max_zoom, 2, 3), 512)
    parts = [[owners(small.tile(z, 4 + i, 6 + j), 256) for i in (0, 1)] for j in (0, 1)]
    for which in (0, 1):
        put = np.block([[part[which] for part in row] for row in parts])
        np.testing.assert_array_equal(put, whole[which])


def test_the_picture_is_the_numbers_in_their_colours(store):
    style = InstanceStyle(limits=(Limit("score", 0.4),), hidden=frozenset({CLASSES[0]}))
    layer = InstanceLayer(store, PYRAMID, style, chosen=np.array([3, 5]))
    assert isinstance(layer, InstancesLayer)
    table = np.frombuffer(zlib.decompress(layer.colours.tile(0, 0, 0).data), np.uint8)
    assert len(table) == len(store)
    for z in range(layer.instances_from_zoom, PYRAMID.max_zoom + 1):
        rows, columns = PYRAMID.shape(z)
        x, y = columns // 2, rows // 2
        ids, cells = unpacked(layer.instance_numbers.tile(z, x, y))
        colour = np.concatenate([[0], table[ids]])[cells // 2]
        wanted = layer.palette[2 * colour + cells % 2]
        wanted[colour == 0] = 0
        seen = rgba(layer.tile(z, x, y))
        np.testing.assert_array_equal(seen[..., 3], wanted[..., 3])
        there = wanted[..., 3] > 0
        np.testing.assert_array_equal(seen[there], wanted[there])
        assert there.any()


@pytest.mark.slow
def test_far_away_coverage_is_that_of_the_objects(store):
    layer = InstanceLayer(store, PYRAMID)
    columns = store.columns(["size_px", "x", "y"])
    total = (columns["size_px"].astype(float) ** 2).sum()
    for scale in (16, 32):
        size = (-(-SIZE[1] // scale) + 8, -(-SIZE[0] // scale) + 8)
        box = PYRAMID.box(0, 0, 0)
        sums = layer._coverage(box, scale, size)
        seen = sums.sum() * scale**2
        assert abs(seen / total - 1) < 0.05


@pytest.mark.slow
def test_far_away_the_class_that_covers_most_is_seen(tmp_path):
    made = made_instances(4000, (2000, 2000), seed=1)
    left = made.points[made.ends - 1, 0] < 1000
    made = Instances(
        points=made.points,
        ends=made.ends,
        classes=np.where(left, 0, 1).astype(np.uint16),
        scores=made.scores,
    )
    store = write_instances(tmp_path / "a.parquet", made)
    pyramid = Pyramid((60_000, 60_000), 256)
    for z in range(InstanceLayer(store, pyramid).instances_from_zoom):
        scale = pyramid.downsample(z)
        picture = rgba(InstanceLayer(store, pyramid).tile(z, 0, 0))
        if scale <= 128:
            inner = int(800 / scale)
            shown = picture[1:inner, 1 : inner // 2 + 1]
            assert (shown[shown[..., 3] > 0][:, :3] == COLOURS[0]).all()
        assert picture[..., 3].max() > 150


def test_what_is_hidden_is_seen_nowhere(store):
    nothing = InstanceStyle(hidden=frozenset(CLASSES))
    layer = InstanceLayer(store, PYRAMID, nothing)
    for z in range(PYRAMID.max_zoom + 1):
        assert layer.tile(z, 0, 0) is None
    assert not layer.legend.entries


def test_a_measure_is_a_ramp_and_the_chosen_stand_out(store):
    style = InstanceStyle(by="area_um2", low=5, high=40, colormap="magma")
    numbers = style.colour_indices(store, np.array([9]))
    areas = store.columns(["area_um2"])["area_um2"]
    order = np.argsort(np.delete(areas, 9))
    assert (np.diff(np.delete(numbers, 9)[order].astype(int)) >= 0).all()
    assert numbers[9] == CHOSEN
    assert style.legend(store).ramp
    palette = outline_palette(style.palette(store))
    assert palette.shape == (64, 4)
    assert palette[2:, 3].tolist() == [0, 255] * CHOSEN  # outlines, nothing filled
    with pytest.raises(RecipeError):
        InstanceStyle(low=1, high=1)
    with pytest.raises(OutOfBoundsError):
        InstanceLayer(store, PYRAMID, style).tile(99, 0, 0)


def test_tiny_objects_are_seen_at_every_zoom(tmp_path):
    made = made_instances(1, (2000, 2000), radius=(2.0, 3.0))
    store = write_instances(tmp_path / "a.parquet", made)
    pyramid = Pyramid((9000, 9000), 256)
    layer = InstanceLayer(store, pyramid)
    x, y = (made.points.min(0) + made.points.max(0)) / 2
    for z in range(pyramid.max_zoom + 1):
        side = 256 * pyramid.downsample(z)
        tile = layer.tile(z, int(x // side), int(y // side))
        assert tile is not None, z


def test_edits_are_drawn_and_others_tiles_are_kept(tmp_path):
    edits = InstanceEdits(made_store(tmp_path, 400))
    before = InstanceLayer(edits.current, PYRAMID)
    edits.delete([1], by="ann")
    after = InstanceLayer(
        edits.current, PYRAMID, instance_numbers=before.instance_numbers
    )
    assert after.instance_numbers is before.instance_numbers
    table = zlib.decompress(after.colours.tile(0, 0, 0).data)
    assert table[1] == 0
    edits.add([(10, 10), (60, 10), (60, 60), (10, 60)], "mitosis", by="ann")
    added = InstanceLayer(
        edits.current, PYRAMID, instance_numbers=after.instance_numbers
    )
    assert added.instance_numbers is not after.instance_numbers
    assert added.instance_numbers.version != after.instance_numbers.version
    ids, cells = unpacked(added.instance_numbers.tile(PYRAMID.max_zoom, 0, 0))
    assert ids[cells[30, 30] // 2 - 1] == 400
    assert added.legend.entries[-1][0] == "mitosis"


def test_two_who_look_at_the_same_share_tiles_of_numbers(store):
    registry = TileRegistry()
    place = (PYRAMID.max_zoom, 3, 3)
    first, second = (
        registry.register(InstanceLayer(store, PYRAMID).instance_numbers)
        for _ in range(2)
    )
    drawn = registry.tile(first, place)
    ready = registry.available_tile(second, place)
    assert ready is not None
    assert ready.tile is drawn.tile
