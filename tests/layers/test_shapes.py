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
