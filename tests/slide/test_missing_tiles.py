"""A tile that one level lacks is shown as another level has it, by every way to it."""

from __future__ import annotations

import numpy as np
import pytest
import simplejpeg

import made_tiffs
import workbench as wb
from workbench.layers.slide import SlideLayer

FULL = made_tiffs.place_picture(2048, 1536)
KINDS = {
    "jpeg": made_tiffs.jpeg(),
    "deflate": {"compression": "zlib"},
    "lzw": {"compression": "lzw"},
    "none": {},
    "big": {"compression": "zlib", "bigtiff": True},
}


def off(a, b):
    return np.abs(np.asarray(a, int) - np.asarray(b, int)).mean()


def expected(box, by):
    part = FULL[box.y0 : box.y1, box.x0 : box.x1]
    return part if by == 1 else made_tiffs.shrunk(part, by)


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.mark.slow
@pytest.mark.parametrize("only", ["both", "counts", "offsets"])
def test_smaller_levels_are_filled_from_the_finer(kind, only, tmp_path):
    path = made_tiffs.write_pyramid(tmp_path / "made.tif", FULL, **kind)
    made_tiffs.punch(path, [(1, [3, 7, 11]), (2, [1, 3])], only=only)
    with wb.open_slide(path) as slide:
        for by, box in (
            (2, wb.Box(1536, 512, 2048, 1024)),
            (4, wb.Box(1024, 0, 2048, 1024)),
            (4, wb.Box(900, 400, 1300, 800)),  # across the edge of the hole
        ):
            size = box.width // by, box.height // by
            seen = slide.read(box, size=size).pixels
            assert off(seen, expected(box, by)) < 1.5
            tiles = slide.read_tiles([box, box], size)
            np.testing.assert_array_equal(tiles[0], seen)
        assert off(slide.thumbnail(512).pixels, made_tiffs.shrunk(FULL, 4)) < 1.5
        assert any("lacks" in note for note in slide.notes)


def test_a_hole_in_two_levels_is_filled_from_the_third(tmp_path):
    path = made_tiffs.write_pyramid(tmp_path / "made.tif", FULL, **made_tiffs.jpeg())
    made_tiffs.punch(path, [(1, range(12)), (2, range(4))])
    box = wb.Box(0, 0, 2048, 1536)
    with wb.open_slide(path) as slide:
        assert off(slide.read(box, size=(512, 384)).pixels, expected(box, 4)) < 1.5


def test_level_0_is_filled_from_the_next_coarser_at_its_place(kind, tmp_path):
    path = made_tiffs.write_pyramid(tmp_path / "made.tif", FULL, **kind)
    made_tiffs.punch(path, [(0, [9, 10])])
    box = wb.Box(256, 256, 768, 512)
    with wb.open_slide(path) as slide:
        assert off(slide.read(box).pixels, expected(box, 1)) < 4
        for shift in (-4, 4):  # a displaced picture would fit better elsewhere
            moved = wb.Box(256 + shift, 256, 768 + shift, 512)
            here = off(slide.read(box).pixels, expected(box, 1))
            assert here < off(slide.read(box).pixels, expected(moved, 1))


def test_what_no_level_has_is_background(kind, tmp_path):
    path = made_tiffs.write_pyramid(tmp_path / "made.tif", FULL, **kind)
    made_tiffs.punch(path, [(0, [0, 1, 8, 9]), (1, [0]), (2, range(4))])
    with wb.open_slide(path) as slide:
        pixels = slide.read(wb.Box(0, 0, 512, 512)).pixels
        assert (pixels == slide.background).all()
        small = slide.read(wb.Box(0, 0, 512, 512), size=(128, 128)).pixels
        assert (small == slide.background).all()
        beside = wb.Box(512, 0, 1024, 512)
        assert off(slide.read(beside, size=(128, 128)).pixels, expected(beside, 4)) < 2


def test_holes_are_not_handed_to_browsers_or_devices(tmp_path):
    path = made_tiffs.write_pyramid(tmp_path / "made.tif", FULL, **made_tiffs.jpeg())
    made_tiffs.punch(path, [(1, [3])])
    with wb.open_slide(path) as slide:
        assert slide.encoded_tile(1, 3, 0) is None
        assert slide.encoded_tile(1, 2, 0) is not None
        hole = wb.Box(1536, 0, 2048, 512)
        assert slide.read_encoded([hole], (256, 256)) is None
        layer = SlideLayer(slide)
        z = layer.pyramid.max_zoom - 1
        tile = layer.tile(z, 3, 0)
        seen = simplejpeg.decode_jpeg(tile.data, "RGB")
        assert off(seen, expected(hole, 2)) < 4


def test_blank_tiles_still_go_to_devices_encoded(tmp_path):
    path = made_tiffs.write_pyramid(
        tmp_path / "made.tif", FULL, shrinks=(1,), **made_tiffs.jpeg()
    )
    made_tiffs.punch(path, [(0, [1])])
    box = wb.Box(0, 0, 512, 256)
    with wb.open_slide(path) as slide:
        boxes = slide.read_encoded([box], (512, 256))
        assert boxes is not None
        assert boxes.lookup.ravel().tolist()[:2] == [0, -1]
        assert (slide.read(box).pixels[:, 256:] == slide.background).all()


@pytest.mark.parametrize("shrinks", [(1, 2, 8), (1, 3, 7), (1, 16)])
def test_levels_of_any_scale_fill_each_other(shrinks, tmp_path):
    path = made_tiffs.write_pyramid(
        tmp_path / "made.tif", FULL, shrinks=shrinks, compression="zlib"
    )
    made_tiffs.punch(path, [(1, [0])])
    by = shrinks[1]
    side = min(256 * by, 1280) // by * by
    box = wb.Box(0, 0, side, side)
    with wb.open_slide(path) as slide:
        seen = slide.read(box, size=(side // by, side // by)).pixels
        assert off(seen, expected(box, by)) < 1.5


def test_philips_leaves_out_what_is_blank(tmp_path):
    path = made_tiffs.write_pyramid(
        tmp_path / "made.tif",
        FULL,
        software="Philips DP v1.0",
        description="<DataObject ObjectType='DPUfsImport'></DataObject>",
        **made_tiffs.jpeg(),
    )
    made_tiffs.punch(path, [(0, [0])])
    with wb.open_slide(path) as slide:
        assert slide.properties["tiff.vendor"] == "philips"
        pixels = slide.read(wb.Box(0, 0, 256, 256)).pixels
        assert (pixels == slide.background).all()
        assert not slide.notes
