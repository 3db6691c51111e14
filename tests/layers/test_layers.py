"""Layers draw the right values at the right place, at every zoom."""

from __future__ import annotations

import io
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

sys.path.insert(0, str(Path(__file__).parents[1] / "support" / "apps"))

from fake_slide import FakeSlide

from made_slides import tissue_like, write_tiff
from workbench.errors import OutOfBoundsError, RecipeError
from workbench.geometry import Box
from workbench.layers.colormaps import COLORMAPS, class_colour, colours
from workbench.layers.encode import TRANSPARENT, encode_palette
from workbench.layers.heatmap import HeatmapLayer, HeatmapStyle
from workbench.layers.layer import Pyramid
from workbench.layers.recoloured import NormalizedLayer
from workbench.layers.slide import SlideLayer
from workbench.layers.tissue import TissueLayer
from workbench.models.card import PALETTE
from workbench.results.heatmap import Heatmap
from workbench.slide.slide import open_slide
from workbench.tissue import Tissue


def pixels(tile, mode="RGB"):
    return np.asarray(Image.open(io.BytesIO(tile.data)).convert(mode))


def stitched(layer, z, mode="RGB"):
    """Return all tiles of a zoom as one image, cut at the slide's edge."""
    pyramid = layer.pyramid
    side = pyramid.tile_px
    rows, columns = pyramid.shape(z)
    channels = len(mode)
    image = np.zeros((rows * side, columns * side, channels), np.uint8)
    for y in range(rows):
        for x in range(columns):
            tile = layer.tile(z, x, y)
            if tile is not None:
                place = np.s_[y * side : (y + 1) * side, x * side : (x + 1) * side]
                image[place] = pixels(tile, mode)
    width, height = (-(-n // pyramid.downsample(z)) for n in pyramid.slide_size)
    return image[:height, :width]


# -- pyramid ---------------------------------------------------------------------


sizes = st.tuples(st.integers(1, 200_000), st.integers(1, 200_000))


@given(size=sizes, tile_px=st.sampled_from([128, 240, 256, 1024]), data=st.data())
def test_tiles_of_every_zoom_partition_the_slide(size, tile_px, data):
    pyramid = Pyramid(size, tile_px)
    z = data.draw(st.integers(0, pyramid.max_zoom))
    rows, columns = pyramid.shape(z)
    x = data.draw(st.integers(0, size[0] - 1))
    y = data.draw(st.integers(0, size[1] - 1))
    side = tile_px * pyramid.downsample(z)
    assert pyramid.box(z, x // side, y // side).contains(x, y)
    assert (rows - 1) * side < size[1] <= rows * side
    assert (columns - 1) * side < size[0] <= columns * side
    assert (z, columns, 0) not in pyramid
    assert pyramid.shape(0) == (1, 1)


@pytest.mark.parametrize("place", [(-1, 0, 0), (99, 0, 0), (0, 1, 0), (0, 0, -1)])
def test_a_tile_outside_the_pyramid_is_refused(place):
    with pytest.raises(OutOfBoundsError, match="no tile"):
        SlideLayer(FakeSlide(size=(600, 400))).tile(*place)


# -- slide -----------------------------------------------------------------------


@pytest.mark.parametrize("stored", [None, 240, 64])
def test_the_tiles_of_a_slide_are_the_slide(stored):
    slide = FakeSlide(size=(1501, 1003), stored=stored)
    layer = SlideLayer(slide)
    for z in range(layer.pyramid.max_zoom + 1):
        image = stitched(layer, z)
        factor = layer.pyramid.downsample(z)
        height, width = image.shape[:2]
        box = Box(0, 0, width * factor, height * factor)
        truth = slide.read(box, size=(width, height)).pixels
        inside = np.s_[: 1003 // factor, : 1501 // factor]
        difference = np.abs(image[inside].astype(int) - truth[inside])
        assert difference.mean() < 3, z
        assert np.percentile(difference, 99) < 16, z


def test_stored_tiles_are_passed_on_unchanged():
    slide = FakeSlide(size=(1501, 1003), stored=240)
    layer = SlideLayer(slide)
    top = layer.pyramid.max_zoom
    assert layer.pyramid.tile_px == 240
    assert layer.tile(top, 2, 1) == slide.encoded_tile(0, 2, 1)
    assert layer.tile(top - 2, 1, 0) == slide.encoded_tile(1, 1, 0)
    assert slide.reads == 0
    layer.tile(top - 1, 0, 0)
    assert slide.reads == 1


@pytest.mark.parametrize("stored", [None, 64])
def test_a_slide_without_handy_tiles_is_shown_in_our_own(stored):
    layer = SlideLayer(FakeSlide(size=(1501, 1003), stored=stored))
    assert layer.pyramid.tile_px == 256


def test_a_level_that_is_no_power_of_two_is_not_passed_on():
    slide = FakeSlide(size=(1501, 1003), stored=240)
    first, second = slide.levels
    slide.levels = (first, replace(second, size=(500, 334), downsample=3.002))
    layer = SlideLayer(slide)
    assert sorted(layer._stored) == [layer.pyramid.max_zoom]


def test_a_normalized_slide_is_its_tiles_normalized():
    class Negative:
        fingerprint = "negative"

        def __call__(self, array):
            return 255 - array

    slide = FakeSlide(size=(700, 500))
    layer = NormalizedLayer(slide, Negative())
    z = layer.pyramid.max_zoom
    difference = stitched(layer, z).astype(int) - (255 - slide.pixels)
    assert np.abs(difference).mean() < 3
    other = NormalizedLayer(slide, SimpleNamespace(fingerprint="other"))
    assert layer.version != other.version


@pytest.mark.parametrize("icc", [False, True])
def test_tiles_are_passed_on_only_while_their_colours_are_those_of_reads(tmp_path, icc):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = write_tiff(
        tmp_path / "slide.tif",
        tissue_like(),
        compression="jpeg",
        compressionargs={"level": 90, "outcolorspace": "rgb"},
        iccprofile=profile,
    )
    with open_slide(path, icc=icc) as slide:
        layer = SlideLayer(slide)
        top = layer.pyramid.max_zoom
        assert (layer.tile(top, 0, 0) == slide.encoded_tile(0, 0, 0)) is not icc
        shown = stitched(layer, top).astype(int)
        assert np.abs(shown - slide.read(slide.box).pixels).mean() < 3


@pytest.mark.parametrize(
    "name", ["CMU-1-Small-Region.svs", "HE_TMA_core_0.5mpp.ome.tif", "sm_image.dcm"]
)
def test_the_tiles_of_real_slides_are_the_slide(shared_data, name):
    with open_slide(shared_data / "wsi" / name) as slide:
        layer = SlideLayer(slide)
        # Coarse enough to be quick, and where it can be not a stored level only.
        for z in range(min(3, layer.pyramid.max_zoom + 1)):
            image = stitched(layer, z)
            factor = layer.pyramid.downsample(z)
            height, width = image.shape[:2]
            box = Box(0, 0, width * factor, height * factor)
            truth = slide.read(box, size=(width, height)).pixels
            rows, columns = slide.size[1] // factor, slide.size[0] // factor
            shown = image[:rows, :columns].astype(int)
            truth = truth[:rows, :columns].astype(int)
            assert np.abs((shown - truth).mean(axis=(0, 1))).max() < 1, z
            # What JPEG loses is less than what a shift by one pixel would cost.
            error = np.abs(shown - truth).mean()
            for axis in (0, 1):
                shifted = np.abs(shown - np.roll(truth, 1, axis)).mean()
                assert error < max(1, 0.75 * shifted), (z, axis, shifted)


# -- colours ---------------------------------------------------------------------


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    number=st.integers(1, 256),
)
def test_a_palette_png_says_what_was_put_in(height, width, seed, number):
    random = np.random.default_rng(seed)
    palette = random.integers(0, 256, (number, 4), np.uint8)
    indices = random.integers(0, number, (height, width)).astype(np.uint8)
    tile = encode_palette(indices, palette)
    np.testing.assert_array_equal(pixels(tile, "RGBA"), palette[indices])


def test_transparent_is_transparent():
    assert pixels(TRANSPARENT, "RGBA")[..., 3].max() == 0


@pytest.mark.parametrize("name", ["viridis", "magma", "grey", "heat", "#b03060"])
def test_a_sequential_colormap_goes_one_way_in_lightness(name):
    light = colours(name, 64) @ np.array([0.2126, 0.7152, 0.0722])
    steps = np.diff(light)
    assert (steps > 0).all() or (steps < 0).all()


def test_a_diverging_colormap_is_lightest_in_the_middle():
    light = colours("coolwarm", 65) @ np.array([0.2126, 0.7152, 0.0722])
    assert light.argmax() == 32


@pytest.mark.parametrize("name", ["jet", "#12345", "#gggggg", ""])
def test_an_unknown_colormap_names_those_there_are(name):
    with pytest.raises(RecipeError, match="viridis"):
        HeatmapStyle(colormap=name)


def test_classes_never_run_out_of_colours():
    assert class_colour(len(PALETTE)) == PALETTE[0]
    assert len(set(PALETTE)) == len(PALETTE)
    assert len(COLORMAPS) >= 4


# -- heatmap ---------------------------------------------------------------------


def heatmap_of(values, cell, version=0):
    array = np.asarray(values, np.float32)[None]
    return Heatmap(array, ("tumour",), cell, version=version)


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(60, 900), st.integers(60, 900)),
    cell=st.floats(3, 300),
    seed=st.integers(0, 999),
    data=st.data(),
)
def test_every_pixel_of_a_heatmap_shows_the_cells_beneath_it(size, cell, seed, data):
    width, height = size
    shape = (int(-(-height // cell)), int(-(-width // cell)))
    values = np.random.default_rng(seed).random(shape, np.float32)
    values[values < 0.2] = np.nan
    heatmap = heatmap_of(values, cell)
    layer = HeatmapLayer(heatmap, Pyramid(size, 128))
    z = data.draw(st.integers(0, layer.pyramid.max_zoom))
    image = stitched(layer, z, "RGBA")
    row = data.draw(st.integers(0, image.shape[0] - 1))
    column = data.draw(st.integers(0, image.shape[1] - 1))
    factor = layer.pyramid.downsample(z)
    # One cell, or where cells are smaller than pixels the mean of a block of them.
    block = 2 ** max(0, math.ceil(math.log2(factor / cell)))
    i, j = (int((at + 0.5) * factor // (cell * block)) for at in (row, column))
    beneath = values[i * block : (i + 1) * block, j * block : (j + 1) * block]
    known = beneath[~np.isnan(beneath)]
    shown = image[row, column]
    if not len(known):
        assert shown[3] == 0
    else:
        shade = round(float(known.mean()) * 254)
        table = colours("viridis", 255)[max(0, shade - 1) : shade + 2]
        assert any((shown[:3] == entry).all() for entry in table)
        assert shown[3] == 255


def test_what_lies_below_the_threshold_is_transparent_and_the_rest_is_clipped():
    values = [[0.1, 0.5, np.nan, 7.0]]
    style = HeatmapStyle(low=0.2, high=1.0, threshold=0.3)
    np.testing.assert_array_equal(
        style.quantize(np.array(values, np.float32)),
        [[0, 1 + round(0.375 * 254), 0, 255]],
    )


def test_an_empty_range_of_values_is_refused():
    with pytest.raises(RecipeError, match="not a range"):
        HeatmapStyle(low=1, high=1)


def test_a_heatmap_follows_its_run():
    run = SimpleNamespace(heatmap=heatmap_of([[np.nan]], 256))
    layer = HeatmapLayer(run, Pyramid((256, 256)))
    before = layer.version
    assert layer.tile(0, 0, 0) is None
    run.heatmap = heatmap_of([[0.7]], 256, version=1)
    assert layer.version != before
    assert pixels(layer.tile(0, 0, 0), "RGBA")[..., 3].min() == 255


def test_a_heatmap_explains_its_colours():
    heatmap = replace(heatmap_of([[1.0]], 256), unit="1/mm²", value_range=(0, 40))
    legend = HeatmapLayer(heatmap, Pyramid((256, 256))).legend
    assert legend.title == "tumour"
    assert legend.unit == "1/mm²"
    assert legend.ramp[0] == (0.0, "#440154")
    assert legend.ramp[-1] == (40.0, "#fde725")


def test_an_unknown_class_is_named_with_those_there_are():
    with pytest.raises(OutOfBoundsError, match=r"stroma.*tumour"):
        HeatmapLayer(heatmap_of([[1]], 9), Pyramid((9, 9)), channel="stroma")


# -- tissue ----------------------------------------------------------------------


def square_of_tissue():
    mask = np.zeros((10, 12), bool)
    mask[2:7, 3:9] = True
    return Tissue(mask, 50.0)


def test_a_tint_covers_the_tissue_and_nothing_else():
    layer = TissueLayer(square_of_tissue(), Pyramid((600, 500)), form="tint")
    covered = stitched(layer, layer.pyramid.max_zoom, "RGBA")[..., 3] > 0
    truth = np.zeros((500, 600), bool)
    truth[100:350, 150:450] = True
    np.testing.assert_array_equal(covered, truth)


@pytest.mark.parametrize("zoom_out", [0, 1])
def test_an_outline_runs_along_the_edge_across_tiles(zoom_out):
    layer = TissueLayer(square_of_tissue(), Pyramid((600, 500)))
    image = stitched(layer, layer.pyramid.max_zoom - zoom_out, "RGBA")[..., 3] > 0
    factor = 1 << zoom_out
    truth = np.zeros(image.shape, bool)
    y0, y1, x0, x1 = (n // factor for n in (100, 350, 150, 450))
    truth[y0:y1, x0:x1] = True
    truth[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] = False
    np.testing.assert_array_equal(image, truth)
