"""What every reader must keep: one test class, inherited with a slide to open."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.errors import OutOfBoundsError, WorkbenchError

quickly = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,  # of the classes that inherit the tests
    ],
)


class ReaderContract:
    """Inherit, and give a fixture `path` with at least 50 x 50 pixels."""

    @pytest.fixture(scope="class")
    @classmethod
    def slide(cls, path):
        with wb.open_slide(path) as slide:
            yield slide

    @pytest.fixture(scope="class")
    @classmethod
    def whole(cls, slide):
        width, height = slide.size
        return slide.read(wb.Box(0, 0, min(width, 1500), min(height, 1500))).pixels

    def test_it_describes_itself(self, slide):
        assert slide.levels[0].size == slide.size
        assert slide.levels[0].downsample == 1
        downsamples = [level.downsample for level in slide.levels]
        assert downsamples == sorted(downsamples)
        assert slide.box.intersection(slide.bounds) == slide.bounds
        assert (slide.mpp is None) == bool(slide.mpp_problem)
        assert len(slide.id) == 32
        assert slide.reader_name
        assert all(isinstance(v, str) for v in slide.properties.values())

    def test_it_shows_itself(self, slide):
        bundle = slide._repr_mimebundle_()
        assert slide.name in bundle["text/html"]
        assert "image/png;base64" in bundle["text/html"]

    @quickly
    @given(data=st.data())
    def test_a_box_is_a_crop_of_the_whole(self, slide, whole, data):
        height, width, _ = whole.shape
        x0 = data.draw(st.integers(0, width - 1))
        y0 = data.draw(st.integers(0, height - 1))
        x1 = data.draw(st.integers(x0 + 1, min(width, x0 + 300)))
        y1 = data.draw(st.integers(y0 + 1, min(height, y0 + 300)))
        region = slide.read(wb.Box(x0, y0, x1, y1))
        assert region.box == wb.Box(x0, y0, x1, y1)
        assert region.slide_id == slide.id
        np.testing.assert_array_equal(region.pixels, whole[y0:y1, x0:x1])

    @quickly
    @given(data=st.data())
    def test_outside_is_background(self, slide, whole, data):
        x = data.draw(st.integers(-60, 10))
        y = data.draw(st.integers(-60, 10))
        pixels = slide.read(wb.Box.at(x, y, 40, 40)).pixels
        expected = np.empty((40, 40, 3), np.uint8)
        expected[:] = slide.background
        x0, y0 = max(0, -x), max(0, -y)
        if x0 < 40 and y0 < 40:
            expected[y0:, x0:] = whole[y + y0 : y + 40, x + x0 : x + 40]
        np.testing.assert_array_equal(pixels, expected)

    def test_beyond_the_far_corner_is_background(self, slide):
        width, height = slide.size
        pixels = slide.read(wb.Box.at(width, height, 30, 20)).pixels
        assert (pixels == slide.background).all()

    @pytest.mark.parametrize("threads", [1, 2])
    def test_tiles_together_are_the_tiles_one_by_one(self, slide, threads):
        boxes = [wb.Box.at(x, y, 37, 41) for y in (-5, 3, 9) for x in (-7, 0, 11)]
        together = slide.read_tiles(boxes, (37, 41), threads=threads)
        for pixels, box in zip(together, boxes, strict=True):
            np.testing.assert_array_equal(pixels, slide.read(box).pixels)

    def test_tiles_are_written_where_asked(self, slide):
        out = np.zeros((2, 24, 24, 3), np.uint8)
        boxes = [wb.Box.at(0, 0, 24, 24), wb.Box.at(20, 20, 24, 24)]
        assert slide.read_tiles(boxes, (24, 24), out=out) is out
        np.testing.assert_array_equal(out[1], slide.read(boxes[1]).pixels)

    def test_exact_halving_averages_two_by_two(self, path, slide, whole):
        """Where the level below is not stored, it is made by area averaging."""
        if any(1 < level.downsample <= 2.01 for level in slide.levels):
            return
        with wb.open_slide(path, exact=True) as exact:
            pixels = exact.read(wb.Box.at(0, 0, 40, 40), size=(20, 20)).pixels
        mean = whole[:40, :40].reshape(20, 2, 20, 2, 3).mean((1, 3))
        assert np.abs(pixels - mean).max() <= 1

    @pytest.mark.slow
    @pytest.mark.parametrize("factor", [2, 3, 4, 8])
    def test_quick_reads_are_near_the_exact_ones(self, path, slide, factor):
        side = min(slide.size) // factor
        box = wb.Box.at(0, 0, side * factor, side * factor)
        quick = slide.read(box, size=(side, side)).pixels.astype(float)
        with wb.open_slide(path, exact=True) as slow:
            exact = slow.read(box, size=(side, side)).pixels.astype(float)
        off = np.abs(quick - exact).mean()
        detail = np.abs(exact[1:, 1:] - exact[:-1, :-1]).mean()
        assert off < 1.5 + 0.2 * detail

    @pytest.mark.slow
    @quickly
    @given(data=st.data())
    def test_quick_reads_have_no_seams(self, slide, data):
        """Parts read one by one are the parts of what is read at once."""
        factor = data.draw(st.sampled_from([2, 4]))
        side = min(256, min(slide.size) // (4 * factor) * 4)
        x, y = (data.draw(st.integers(0, 20)) * factor for _ in "xy")
        whole = slide.read(
            wb.Box.at(x, y, side * factor, side * factor), size=(side, side)
        )
        half = side // 2
        step = half * factor
        for row in (0, 1):
            for column in (0, 1):
                box = wb.Box.at(x + column * step, y + row * step, step, step)
                part = slide.read(box, size=(half, half)).pixels
                expected = whole.pixels[
                    row * half : row * half + half, column * half : column * half + half
                ]
                if box.x1 < slide.size[0] - 8 and box.y1 < slide.size[1] - 8:
                    off = np.abs(part.astype(int) - expected)
                    assert off.mean() < 1.5

    def test_any_resolution_keeps_its_place(self, slide, whole):
        """Reading at an odd size shows the same picture, neither moved nor scaled."""
        height, width, _ = whole.shape
        box = wb.Box(0, 0, width, height)
        for side in (17, 31):
            small = slide.read(box, size=(side, side)).pixels.astype(float)
            rows = np.linspace(0, height, side + 1).astype(int)
            columns = np.linspace(0, width, side + 1).astype(int)
            sums = np.add.reduceat(whole.astype(float), rows[:-1], 0)
            sums = np.add.reduceat(sums, columns[:-1], 1)
            areas = np.diff(rows)[:, None] * np.diff(columns)[None]
            assert np.abs(small - sums / areas[..., None]).mean() < 6

    def test_it_reads_at_an_mpp(self, slide):
        if slide.mpp is None:
            with pytest.raises(WorkbenchError, match="pixel size"):
                slide.read(wb.Box.at(0, 0, 40, 40), mpp=1.0)
            slide = slide.with_mpp(0.5)
        region = slide.read(wb.Box.at(0, 0, 40, 40), mpp=2 * slide.mpp)
        assert region.size == (20, 20)
        assert region.mpp == pytest.approx(2 * slide.mpp)

    def test_what_cannot_be_answered_is_refused(self, slide):
        with pytest.raises(OutOfBoundsError):
            slide.read(wb.Box(0, 0, 0, 10))
        with pytest.raises(OutOfBoundsError, match="cannot be read at once"):
            slide.read(wb.Box(0, 0, 1 << 20, 1 << 20))
        with pytest.raises(OutOfBoundsError, match="not both"):
            slide.read(wb.Box(0, 0, 9, 9), mpp=1.0, size=(3, 3))

    def test_threads_may_read_first(self, path):
        for _ in range(4):
            with wb.open_slide(path) as slide, ThreadPoolExecutor(4) as pool:
                box = wb.Box.at(5, 5, 30, 30)
                answers = list(pool.map(slide.read, [box] * 8))
            for answer in answers[1:]:
                np.testing.assert_array_equal(answer.pixels, answers[0].pixels)

    def test_it_travels_by_path(self, slide):
        copy = pickle.loads(pickle.dumps(slide))  # noqa: S301
        assert copy.id == slide.id
        box = wb.Box.at(3, 4, 20, 20)
        np.testing.assert_array_equal(copy.read(box).pixels, slide.read(box).pixels)
        copy.close()

    def test_stored_tiles_are_whole_images(self, slide):
        tile = slide.encoded_tile(0, 0, 0)
        if tile is None:
            return
        assert tile.media_type == "image/jpeg"
        import simplejpeg  # noqa: PLC0415

        pixels = simplejpeg.decode_jpeg(tile.data, "RGB")
        width, height = slide.levels[0].tile
        assert pixels.shape == (height, width, 3)
        seen = slide.read(wb.Box.at(0, 0, width, height)).pixels
        inside = slide.box.intersection(wb.Box.at(0, 0, width, height))
        np.testing.assert_array_equal(
            pixels[: inside.height, : inside.width],
            seen[: inside.height, : inside.width],
        )
        assert slide.encoded_tile(0, 9999, 0) is None

    def test_thumbnail(self, slide):
        region = slide.thumbnail(64)
        assert max(region.size) == min(64, max(slide.size))
        assert region.box == slide.box
