"""Pictures of what is seen: every pixel in its place, a bar that tells the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

import workbench as wb
from fakes import FakeSlide
from stained_slide import write_stained
from workbench.errors import OutOfBoundsError
from workbench.geometry import Box
from workbench.layers.compose import draw_layers
from workbench.layers.encode import encode_palette
from workbench.layers.figure import draw_figure, round_length
from workbench.layers.layer import Legend, Pyramid
from workbench.layers.text import Lettering

PALETTE = np.zeros((256, 4), np.uint8)
PALETTE[1] = (255, 0, 0, 255)


class Checks:
    """A layer of red squares of 64 level-0 pixels, as on a chessboard."""

    name = "checks"
    version = "0"
    legend = Legend("checks", "1", ramp=((0.0, "#000000"), (1.0, "#ff0000")))

    def __init__(self, size):
        self.pyramid = Pyramid(size, 128)

    def tile(self, z, x, y):
        box = self.pyramid.box(z, x, y)
        step = self.pyramid.downsample(z)
        rows = (np.arange(box.y0, box.y1, step) + step // 2) // 64
        columns = (np.arange(box.x0, box.x1, step) + step // 2) // 64
        red = (rows[:, None] + columns[None, :]) % 2 == 0
        return encode_palette(red.astype(np.uint8), PALETTE)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = write_stained(tmp_path_factory.mktemp("p") / "a.tif", width=1500, height=900)
    with wb.open_slide(path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("box", "width"),
    [
        (Box(0, 0, 1500, 900), 375),
        (Box(0, 0, 1500, 900), 500),
        (Box(317, 211, 1117, 711), 800),
        (Box(600, 300, 700, 380), 300),
    ],
)
def test_the_picture_of_a_slide_is_what_reading_it_gives(slide, box, width):
    picture = wb.snapshot(slide, box=box, width=width)
    height = round(width * box.height / box.width)
    assert picture.shape == (height, width, 3)
    near = slide.read(box, size=(width, height)).pixels
    apart = np.abs(picture.astype(int) - near)
    assert apart.mean() < 3.5
    # Somewhere else by one pixel it would fit much worse.
    shifted = np.abs(picture[:, 1:].astype(int) - near[:, :-1])
    assert apart.mean() < shifted.mean()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(-300, 900),
    st.integers(-300, 600),
    st.integers(64, 900),
    st.sampled_from([0.5, 1, 2, 3, 4]),
)
def test_cells_are_drawn_where_they_lie_and_only_on_the_slide(x, y, side, downsample):
    size = (1000, 700)
    box = Box.at(x, y, round(side * downsample), round(side * downsample))
    picture = draw_layers([(Checks(size), 1.0)], box, (side, side))
    at = (np.arange(side) + 0.5) * downsample
    columns, rows = x + at, y + at
    red = (rows[:, None] // 64 + columns[None, :] // 64) % 2 == 0
    inside = (rows >= 0) & (rows < size[1])
    red &= inside[:, None] & (columns >= 0) & (columns < size[0])
    drawn = (picture == (255, 0, 0)).all(-1)
    # A pixel at a cell's very edge may fall to either side.
    assert (drawn != red).mean() < 0.04 * downsample + 0.01


def test_opacity_mixes_a_layer_with_what_is_under_it(slide):
    box = Box(0, 0, 640, 640)
    bare = wb.snapshot(slide, box=box, width=640).astype(float)
    half = wb.snapshot(slide, [(Checks(slide.size), 0.5)], box, width=640)
    red = np.array([255, 0, 0])
    assert np.abs(half[8:56, 8:56] - (bare[8:56, 8:56] + red) / 2).max() < 2
    assert np.abs(half[8:56, 72:120] - bare[8:56, 72:120]).max() < 2


@pytest.mark.parametrize(
    ("mpp", "length"), [(0.5, 100), (0.3, 50), (6.0, 1000), (None, 200)]
)
def test_the_scale_bar_is_as_long_as_it_says(mpp, length):
    figure = draw_figure(np.full((600, 1000, 3), 200, np.uint8), 1.0, mpp=mpp)
    dark = (figure < 40).all(-1)
    lengths = [longest_run(row) for row in dark]
    bar = max(lengths)
    assert bar * (mpp or 1) == pytest.approx(length, rel=0.01)
    assert round_length(220 * (mpp or 1)) == length


def longest_run(row):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    return max(np.diff(edges)[::2], default=0)


def test_legends_are_added_below_and_the_picture_is_left_alone(slide):
    box = Box(0, 0, 1000, 600)
    over = [(Checks(slide.size), 0.4)]
    plain = wb.snapshot(slide, over, box, width=1000)
    figure = wb.snapshot(slide, over, box, width=1000, figure=True)
    assert figure.shape[0] > plain.shape[0]
    assert (figure[:400, :] == plain[:400, :]).all()
    strip = figure[plain.shape[0] :].reshape(-1, 3)
    assert (strip == 255).all(1).any()
    assert (np.abs(strip.astype(int) - (255, 0, 0)).max(1) < 12).any()


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (20_000, 20_000)])
def test_a_picture_that_cannot_be_is_refused(size):
    with pytest.raises(OutOfBoundsError):
        draw_layers([], FakeSlide().box, size)


@given(st.floats(0.01, 1e6))
def test_a_round_length_is_the_longest_that_fits(longest):
    length = round_length(longest)
    assert length <= longest * 1.001
    assert length > longest / 2.6


@given(turn=st.integers(0, 3), mirrored=st.booleans())
@settings(deadline=None, max_examples=8)
def test_a_picture_is_mirrored_and_then_turned_clockwise(slide, turn, mirrored):
    box, wide, high = Box(200, 100, 800, 500), 300, 200
    upright = wb.snapshot(slide, box=box, width=wide)
    width = high if turn % 2 else wide
    seen = wb.snapshot(slide, box=box, width=width, turn=turn, mirrored=mirrored)
    for x, y in [(10, 20), (250, 30), (140, 190)]:
        right, down = (wide - 1 - x if mirrored else x), y
        across, along = wide, high
        for _ in range(turn):  # what was at the left is at the top
            right, down, across, along = along - 1 - down, right, along, across
        assert seen.shape[:2] == (along, across)
        assert (seen[down, right] == upright[y, x]).all()


@pytest.mark.parametrize("sign", ["µ", "μ", "²", "³"])
@pytest.mark.parametrize("down", ["a", "m"])
def test_the_signs_of_units_are_written_as_themselves(sign, down):
    def written(text):
        image = Image.new("RGB", (160, 60), (255, 255, 255))
        letters = Lettering(24, (0, 0, 0))
        letters.write(ImageDraw.Draw(image), (10, 20), text, down=down)
        return np.asarray(image.convert("L")) < 128, letters.length(text)

    with_sign, length = written(f"1{sign}m")
    missing, _ = written("1\uffffm")
    assert (with_sign != missing).any()
    plain = {"µ": "u", "μ": "u", "²": "2", "³": "3"}[sign]
    with_plain, longer = written(f"1{plain}m")
    assert length <= longer
    rows = np.flatnonzero(with_sign.any(1))
    plain_rows = np.flatnonzero(with_plain.any(1))
    if plain == "u":  # its stem goes down, and the rest is that of a u
        assert rows[-1] > plain_rows[-1]
        assert not (with_plain & ~with_sign).any()
    else:  # as high as a digit, and above the line
        assert rows[0] == plain_rows[0]
        raised = with_sign[:, 10 + round(written("1")[1]) :]
        raised = raised[:, : round(length - written("1m")[1])]
        assert np.flatnonzero(raised.any(1))[-1] < rows[-1]


def test_a_box_may_be_given_as_its_edges(slide):
    edges = (317, 211, 1117, 711)
    np.testing.assert_array_equal(
        wb.snapshot(slide, box=edges, width=100),
        wb.snapshot(slide, box=Box(*edges), width=100),
    )
    region = slide.read(edges, mpp=1)
    assert region.box == Box(*edges)
    np.testing.assert_array_equal(region.pixels, slide.read(Box(*edges), mpp=1).pixels)
    with pytest.raises(OutOfBoundsError, match="whole number"):
        slide.read((0.5, 0, 256, 256))
