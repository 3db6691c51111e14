"""A heatmap: as a table, with coordinates, in a line and as pictures."""

from __future__ import annotations

import base64
import builtins
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from workbench.errors import MissingPackageError
from workbench.geometry import Box
from workbench.results.heatmap import Heatmap


def made(rows=3, columns=5, classes=("tumour", "stroma"), cell=64.5, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.random((len(classes), rows, columns)).astype(np.float32)
    values[:, rng.random((rows, columns)) < 0.3] = np.nan
    return Heatmap(values, classes, cell)


heatmaps = st.builds(
    made, st.integers(1, 9), st.integers(1, 9), seed=st.integers(0, 99)
)


@pytest.mark.slow
@given(heatmaps)
def test_a_table_says_of_each_place_what_the_heatmap_says(heatmap):
    table = heatmap.to_frame()
    assert len(table) == np.isfinite(heatmap.values).any(axis=0).sum()
    assert list(table.columns) == list(heatmap.classes)
    assert table.index.names == ["y", "x"]
    for (y, x), row in table.iterrows():
        assert heatmap.at(x, y) == row.to_dict()


@given(heatmaps)
@pytest.mark.slow
def test_an_array_with_coordinates_is_the_heatmap(heatmap):
    array = heatmap.to_xarray()
    assert array.dims == ("class", "y", "x")
    np.testing.assert_array_equal(array.values, heatmap.values)
    assert array.attrs == {"units": "", "cell": 64.5}
    for name in heatmap.classes:
        found = array.sel({"class": name}).sel(y=40, x=70, method="nearest")
        inside = heatmap.at(40, 40) if heatmap.values.shape[2] < 2 else None
        here = inside or heatmap.at(70, 40)
        np.testing.assert_equal(float(found), here[name])


def test_an_array_of_a_run_under_way_stays_as_it_was():
    heatmap = made()
    array = heatmap.to_xarray()
    before = array.values.copy()
    heatmap.values[:] = 0
    np.testing.assert_array_equal(array.values, before)


def test_without_xarray_the_error_says_how_to_install_it(monkeypatch):
    really = builtins.__import__

    def absent(name, *args, **kwargs):
        if name == "xarray":
            raise ImportError(name=name)
        return really(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingPackageError, match=r"pip install 'slide-workbench\[x"):
        made().to_xarray()


def test_a_heatmap_is_one_line_without_its_numbers():
    heatmap = Heatmap(np.full((2, 100, 80), np.nan, np.float32), ("a", "b"), 256.0)
    assert repr(heatmap) == ("Heatmap(a, b; 100 x 80 cells of 256 px, 0% with a value)")


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (900, 700), (1, 4000)])
def test_a_notebook_sees_a_picture_of_each_class(shape):
    heatmap = made(*shape, classes=("<b>", "two"))
    html = heatmap._repr_html_()
    assert "<b>" not in html
    urls = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert len(urls) == 2
    for url in urls:
        with Image.open(io.BytesIO(base64.b64decode(url))) as picture:
            assert 0 < max(picture.size) <= 192
            assert min(picture.size) > 0


def test_a_picture_is_bright_where_the_value_is_high_and_clear_where_there_is_none():
    values = np.array([[[0.0, 1.0, np.nan]]], np.float32)
    html = Heatmap(values, ("a",), 64.0)._repr_html_()
    (url,) = re.findall(r"base64,([^\"]+)", html)
    picture = Image.open(io.BytesIO(base64.b64decode(url)))
    side = picture.height
    low, high, none = (picture.getpixel((side * i + side // 2, 1)) for i in range(3))
    assert sum(low[:3]) < 30
    assert sum(high[:3]) > 600
    assert (low[3], high[3], none[3]) == (255, 255, 0)


def test_a_box_may_be_given_as_its_edges():
    heatmap = made(8, 8)
    box = Box(70, 130, 300, 400)
    np.testing.assert_array_equal(
        heatmap.within((70, 130, 300, 400)), heatmap.within(box)
    )
