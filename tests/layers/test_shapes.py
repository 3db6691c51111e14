"""Geometries over a slide: their place, their colours and their values."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image

from workbench.annotations.classes import UNCLASSIFIED, colour_of
from workbench.errors import AnnotationError
from workbench.layers.colormaps import COLORMAPS, colours, hex_colour
from workbench.layers.layer import overlay_pyramid
from workbench.layers.shapes import ShapeLayer

PYRAMID = overlay_pyramid((1024, 1024))
HOLED = shapely.box(100, 100, 400, 400) - shapely.box(200, 200, 300, 300)


def pixels(layer, z=1, x=0, y=0):
    tile = layer.tile(z, x, y)
    return np.asarray(Image.open(io.BytesIO(tile.data)).convert("RGBA"))


def test_areas_are_outlined_and_what_they_hold_is_translucent():
    drawn = pixels(ShapeLayer([HOLED], PYRAMID))
    assert tuple(drawn[100, 250]) == (*UNCLASSIFIED, 255)
    assert 0 < drawn[150, 150, 3] < 255
    assert drawn[250, 250, 3] == 0  # in the hole
    assert drawn[50, 50, 3] == 0


def test_lines_and_points_are_drawn_at_every_zoom():
    line = shapely.LineString([(0, 256), (1000, 256)])
    layer = ShapeLayer([line, shapely.MultiPoint([(600, 800), (50, 50)])], PYRAMID)
    assert pixels(layer)[256, 300, 3] == 255
    assert pixels(layer)[50, 50, 3] == 255
    assert pixels(layer, 1, 1, 1)[800 - 512, 600 - 512, 3] == 255
    assert pixels(layer, 0)[128, 300, 3] == 255


def test_a_tile_without_shapes_is_empty_and_an_outline_has_no_seam():
    layer = ShapeLayer([shapely.box(100, 100, 600, 200)], PYRAMID)
    assert layer.tile(1, 1, 1) is None
    left, right = pixels(layer), pixels(layer, 1, 1, 0)
    assert left[150, 511, 3] == right[150, 0, 3] < 255
    assert left[100, 511, 3] == right[100, 0, 3] == 255


def test_numbers_have_a_colormap_and_are_read_at_the_pointer():
    boxes = [shapely.box(x, 0, x + 90, 90) for x in (0, 100, 200)]
    layer = ShapeLayer(boxes, PYRAMID, values=[1.0, np.nan, 3.0], name="grade")
    table = colours(COLORMAPS[0], 256)
    drawn = pixels(layer)
    assert drawn[90, 45, :3].tolist() == table[0].tolist()
    assert drawn[90, 245, :3].tolist() == table[-1].tolist()
    assert layer.legend.ramp[0][0] == 1.0
    assert layer.legend.ramp[-1][0] == 3.0
    assert layer.value_at(250, 50) == 3.0
    assert layer.value_at(150, 50) is None
    assert layer.value_at(500, 500) is None


def test_texts_have_a_colour_each():
    table = pd.DataFrame(
        {"geometry": [HOLED, shapely.Point(10, 10)], "kind": ["Tumour", "Stroma"]}
    )
    layer = ShapeLayer.of(table, PYRAMID, column="kind")
    assert dict(layer.legend.entries) == {
        each: hex_colour(colour_of(each)) for each in ("Stroma", "Tumour")
    }
    assert pixels(layer)[100, 250, :3].tolist() == list(colour_of("Tumour"))
    assert layer.value_at(150, 150) == "Tumour"


def test_one_geometry_is_shown_with_the_name_given():
    layer = ShapeLayer.of(HOLED, PYRAMID, name="a gland")
    assert layer.name == layer.legend.title == "a gland"
    assert layer.value_at(150, 150) is None


@pytest.mark.parametrize(
    ("what", "column", "message"),
    [
        ([HOLED, "a gland"], None, "a str is not a shapely geometry"),
        ([HOLED], "kind", "a list has no column 'kind'"),
        (pd.DataFrame({"x": [1]}), None, "no column 'geometry'"),
        (pd.DataFrame({"geometry": [HOLED]}), "kind", "no column 'kind'"),
    ],
)
def test_what_cannot_be_shown_is_refused(what, column, message):
    with pytest.raises(AnnotationError, match=message):
        ShapeLayer.of(what, PYRAMID, column=column)


def test_there_is_one_value_for_each_shape():
    with pytest.raises(AnnotationError, match="2 values for 1 shapes"):
        ShapeLayer([HOLED], PYRAMID, values=[1, 2])


def test_shapes_too_small_for_an_outline_are_dots_with_their_colours():
    pyramid = overlay_pyramid((1 << 16, 1 << 16))
    places = np.random.default_rng(0).uniform(0, 65_000, (20_000, 2))
    small = shapely.box(*places.T, *(places + 40).T)
    large = shapely.box(9_000, 9_000, 50_000, 50_000)
    layer = ShapeLayer([*small, large], pyramid, values=["dot"] * len(small) + ["area"])
    drawn = pixels(layer, 0)
    dots = (drawn[..., :3] == colour_of("dot")).all(axis=-1) & (drawn[..., 3] == 255)
    scale = pyramid.downsample(0)
    column, row = ((places + 20) / scale).astype(int).T
    assert drawn[row, column, 3].min() > 0  # also inside the area
    assert dots.sum() > len(small) / 4  # some lie on borders of pixels
    assert tuple(drawn[int(9_000 / scale), 200]) != (0, 0, 0, 0)
    assert layer.value_at(*(places[7] + 20)) in ("dot", "area")


def test_the_parts_of_a_collection_are_drawn_each_in_its_way():
    line = shapely.LineString([(400, 400), (500, 400)])
    parts = [HOLED, line, shapely.Point(450, 450)]
    drawn = pixels(ShapeLayer([shapely.GeometryCollection(parts)], PYRAMID))
    assert 0 < drawn[150, 150, 3] < 255
    assert drawn[400, 450, 3] == drawn[450, 450, 3] == drawn[450, 447, 3] == 255
    assert drawn[250, 250, 3] == 0
