"""Between levels and beyond: averages of area, in their place, in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import made_slides
import workbench as wb
from workbench.slide import blockwise
from workbench.slide.readers.base import BoxReader, Level
from workbench.slide.readers.level_selection import Source, choose_sources
from workbench.slide.readers.resampling import resample
from workbench.slide.slide import Slide
from workbench.tissue.detection import find_tissue

SIZE = (900, 700)


class Levels(BoxReader):
    """A reader of arrays, one for each level."""

    def __init__(self, arrays, downsamples, tile=None):
        self.path, self.name, self.icc_profile = "made", "numpy", None
        self.arrays = arrays
        self.levels = tuple(
            Level((array.shape[1], array.shape[0]), float(downsample), tile)
            for array, downsample in zip(arrays, downsamples, strict=True)
        )
        self.declared_mpp, self.properties = None, {}
        self.bounds = wb.Box(0, 0, *self.levels[0].size)
        self.background, self.associated_names = (255, 255, 255), ()
        self.largest = 0

    def read_inside(self, level, x, y, width, height):
        self.largest = max(self.largest, width * height)
        return self.arrays[level][y : y + height, x : x + width]

    def associated(self, name):
        raise KeyError(name)

    def close(self):
        pass


CENTRE = np.array([331.3, 307.8])
"""Of the spot, in level-0 pixels."""


def spot(factor=1.0):
    """A soft bright spot, as a level of a slide has it."""
    width, height = round(SIZE[0] / factor), round(SIZE[1] / factor)
    whole = factor == round(factor)  # else the scale is that of the rounded sizes
    across = factor if whole else SIZE[0] / width
    down = factor if whole else SIZE[1] / height
    x = ((np.arange(width) + 0.5) * across - CENTRE[0])[None, :]
    y = ((np.arange(height) + 0.5) * down - CENTRE[1])[:, None]
    bright = np.exp(-(x**2 + y**2) / (2 * 30**2))[..., None]
    # Rounding of several colours averages out.
    return np.rint(bright * [250, 211, 177]).astype(np.uint8)


def centroid(pixels, box):
    """Where the spot is in pixels that show a box, in level-0 pixels."""
    height, width, _ = pixels.shape
    weight = pixels.sum(2, dtype=float)
    x = box.x0 + (np.arange(width) + 0.5) * box.width / width
    y = box.y0 + (np.arange(height) + 0.5) * box.height / height
    down = (weight.sum(1) * y).sum(), (weight.sum(0) * x).sum()
    return np.array(down[::-1]) / weight.sum()


def noise(size=SIZE, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (size[1], size[0], 3), np.uint8)


def analytic(level, source, size):
    """The average over the area of each pixel, in float64."""

    def weights(start, stop, wanted, count):
        edges = np.linspace(start, stop, wanted + 1)
        at = np.arange(count)
        shared = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
        return shared.clip(0) / ((stop - start) / wanted)

    down = weights(source.top, source.bottom, size[1], level.shape[0])
    across = weights(source.left, source.right, size[0], level.shape[1])
    return np.einsum("ij,jkc,lk->ilc", down, level.astype(float), across, optimize=True)


def boxes(step=1):
    """Any box in the slide, and a size of its answer."""
    return st.tuples(
        st.integers(0, 300 // step).map(lambda v: v * step),
        st.integers(0, 200 // step).map(lambda v: v * step),
        st.integers(40, 500),
        st.integers(40, 400),
        st.sampled_from([1, 4 / 3, 1.5, 2, 2.5, 3, 4, 7.3, 16]),
    )


@pytest.mark.slow
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("factor", [2, 3, 4, 4.37, 16])
@settings(max_examples=12, deadline=None)
@given(where=boxes())
def test_every_value_is_the_average_of_its_area(factor, exact, where):
    x, y, width, height, shrink = where
    small = (round(SIZE[0] / factor), round(SIZE[1] / factor))
    reader = Levels([noise(), noise(small, 1)], [1, factor])
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    if size[0] > width or size[1] > height:
        return
    box = wb.Box.at(x, y, width, height)
    slide = _bare(reader, exact=exact)
    (source,) = choose_sources([box], size, slide.levels, slide._scales, exact=exact)
    level = reader.arrays[source.level]
    inside = source.right <= level.shape[1] and source.bottom <= level.shape[0]
    if source.margin or not inside:
        return
    found = slide.read_tiles([box], size)[0]
    expected = analytic(level, source, size)
    assert np.abs(found - expected).max() <= 0.5 + 1e-3


def _bare(reader, *, exact=False):
    """A slide without a file."""
    slide = Slide.__new__(Slide)
    slide.path = "made"
    slide._reader, slide._profile, slide._exact = reader, None, exact
    slide.levels, slide.size = reader.levels, reader.levels[0].size
    from workbench.slide.readers.level_selection import scales  # noqa: PLC0415

    slide._scales = scales(reader.levels)
    return slide


@pytest.mark.slow
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("factor", [2, 3, 4, 4.37, 16])
@pytest.mark.parametrize("shrink", [0.25, 0.5, 0.8, 1, 2, 3, 4, 16])
def test_nothing_is_displaced(factor, exact, shrink):
    """To a fortieth of a pixel, whatever the box, the level and the scale."""
    slide = _bare(Levels([spot(), spot(factor)], [1, factor]), exact=exact)
    for x, y in ((90, 60), (97, 53), (83, 64)):
        size = (round(480 / shrink), round(480 / shrink))
        box = wb.Box.at(x, y, 480, 480)
        found = slide.read_tiles([box], size)[0]
        moved = (centroid(found, box) - CENTRE) / max(1.0, shrink)
        # Rounding to whole grey levels alone moves it by 0.02.
        assert np.abs(moved).max() < 0.025, (x, y)


def test_an_odd_corner_at_the_resolution_of_a_level_is_the_mean_of_two():
    reader = Levels([noise(), noise((450, 350), 1)], [1, 2])
    found = _bare(reader).read_tiles([wb.Box.at(3, 5, 200, 100)], (100, 50))[0]
    level = reader.arrays[1].astype(float)
    four = [
        level[2 + dy : 52 + dy, 1 + dx : 101 + dx] for dx in (0, 1) for dy in (0, 1)
    ]
    assert np.abs(found - np.mean(four, 0)).max() <= 0.5


def test_tiles_that_are_enlarged_fit_together():
    """Each has its neighbours' pixels at hand, so that no seam is to be seen."""
    slide = _bare(Levels([noise()], [1]))
    whole = slide.read_tiles([wb.Box.at(100, 100, 64, 64)], (256, 256))[0]
    for row in (0, 1):
        for column in (0, 1):
            box = wb.Box.at(100 + 32 * column, 100 + 32 * row, 32, 32)
            part = slide.read_tiles([box], (128, 128))[0]
            same = whole[row * 128 :, column * 128 :][:128, :128]
            assert np.abs(part.astype(int) - same).max() <= 1


def test_the_edge_of_a_slide_is_not_mixed_with_the_background_when_enlarged():
    slide = _bare(Levels([np.full((50, 60, 3), 40, np.uint8)], [1]))
    found = slide.read_tiles([wb.Box.at(-10, -10, 80, 70)], (320, 280))[0]
    expected = np.full((280, 320, 3), 255, np.uint8)
    expected[40:240, 40:280] = 40
    np.testing.assert_array_equal(found, expected)


def test_one_axis_may_be_shrunk_and_the_other_enlarged():
    slide = _bare(Levels([spot()], [1]))
    box = wb.Box.at(91, 61, 480, 480)
    found = slide.read_tiles([box], (240, 960))[0]
    assert np.abs(centroid(found, box) - CENTRE).max() < 0.02


@pytest.mark.parametrize("tile", [None, (64, 64)])
@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((0, 0, 880, 640), (55, 40)),
        ((0, 0, 900, 700), (100, 77)),
        ((3, 5, 777, 555), (111, 70)),
        ((3, 5, 641, 559), (1, 13)),
        ((-30, -20, 950, 750), (9, 1)),
        ((1, 1, 898, 698), (1, 1)),
        ((5, 7, 300, 200), (900, 500)),
    ],
)
def test_what_is_large_is_read_in_blocks_and_is_the_same(monkeypatch, tile, box, size):
    reader = Levels([noise()], [1], tile)
    slide, place = _bare(reader), wb.Box.at(*box)
    expected = slide.read_tiles([place], size)[0].astype(int)
    reader.largest = 0
    monkeypatch.setattr(blockwise, "BLOCK_BYTES", 60_000)
    found = slide.read_tiles([place], size)[0]
    assert 0 < reader.largest <= 60_000 // 3
    assert np.abs(found - expected).max() <= 1
    if size == (55, 40):  # no pixel is cut
        np.testing.assert_array_equal(found, expected)
    several = slide.read_tiles([place, place], size)
    np.testing.assert_array_equal(several[1], found)


def test_a_batch_that_is_large_is_read_in_parts(monkeypatch):
    reader = Levels([noise()], [1])
    slide = _bare(reader)
    places = [wb.Box.at(x, 11, 120, 120) for x in range(0, 700, 70)]
    expected = slide.read_tiles(places, (60, 60))
    monkeypatch.setattr(blockwise, "BLOCK_BYTES", 3 * 120 * 120 * 3)
    np.testing.assert_array_equal(slide.read_tiles(places, (60, 60)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["thumbnail", "tissue", "notebook"])
def test_looking_at_a_slide_takes_little_memory(what, tmp_path, monkeypatch):
    """One lossless level of 49 million pixels; its blocks are of 3 MB here."""
    pixels = np.tile(made_slides.tissue_like(700, 700), (10, 10, 1))
    path = tmp_path / "one-level.tif"
    how = {"compression": "adobe_deflate", "levels": 1, "mpp": 0.25}
    made_slides.write_tiff(path, pixels, **how)
    monkeypatch.setattr(blockwise, "BLOCK_BYTES", 3 << 20)
    with wb.open_slide(path) as slide:
        slide.read_tiles([wb.Box.at(0, 0, 99, 99)], (50, 50))  # what is kept for good
        tracemalloc.start()
        if what == "thumbnail":
            found = slide.thumbnail(100).pixels
        elif what == "tissue":
            find_tissue(slide)
        else:
            slide._repr_mimebundle_()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 40 << 20  # unbounded: 147 MB
    if what == "thumbnail":
        mean = pixels.reshape(100, 70, 100, 70, 3).mean((1, 3))
        assert np.abs(found - mean).max() <= 0.5


def test_resampling_writes_into_a_part_of_a_picture():
    out = np.zeros((40, 50, 3), np.uint8)
    source = Source(0, 0.5, 0.5, 20.5, 20.5)
    resample(noise((21, 21)), source, out[5:15, 7:17], (900, 700))
    assert out[5:15, 7:17].any(axis=2).all()
    out[5:15, 7:17] = 0
    assert not out.any()
