"""Smooth heatmaps and contour lines: values between cells, lines where they cross."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import map_coordinates

from workbench.area import Area
from workbench.errors import OutOfBoundsError, RecipeError
from workbench.layers.contours import ContourLayer
from workbench.layers.heatmap import HeatmapLayer, HeatmapStyle
from workbench.layers.layer import Pyramid
from workbench.layers.resampling import HeatmapTiles
from workbench.results.heatmap import Heatmap

STYLE = HeatmapStyle(colormap="grey", smooth=True)


def heatmap_of(values, cell=16.0, **more):
    return Heatmap(np.asarray(values, np.float32)[None], ("a",), cell, **more)


def image(tile):
    return np.asarray(Image.open(io.BytesIO(tile.data)).convert("RGBA")).astype(int)


def stitched(layer, z, draw):
    """Return a raster of all tiles of a zoom, made by `draw`."""
    rows, columns = layer.pyramid.shape(z)
    return np.block([[draw(z, x, y) for x in range(columns)] for y in range(rows)])


@given(seed=st.integers(0, 999), cell=st.sampled_from([5.0, 16.0, 37.5]))
def test_values_between_cells_are_those_of_an_independent_interpolation(seed, cell):
    rng = np.random.default_rng(seed)
    values = rng.random((7, 9), np.float32)
    pyramid = Pyramid((320, 250), 64)
    tiles = HeatmapTiles(heatmap_of(values, cell), pyramid)
    z, x, y = pyramid.max_zoom, 0, 0
    got = tiles.interpolated((z, x, y), 0)
    at = (np.arange(64) + 0.5) / cell - 0.5
    wanted = map_coordinates(
        values, np.meshgrid(at, at, indexing="ij"), order=1, mode="nearest"
    )
    here = at + 0.5 < 7
    np.testing.assert_allclose(got[here][:, here], wanted[here][:, here], atol=1e-5)


def test_what_has_no_value_is_not_covered_and_pulls_nothing_down():
    values = np.full((4, 4), 0.8)
    values[1, 2] = np.nan
    pyramid = Pyramid((64, 64), 64)
    got = HeatmapTiles(heatmap_of(values), pyramid).interpolated((0, 0, 0), 0)
    assert np.isnan(got[16:32, 32:48]).all()
    got[16:32, 32:48] = 0.8
    np.testing.assert_allclose(got, 0.8, rtol=1e-6)


@pytest.mark.parametrize("z", [0, 1, 2])
def test_smooth_tiles_join_without_a_seam(z):
    values = np.add.outer(np.linspace(0, 0.5, 16), np.linspace(0, 0.5, 16))
    pyramid = Pyramid((256, 256), 64)
    layer = HeatmapLayer(heatmap_of(values), pyramid, style=STYLE)
    drawn = stitched(layer, z, lambda *place: image(layer.tile(*place))[..., 0])
    steps = np.abs(np.diff(drawn, axis=1)), np.abs(np.diff(drawn, axis=0))
    assert max(each.max() for each in steps) <= 255 * 2 ** (3 - z) / 64


def test_smooth_values_below_the_threshold_are_transparent_to_the_pixel():
    values = np.tile(np.arange(4) / 4, (4, 1))  # rises by 1/64 with each pixel
    style = HeatmapStyle(colormap="grey", smooth=True, threshold=0.5)
    layer = HeatmapLayer(heatmap_of(values), Pyramid((64, 64), 64), style=style)
    opacity = image(layer.tile(0, 0, 0))[..., 3]
    assert not opacity[:, :40].any()
    assert (opacity[:, 40:] == 255).all()
    assert layer.value_at(41, 1) == 0.5  # the cell's own value


def test_smooth_keeps_to_the_area_of_the_run():
    area = Area.of((0, 0, 24, 64))
    heatmap = heatmap_of(np.ones((4, 4)), region=area)
    for layer in (
        HeatmapLayer(heatmap, Pyramid((64, 64), 64), style=STYLE),
        HeatmapLayer(
            heatmap_of(np.tile(np.arange(4) / 4, (4, 1)).T, region=area),
            Pyramid((64, 64), 64),
            style=STYLE,
        ).contours([0.5]),
    ):
        opacity = image(layer.tile(0, 0, 0))[..., 3]
        assert opacity[:, :24].any()
        assert not opacity[:, 24:].any()


# -- lines


def lines(layer, z=0, x=0, y=0):
    """Return the pixels of a tile in colours, without the halo."""
    drawn = image(layer.tile(z, x, y))
    return (drawn[..., 3] > 0) & ~(drawn[..., :3] == (27, 27, 31)).all(-1)


def test_a_line_runs_where_values_cross_its_level():
    values = np.tile(np.arange(8) / 8, (8, 1))  # 0.5 at x = 72
    layer = ContourLayer(
        heatmap_of(values), Pyramid((128, 128), 128), [0.5], style=STYLE
    )
    drawn = lines(layer)
    assert set(np.nonzero(drawn.any(0))[0]) == {71, 72}
    assert drawn[:, 71:73].all()
    halo = image(layer.tile(0, 0, 0))[..., 3] > 0
    assert set(np.nonzero(halo.any(0))[0]) == {70, 71, 72, 73}
    assert layer.legend.entries == (("0.5", "#808080"),)


@pytest.mark.parametrize("z", [0, 1, 2, 3])
def test_a_circle_is_drawn_at_its_radius_at_every_zoom_without_gaps_at_seams(z):
    side, cell, radius = 64, 16.0, 300.0
    centre = (np.arange(side) + 0.5) * cell - side * cell / 2
    distance = np.hypot.outer(centre, centre)
    heatmap = heatmap_of(np.clip(1 - distance / 600, 0, 1), cell)
    pyramid = Pyramid((1024, 1024), 128)
    layer = heatmap_layer = HeatmapLayer(heatmap, pyramid).contours([0.5])
    blank = np.zeros((128, 128), bool)
    drawn = stitched(
        heatmap_layer,
        z,
        lambda *place: lines(layer, *place) if layer.tile(*place) else blank,
    )
    scale = pyramid.downsample(z)
    ys, xs = np.nonzero(drawn)
    at = np.hypot((xs + 0.5) * scale - 512, (ys + 0.5) * scale - 512)
    assert np.abs(at - radius).max() <= 1.5 * scale + 2
    angles = np.sort(
        np.arctan2(ys - drawn.shape[0] / 2 + 0.5, xs - drawn.shape[1] / 2 + 0.5)
    )
    gap = np.diff(np.append(angles, angles[0] + 2 * np.pi)).max()
    assert gap * radius <= 2.5 * scale  # a closed line


def test_several_levels_have_colours_of_the_ramp_and_names():
    values = np.tile(np.arange(8) / 8, (8, 1))
    layer = ContourLayer(
        heatmap_of(values, unit="1/mm²"),
        Pyramid((128, 128), 128),
        (0.75, 0.25, 0.75),
        style=STYLE,
    )
    assert layer.levels == (0.25, 0.75)
    assert [name for name, _ in layer.legend.entries] == ["0.25 1/mm²", "0.75 1/mm²"]
    drawn = image(layer.tile(0, 0, 0))
    first, second = (
        tuple(bytes.fromhex(colour[1:])) for _, colour in layer.legend.entries
    )
    assert (drawn[5, 40, :3] == first).all()
    assert (drawn[5, 104, :3] == second).all()


def test_no_line_runs_around_what_is_not_computed():
    values = np.full((8, 8), 0.9)
    values[2:5, 2:5] = np.nan
    layer = ContourLayer(
        heatmap_of(values), Pyramid((128, 128), 128), [0.5], style=STYLE
    )
    assert layer.tile(0, 0, 0) is None


def test_lines_end_where_another_layer_takes_over():
    values = np.tile(np.arange(8) / 8, (8, 1))
    style = HeatmapStyle(nearest=1)
    layer = ContourLayer(
        heatmap_of(values), Pyramid((128, 128), 32), [0.5], style=style
    )
    assert layer.tile(2, 2, 0) is None
    assert layer.tile(1, 1, 0) is not None
    assert layer.drawn_to_zoom == layer.pyramid.max_zoom - 1


@pytest.mark.parametrize("levels", [[], [np.nan], range(10), [np.inf]])
def test_levels_that_cannot_be_drawn_are_refused(levels):
    with pytest.raises(RecipeError, match="Contour lines"):
        ContourLayer(
            heatmap_of(np.ones((2, 2))), Pyramid((32, 32)), levels, style=STYLE
        )


def test_a_class_that_is_not_there_and_a_tile_beyond_the_pyramid_are_refused():
    heatmap = heatmap_of(np.ones((2, 2)))
    with pytest.raises(OutOfBoundsError, match="no class 'b'"):
        ContourLayer(heatmap, Pyramid((32, 32)), [1], channel="b", style=STYLE)
    layer = ContourLayer(heatmap, Pyramid((32, 32)), [1], style=STYLE)
    with pytest.raises(OutOfBoundsError, match="no tile"):
        layer.tile(0, 1, 0)
