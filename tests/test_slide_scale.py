"""Micrometres per pixel: where a file says them, in which unit, along which axis."""

from __future__ import annotations

import pytest

import made_slides
import workbench as wb
from workbench.slide.opening import open_reader
from workbench.slide.openslide import OpenSlideReader
from workbench.slide.reader import mpp_pair


@pytest.mark.parametrize(
    ("x", "y", "pair"),
    [
        (0.25, 0.5, (0.25, 0.5)),
        ("0.25", None, (0.25, 0.25)),
        (None, "0,5", (0.5, 0.5)),
        ("", "wide", None),
        (None, None, None),
    ],
)
def test_a_pair_is_of_two_axes_or_of_the_one_that_is_known(x, y, pair):
    assert mpp_pair(x, y) == pair


@pytest.mark.parametrize("resolution", [(20000, 20000), (40000, 20000)])
def test_readers_tell_both_axes(resolution, tmp_path):
    path = str(tmp_path / "made.tif")
    made_slides.write_flat(path, made_slides.tissue_like(), resolution=resolution)
    expected = tuple(1e4 / each for each in resolution)
    for reader in (open_reader(path), OpenSlideReader(path)):
        assert reader.declared_mpp_xy == pytest.approx(expected)
        assert reader.declared_mpp == pytest.approx(expected[0])
        reader.close()


def test_who_says_nothing_has_no_pair(tmp_path):
    with wb.open_slide(made_slides.png(tmp_path)) as slide:
        assert slide.declared_mpp is None
