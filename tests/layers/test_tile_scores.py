"""Scores of boxes over a slide: the value of a tile lies where the tool meant it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

import workbench as wb
from feature_files import (
    SIDE,
    STAMP_2_1,
    write_atlaspatch,
    write_attention,
    write_blank,
    write_clam,
    write_clam_coordinates,
    write_slide2vec,
    write_spatialdata_store,
    write_stamp,
    write_table,
    write_trident,
)
from workbench.layers import (
    HeatmapStyle,
    TileClassLayer,
    TileColourLayer,
    TileOutlineLayer,
    TileScoresLayer,
    overlay_pyramid,
)
from workbench.layers.box_raster import BoxRaster

CORNERS = np.array([(100, 40), (1111, 707), (2000, 1900), (400, 1300)])
"""Tiles that do not overlap and are on no grid."""

VALUES = np.array([0.1, 0.9, 0.5, 0.3], np.float32)
VECTORS = np.stack([VALUES, 1 - VALUES], axis=1)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slides") / "slide.tiff"
    with wb.open_slide(write_blank(path)) as opened:
        yield opened


def attention(folder, slide):
    path = write_attention(folder / "a_blockmap.h5", CORNERS, VALUES[None])
    return wb.open_features(path, slide, tile_size_level0=SIDE)


def table(folder, slide):
    path = write_table(folder / "a.csv", CORNERS, VALUES)
    return wb.open_features(path, slide, unit="px")


def trident(folder, slide):
    return wb.open_features(write_trident(folder / "a.h5", CORNERS, VECTORS), slide)


def trident_pt(folder, slide):
    (folder / "patches").mkdir()
    write_trident(folder / "patches" / "a_patches.h5", CORNERS)
    torch.save(torch.from_numpy(VECTORS), folder / "a.pt")
    return wb.open_features(folder / "a.pt", slide)


def clam(folder, slide):
    (folder / "patches").mkdir()
    (folder / "h5_files").mkdir()
    write_clam_coordinates(folder / "patches" / "a.h5", CORNERS)
    path = write_clam(folder / "h5_files" / "a.h5", CORNERS, VECTORS)
    return wb.open_features(path, slide)


def stamp(folder, slide):
    um = (CORNERS * slide.mpp).astype(np.float32)
    path = write_stamp(folder / "a.h5", um, VECTORS.astype(np.float16), **STAMP_2_1)
    return wb.open_features(path, slide)


def atlaspatch(folder, slide):
    path = write_atlaspatch(folder / "a.h5", CORNERS, uni=VECTORS)
    return wb.open_features(path, slide)


def slide2vec(folder, slide):
    return wb.open_features(write_slide2vec(folder, CORNERS, VECTORS), slide)


def spatialdata(folder, slide):
    path = write_spatialdata_store(folder / "a.zarr", CORNERS, VECTORS)
    return wb.open_features(path, slide)


def scores_of(features):
    """Return the scores of a file, or the first number of its vectors."""
    if features.scores is not None:
        return features.scores
    values = np.asarray(features.vectors[:], np.float64)[:, :1]
    return wb.TileScores(features.boxes, ("first",), values)


def shades(layer, z, x, y):
    """Return the colours of a tile, uint8 (H, W, 4): RGB and opacity."""
    tile = layer.tile(z, x, y)
    if tile is None:
        return np.zeros((layer.pyramid.tile_px,) * 2 + (4,), np.uint8)
    bgra = cv2.imdecode(np.frombuffer(tile.data, np.uint8), cv2.IMREAD_UNCHANGED)
    return bgra[..., [2, 1, 0, 3]]


READERS = [
    *(attention, table, trident, trident_pt, clam),
    *(stamp, atlaspatch, slide2vec, spatialdata),
]


@pytest.mark.slow
@pytest.mark.parametrize("read", READERS, ids=lambda each: each.__name__)
def test_each_pixel_has_the_colour_of_the_tile_that_the_tool_meant(
    tmp_path, slide, read
):
    scores = scores_of(read(tmp_path, slide))
    layer = TileScoresLayer(
        scores, overlay_pyramid(slide.size), style=HeatmapStyle("grey", 0, 1)
    )
    side = layer.pyramid.tile_px
    for z in range(layer.pyramid.max_zoom + 1):
        scale = layer.pyramid.downsample(z)
        rows, columns = layer.pyramid.shape(z)
        drawn = np.block(
            [
                [
                    [shades(layer, z, x, y)[..., i] for x in range(columns)]
                    for y in range(rows)
                ]
                for i in (0, 3)
            ]
        ).reshape(2, rows * side, columns * side)
        at = (np.arange(max(rows, columns) * side) + 0.5) * scale
        expected = np.full(drawn.shape[1:], np.nan)
        for (x, y), value in zip(CORNERS, VALUES, strict=True):
            inside_y = (at >= y) & (at < y + SIDE)
            inside_x = (at >= x) & (at < x + SIDE)
            area = np.ix_(inside_y[: rows * side], inside_x[: columns * side])
            expected[area] = value
        np.testing.assert_array_equal(drawn[1] > 0, ~np.isnan(expected))
        shown = drawn[0][drawn[1] > 0] / 255
        assert np.abs(shown - expected[~np.isnan(expected)]).max() < 1 / 250


def overlapping():
    boxes = np.array([(0, 0, 300, 300), (200, 0, 500, 300), (200, 0, 500, 300)], float)
    return wb.TileScores(boxes, ("a",), np.array([[0.0], [0.6], [np.nan]]))


@pytest.mark.parametrize(("summary", "expected"), [("mean", 0.3), ("highest", 0.6)])
@pytest.mark.slow
def test_tiles_that_overlap_are_summarized(summary, expected):
    style = HeatmapStyle(summary=summary)
    layer = TileScoresLayer(overlapping(), overlay_pyramid((1024, 1024)), style=style)
    drawn = layer.values(layer.pyramid.max_zoom, 0, 0)
    assert drawn[100, 250] == pytest.approx(expected)
    assert layer.value_at(250, 100) == pytest.approx(expected)
    assert (drawn[100, 100], drawn[100, 400]) == pytest.approx((0, 0.6))
    assert np.isnan(drawn[400, 100])
    assert layer.value_at(100, 400) is None
    assert layer.value_at(-1, 0) is None


@pytest.mark.parametrize("summary", ["mean", "highest"])
def test_no_tile_vanishes_where_many_lie_under_a_pixel(summary):
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 60_000, (3000, 2))
    values = rng.random((3000, 1))
    boxes = np.hstack([corners, corners + 20]).astype(np.float64)
    scores = wb.TileScores(boxes, ("a",), values)
    style = HeatmapStyle(summary=summary)
    layer = TileScoresLayer(scores, overlay_pyramid((60_000, 60_000)), style=style)
    drawn = layer.values(0, 0, 0)
    scale = layer.pyramid.downsample(0)
    pixels = ((corners + 10) // scale).T
    merge = np.maximum if summary == "highest" else np.add
    total, count = np.zeros((2, *drawn.shape))
    merge.at(total, (pixels[1], pixels[0]), values[:, 0])
    np.add.at(count, (pixels[1], pixels[0]), 1)
    expected = total / np.maximum(count, 1) if summary == "mean" else total
    shown = count > 0
    np.testing.assert_array_equal(np.isfinite(drawn), shown)
    np.testing.assert_allclose(drawn[shown], expected[shown], rtol=1e-6)


def test_attention_is_cold_all_over_unless_it_is_ranked():
    boxes = np.array([(x, 0, x + 64, 64) for x in range(0, 6400, 64)], float)
    raw = wb.TileScores(boxes, ("attention",), np.geomspace(1e-9, 1, 100)[:, None])
    pyramid = overlay_pyramid((6400, 64))
    cold = TileScoresLayer(raw, pyramid)
    ranked = TileScoresLayer(raw.percentiles(), pyramid)
    assert (cold.style.low, cold.style.high) == (1e-9, 1.0)
    assert ranked.legend.unit == "percentile"
    assert [ranked.legend.ramp[i][0] for i in (0, -1)] == [0, 100]

    def hot(layer):
        drawn = layer.values(0, 0, 0)
        middle = (layer.style.low + layer.style.high) / 2
        return (drawn[np.isfinite(drawn)] > middle).mean()

    assert hot(cold) < 0.1
    assert hot(ranked) == pytest.approx(0.5, abs=0.05)


def test_values_that_are_all_equal_or_missing_are_drawn_or_not():
    boxes = np.array([(0, 0, 64, 64.0)])
    pyramid = overlay_pyramid((64, 64))
    same = TileScoresLayer(wb.TileScores(boxes, ("a",), np.ones((1, 1))), pyramid)
    assert same.tile(0, 0, 0) is not None
    none = wb.TileScores(boxes, ("a",), np.full((1, 1), np.nan))
    assert TileScoresLayer(none, pyramid).tile(0, 0, 0) is None
    empty = wb.TileScores(np.empty((0, 4)), ("a",), np.empty((0, 1)))
    assert TileScoresLayer(empty, pyramid).tile(0, 0, 0) is None
    with pytest.raises(wb.errors.OutOfBoundsError, match="They have: a"):
        TileScoresLayer(empty, pyramid, channel="b")


def test_each_tile_has_the_colour_of_its_highest_class():
    boxes = np.array([(0, 0, 300, 300), (200, 0, 500, 300), (600, 0, 700, 100)], float)
    values = np.array([(0.9, 0.1, 0.0), (0.2, 0.3, 0.8), (np.nan,) * 3])
    scores = wb.TileScores(boxes, ("a", "b", "c"), values)
    layer = TileClassLayer(scores, overlay_pyramid((1024, 1024)), name="Groups")
    drawn = shades(layer, layer.pyramid.max_zoom, 0, 0)
    named = {name: drawn[100, x] for name, x in (("a", 100), ("a+c", 250), ("c", 450))}
    hexes = {name: "#{:02x}{:02x}{:02x}".format(*rgb) for name, rgb in named.items()}
    entries = dict(layer.entries)
    # Under both, the means are 0.55, 0.2 and 0.4.
    assert hexes == {"a": entries["a"], "a+c": entries["a"], "c": entries["c"]}
    assert [layer.value_at(x, 100) for x in (100, 250, 450)] == ["a", "a", "c"]
    assert layer.value_at(650, 50) is None  # a tile without values
    assert drawn[50, 400, 3] == 255
    assert drawn[400, 100, 3] == 0
    many = wb.TileScores(boxes, tuple(map(str, range(256))), np.zeros((3, 256)))
    with pytest.raises(wb.errors.OutOfBoundsError, match="255 classes, not 256"):
        TileClassLayer(many, overlay_pyramid((1024, 1024)))


def test_an_outline_is_around_tiles_that_touch_and_in_the_same_place_at_tile_seams():
    boxes = np.array([(500, 40, 520, 60), (520, 40, 540, 60), (700, 700, 701, 701)])
    layer = TileOutlineLayer(boxes.astype(float), overlay_pyramid((1024, 1024)))
    z, side = layer.pyramid.max_zoom, layer.pyramid.tile_px
    drawn = np.hstack([shades(layer, z, x, 0) for x in (0, 1)])
    yellow = (drawn[..., 0] > 200) & (drawn[..., 3] == 255)
    expected = np.zeros((side, 2 * side), bool)
    expected[40:60, 500:540] = True
    expected[42:58, 502:538] = False
    np.testing.assert_array_equal(yellow, expected)
    halo = (drawn[..., 3] > 0) & ~yellow
    expected = np.zeros((side, 2 * side), bool)
    expected[39:61, 499:541] = True
    expected[40:60, 500:540] = False
    np.testing.assert_array_equal(halo, expected)
    dots = shades(layer, 0, 0, 0)
    assert (dots[350, 350, :3] > (200, 200, -1)).all()  # one pixel, yet seen
    assert layer.tile(z, 0, 1) is None


def test_gaps_of_rounded_edges_are_closed_and_wider_ones_are_not():
    edges = np.rint(np.arange(9) * 128.26)
    boxes = np.stack([edges, np.zeros(9), edges + 128, np.full(9, 128.0)], axis=1)
    boxes = boxes[[0, 1, 2, 3, 4, 6, 7, 8]]
    raster = BoxRaster(boxes)
    assert (edges[1:] - (edges + 128)[:-1]).max() == 1
    for x in edges[1:5] - 0.5:
        assert len(raster.rows_at(x, 64)) == 1
    assert len(raster.rows_at(edges[5] + 0.5, 64)) == 0
    pixels = raster.draw((0.0, 0.0, 1.0, 1024), np.ones(8), highest=False)
    drawn = np.isfinite(pixels[0])
    assert drawn[: int(edges[5])].all()
    assert not drawn[int(edges[5]) : int(edges[6])].any()


def test_components_are_mixed_as_red_green_and_blue():
    boxes = np.array([(0, 0, 64, 64), (32, 0, 96, 64), (200, 0, 264, 64)], float)
    values = np.array([(1, 0, 0), (0, 0, 1), (1, np.nan, 0)], float)
    scores = wb.TileScores(boxes, ("a", "b", "c"), values)
    pyramid = overlay_pyramid((1024, 1024))
    layer = TileColourLayer(scores, pyramid)
    tile = layer.tile(pyramid.max_zoom, 0, 0)
    picture = cv2.imdecode(np.frombuffer(tile.data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture[10, 10].tolist() == [0, 0, 255, 255]  # blue first
    assert picture[10, 90].tolist() == [255, 0, 0, 255]
    assert picture[10, 48].tolist() == [128, 0, 128, 255]
    assert picture[10, 220, 3] == picture[100, 10, 3] == 0
    assert layer.value_at(48, 5) == "0.50, 0.00, 0.50"
    assert layer.value_at(220, 5) is None
    assert layer.tile(pyramid.max_zoom, 1, 1) is None
    assert [name for name, _ in layer.legend.entries] == ["a", "b", "c"]
    with pytest.raises(wb.errors.OutOfBoundsError, match="Three values"):
        TileColourLayer(scores.only("a"), pyramid)
