"""Tiles coarser than all that is stored: right, and each stored pixel read once."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support" / "apps"))

from fake_slide import FakeSlide

from workbench.errors import OutOfBoundsError
from workbench.layers.layer import Pyramid
from workbench.layers.tile_pixels import TilePixels

SIDE = 64


@pytest.fixture
def slide():
    return FakeSlide()  # 6000 x 4200, coarsest level 4


@pytest.fixture
def pixels(slide):
    return TilePixels(slide, Pyramid(slide.size, SIDE))


def places(pyramid, z):
    rows, columns = pyramid.shape(z)
    return [(z, x, y) for y in range(rows) for x in range(columns)]


@pytest.mark.parametrize("z", range(8))
@pytest.mark.slow
def test_a_tile_is_what_the_slide_has_there(slide, pixels, z):
    pyramid = Pyramid(slide.size, SIDE)
    for place in places(pyramid, z)[:40]:
        direct = slide.read(pyramid.box(*place), size=(SIDE, SIDE)).pixels
        apart = np.abs(pixels.tile(*place).astype(int) - direct)
        # Each of up to four halvings rounds to the nearest grey level.
        assert apart.max() <= 2
        assert apart.mean() < 0.5


@pytest.mark.slow
def test_what_was_read_for_a_coarse_tile_serves_all_finer_ones(slide, pixels):
    pyramid = Pyramid(slide.size, SIDE)
    assert pyramid.downsample(4) == 8  # twice as coarse as what is stored
    pixels.tile(0, 0, 0)
    assert slide.reads == len(places(pyramid, 4))  # each stored pixel once
    for z in range(5):
        for place in places(pyramid, z):
            pixels.tile(*place)
    assert slide.reads == len(places(pyramid, 4))


@pytest.mark.slow
def test_what_is_as_fine_as_what_is_stored_is_not_kept(slide, pixels):
    for _ in range(2):
        pixels.tile(5, 3, 2)
    assert slide.reads == 2


@pytest.mark.slow
def test_what_is_kept_is_bounded(slide):
    large = TilePixels(slide, Pyramid(slide.size, 1024))
    small = TilePixels(slide, Pyramid(slide.size, 256))
    assert 3 * 1024**2 * large._cached_tile.cache_info().maxsize <= 32 << 20
    assert 3 * 256**2 * small._cached_tile.cache_info().maxsize <= 32 << 20


@pytest.mark.parametrize("place", [(-1, 0, 0), (8, 0, 0), (0, 1, 0)])
@pytest.mark.slow
def test_a_tile_that_is_not_there_is_refused(pixels, place):
    with pytest.raises(OutOfBoundsError, match="no tile"):
        pixels.tile(*place)
