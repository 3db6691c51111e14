"""Heatmaps while a run goes on: coarser cells, what is pending, classes, values."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from workbench.errors import OutOfBoundsError
from workbench.features.scores import TileScores
from workbench.layers.class_map import ClassMapLayer
from workbench.layers.heatmap import PENDING_COLOUR, HeatmapLayer, HeatmapStyle
from workbench.layers.layer import Pyramid, ReadableLayer
from workbench.layers.tile_scores import TileScoresLayer
from workbench.results.heatmap import Heatmap
from workbench.results.mipmap import Mipmap
from workbench.results.tile_results import Raster, TileResults
from workbench.tiling.grid import Grid


def image(tile):
    return np.asarray(Image.open(io.BytesIO(tile.data)).convert("RGBA"))


def blocks(values, side):
    """Return the cells of each block, (rows, columns, side * side), NaN beyond."""
    rows, columns = (-(-n // side) for n in values.shape)
    padded = np.full((rows * side, columns * side), np.nan)
    padded[: values.shape[0], : values.shape[1]] = values
    split = padded.reshape(rows, side, columns, side).transpose(0, 2, 1, 3)
    return split.reshape(rows, columns, -1)


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 23), st.integers(1, 23)),
    seed=st.integers(0, 9999),
    steps=st.integers(1, 5),
)
def test_coarser_cells_sum_up_the_finest_whenever_they_came(shape, seed, steps):
    rng = np.random.default_rng(seed)
    values = np.full((2, *shape), np.nan, np.float32)
    overview = Mipmap(values)
    for _ in range(steps):
        rows = rng.integers(0, shape[0], 5)
        columns = rng.integers(0, shape[1], 5)
        values[:, rows, columns] = rng.random((2, 5), np.float32)
        overview.touch(rows, columns)
        level = int(rng.integers(0, overview.depth + 1))
        for channel in range(2):
            parts = blocks(values[channel], 2**level)
            known = ~np.isnan(parts)
            count = known.sum(-1)
            total = np.where(known, parts, 0).sum(-1)
            mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
            highest = np.where(known, parts, -np.inf).max(-1)
            highest[count == 0] = np.nan
            got = overview.at(level, channel)
            np.testing.assert_allclose(got, mean, rtol=1e-6)
            np.testing.assert_array_equal(
                overview.at(level, channel, "highest"), highest.astype(np.float32)
            )


def test_only_what_is_touched_is_summed_up_again():
    values = np.zeros((1, 64, 64), np.float32)
    overview = Mipmap(values)
    overview.at(6, 0)
    values[0, 0, 0] = values[0, 63, 63] = 1.0
    overview.touch(np.array([63]), np.array([63]))
    assert overview.at(1, 0)[31, 31] == 0.25
    assert overview.at(1, 0)[0, 0] == 0
    assert overview.at(6, 0)[0, 0] == pytest.approx(1 / 64**2)


def test_a_raster_keeps_its_overview_up_to_date():
    grid = Grid((80, 80), 1.0, 16)
    raster = Raster(grid, 1, 4)
    rng = np.random.default_rng(0)
    for chunk, tiles in enumerate(np.split(rng.permutation(len(grid)), 5)):
        values = rng.random((len(tiles), 1, 4, 4), np.float32)
        raster.paint(TileResults(chunk, tiles, values))
        fresh = Mipmap(raster.values)
        for level in range(fresh.depth + 1):
            np.testing.assert_array_equal(
                raster.overview.at(level, 0), fresh.at(level, 0)
            )


def test_a_single_hot_cell_is_seen_from_afar():
    side = 1000
    for row, column in ((0, 0), (333, 517), (999, 998)):
        values = np.zeros((1, side, side), np.float32)
        values[0, row, column] = 1
        heatmap = Heatmap(values, ("tumour",), 8.0)
        pyramid = Pyramid((8 * side, 8 * side), 256)
        style = HeatmapStyle(threshold=0.5, summary="highest")
        drawn = image(HeatmapLayer(heatmap, pyramid, style=style).tile(0, 0, 0))
        at = np.argwhere(drawn[..., 3])
        assert 1 <= len(at) <= 4
        pixel = pyramid.downsample(0)
        assert np.abs(at - np.array([row, column]) * 8 / pixel).max() <= 2


def test_a_fine_pattern_is_grey_from_afar_not_stripes():
    values = np.zeros((1, 512, 512), np.float32)
    values[0, ::2] = 1
    heatmap = Heatmap(values, ("x",), 1.0)
    layer = HeatmapLayer(
        heatmap, Pyramid((512, 512), 128), style=HeatmapStyle(colormap="grey")
    )
    drawn = image(layer.tile(0, 0, 0))[..., 0].astype(int)
    assert drawn.min() == drawn.max()
    assert abs(drawn[0, 0] - 127.5) <= 1


def asked_for(values, asked, cell=32.0):
    values = np.asarray(values, np.float32)
    return Heatmap(values, ("a",), cell, selected=np.asarray(asked, bool))


def test_what_is_asked_for_and_not_done_is_hatched():
    # Two blocks of 2 x 2 cells: the left one is done, the right one is not; below
    # them one that was not asked for.
    values = np.full((1, 4, 4), np.nan)
    values[0, :2, :2] = 0.9
    heatmap = asked_for(values, [[True, True], [False, False]])
    drawn = image(HeatmapLayer(heatmap, Pyramid((128, 128), 128)).tile(0, 0, 0))
    assert (drawn[:64, :64, 3] == 255).all()
    assert not drawn[64:, :, 3].any()
    stripes = (drawn[:64, 64:] == PENDING_COLOUR).all(-1)
    assert 0.05 < stripes.mean() < 0.3
    assert not drawn[:64, 64:][~stripes][:, 3].any()
    done = replace(heatmap, values=np.zeros((1, 4, 4), np.float32))
    drawn = image(HeatmapLayer(done, Pyramid((128, 128), 128)).tile(0, 0, 0))
    assert not (drawn == PENDING_COLOUR).all(-1).any()


def test_stripes_go_on_from_tile_to_tile_and_nothing_hidden_is_hatched():
    heatmap = asked_for([[[np.nan, np.nan], [0.1, 0.1]]], [[1, 1], [1, 1]], 64.0)
    style = HeatmapStyle(threshold=0.5)
    layer = HeatmapLayer(heatmap, Pyramid((128, 128), 64), style=style)
    left, right = (image(layer.tile(1, x, 0)) for x in (0, 1))
    np.testing.assert_array_equal(left, right)
    assert layer.tile(1, 0, 1) is None


def test_a_run_says_what_is_asked_for_until_it_is_answered(tmp_path):
    from run_records import answers_of, began  # noqa: PLC0415 - made in its test
    from workbench.results.run import open_run  # noqa: PLC0415

    recorder = began(tmp_path / "run", tiles=range(7))
    heatmap = open_run(tmp_path / "run").heatmap
    assert heatmap.selected.sum() == 7
    assert heatmap.selected.ravel()[:7].all()
    recorder.append(answers_of(0, [0, 1]))
    heatmap = open_run(tmp_path / "run").heatmap
    assert np.isnan(heatmap.values).any()
    recorder.__exit__(None, None, None)


def test_the_value_at_a_point_is_that_of_its_cell():
    values = [[[0.25, np.nan], [0.5, 0.75]]]
    layer = HeatmapLayer(asked_for(values, [[1]], 64.0), Pyramid((128, 128), 64))
    assert layer.value_at(10, 100) == 0.5
    assert layer.value_at(100, 10) is None
    assert layer.value_at(200, 10) is None


# -- the most likely class


def two_classes(first, second, cell=64.0):
    values = np.asarray([first, second], np.float32)
    return Heatmap(values, ("stroma", "tumour"), cell)


def test_each_cell_has_the_colour_of_its_most_likely_class():
    heatmap = two_classes([[0.7, 0.2], [0.45, np.nan]], [[0.3, 0.8], [0.55, np.nan]])
    layer = ClassMapLayer(
        heatmap,
        Pyramid((128, 128), 128),
        colours=[(10, 20, 30), (200, 0, 0)],
        threshold=0.6,
    )
    drawn = image(layer.tile(0, 0, 0))
    assert (drawn[:64, :64] == (10, 20, 30, 255)).all()
    assert (drawn[:64, 64:] == (200, 0, 0, 255)).all()
    assert not drawn[64:, :, 3].any()
    assert layer.legend.entries == (("stroma", "#0a141e"), ("tumour", "#c80000"))
    assert [layer.value_at(*p) for p in ((1, 1), (99, 1), (99, 99))] == [
        "stroma",
        "tumour",
        None,
    ]


def test_a_hidden_class_is_transparent_and_not_in_the_legend():
    heatmap = two_classes([[0.7, 0.2]], [[0.3, 0.8]])
    layer = ClassMapLayer(heatmap, Pyramid((128, 64), 128), hidden=["stroma"])
    drawn = image(layer.tile(0, 0, 0))
    assert not drawn[:64, :64, 3].any()
    assert drawn[:64, 64:, 3].all()
    assert [name for name, _ in layer.legend.entries] == ["tumour"]


def test_one_class_alone_is_no_class_map():
    heatmap = Heatmap(np.zeros((1, 2, 2), np.float32), ("a",), 64.0)
    with pytest.raises(OutOfBoundsError, match="not 1"):
        ClassMapLayer(heatmap, Pyramid((128, 128)))


def test_near_by_only_what_is_not_done_is_drawn_where_a_style_says_so():
    values = np.full((1, 64, 64), 0.7, np.float32)
    values[0, :, 32:] = np.nan
    asked = np.ones((64, 64), bool)
    asked[32:] = False
    values[0, 32:, 32:] = np.nan
    pyramid = Pyramid((2048, 2048), 256)
    layer = HeatmapLayer(
        asked_for(values, asked), pyramid, style=HeatmapStyle(nearest=2)
    )
    for z in range(pyramid.max_zoom + 1):
        near = pyramid.downsample(z) <= 2
        assert (layer.tile(z, 0, 0) is None) == near, "done: nothing lies over it"
    right = 2048 // pyramid.tile_px - 1
    hatched = image(layer.tile(pyramid.max_zoom, right, 0))
    assert hatched[..., 3].any(), "not done yet"
    assert layer.value_at(10, 10) == pytest.approx(0.7)


@pytest.mark.slow
@pytest.mark.parametrize("side", [200, 2048, 5000])
@pytest.mark.parametrize("nearest", [0, 1, 2, 5, 8, 1000])
def test_values_are_drawn_up_to_the_last_zoom(side, nearest):
    heatmap = Heatmap(np.ones((1, 8, 8), np.float32), ("a",), side / 8)
    scores = TileScores(np.array([[0, 0, side, side]], float), ("a",), np.ones((1, 1)))
    pyramid = Pyramid((side, side), 256)
    style = HeatmapStyle(low=0, high=2, nearest=nearest)
    zooms = range(pyramid.max_zoom + 1)
    for layer in (
        HeatmapLayer(heatmap, pyramid, style=style),
        TileScoresLayer(scores, pyramid, style=style),
    ):
        drawn = [z for z in zooms if layer.tile(z, 0, 0) is not None]
        assert drawn == list(range(layer.drawn_to_zoom + 1))
        assert drawn == [z for z in zooms if pyramid.downsample(z) > nearest]
        assert isinstance(layer, ReadableLayer)
