"""What opens, what does not, and what is said of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
import tiffslide
from PIL import Image, ImageCms

import made_slides
import workbench as wb
from range_server import serving
from workbench.errors import (
    BrokenSlideError,
    ColourProfileError,
    MissingMppError,
    OutOfBoundsError,
    SlideNotFoundError,
    SlideReadError,
    UnsupportedSlideError,
)


@pytest.fixture(scope="module")
def ycbcr(tmp_path_factory):
    return made_slides.jpeg_ycbcr(tmp_path_factory.mktemp("opening"))


@pytest.mark.parametrize(
    "make",
    [
        made_slides.jpeg_ycbcr,
        made_slides.jpeg_rgb,
        made_slides.deflate,
        made_slides.webp,
        made_slides.ome_tiff,
        made_slides.strips,
    ],
    ids=lambda f: f.__name__,
)
@pytest.mark.slow
def test_pixels_are_those_of_tiffslide(make, tmp_path):
    path = make(tmp_path)
    with wb.open_slide(path) as ours, tiffslide.TiffSlide(path) as theirs:
        for number, level in enumerate(ours.levels):
            scale = round(level.downsample)
            size = (min(300, level.size[0]), min(200, level.size[1]))
            box = wb.Box.at(0, 0, size[0] * scale, size[1] * scale)
            expected = theirs.read_region((0, 0), number, size, as_array=True)
            np.testing.assert_array_equal(ours.read(box, size=size).pixels, expected)


def test_pixels_are_those_of_openslide(ycbcr):
    with wb.open_slide(ycbcr) as ours, openslide.OpenSlide(ycbcr) as theirs:
        expected = theirs.read_region((130, 70), 0, (400, 300)).convert("RGB")
        seen = ours.read(wb.Box.at(130, 70, 400, 300)).pixels
        np.testing.assert_array_equal(seen, np.asarray(expected))


_FACTS_FILE = Path(__file__).parents[3] / "shared" / "data" / "FACTS.json"
FACTS = json.loads(_FACTS_FILE.read_text()) if _FACTS_FILE.is_file() else {}
REGIONS = [
    (name.removeprefix("files/share/"), region)
    for name, fact in FACTS.items()
    for region in fact.get("openslide", {}).get("regions", [])
]


@pytest.mark.parametrize(("name", "region"), REGIONS)
def test_real_pixels_are_those_that_openslide_gave(name, region, shared_data):
    with wb.open_slide(shared_data / name) as slide:
        scale = slide.levels[region["level"]].downsample
        (x, y), (width, height) = region["loc0"], region["size"]
        box = wb.Box.at(x, y, round(width * round(scale)), round(height * round(scale)))
        pixels = slide.read(box, size=(width, height)).pixels
    assert np.abs(pixels.mean((0, 1)) - region["mean"]).max() < 0.6
    if x % round(scale) == y % round(scale) == 0:
        assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == region["sha"]


def test_a_url_is_read_like_a_file(ycbcr, tmp_path):
    shutil.copy(ycbcr, tmp_path / "remote.tif")
    box = wb.Box.at(100, 90, 300, 280)
    with (
        serving(tmp_path) as url,
        wb.open_slide(f"{url}/remote.tif") as remote,
        wb.open_slide(ycbcr) as local,
    ):
        assert remote.id == local.id
        np.testing.assert_array_equal(remote.read(box).pixels, local.read(box).pixels)
    local_url = f"file://{ycbcr}"
    with wb.open_slide(local_url) as again, wb.open_slide(ycbcr) as local:
        np.testing.assert_array_equal(again.read(box).pixels, local.read(box).pixels)


def test_the_id_is_of_the_content_not_the_name(ycbcr, tmp_path):
    shutil.copy(ycbcr, tmp_path / "other-name.svs")
    with wb.open_slide(ycbcr) as one, wb.open_slide(tmp_path / "other-name.svs") as two:
        assert one.id == two.id
    with wb.open_slide(made_slides.deflate(tmp_path)) as three:
        assert three.id != one.id


def test_nothing_there(tmp_path):
    with pytest.raises(SlideNotFoundError, match=r"absent\.svs"):
        wb.open_slide(tmp_path / "absent.svs")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.svs", b"this is no slide" * 50),
        ("empty.tif", b""),
        ("notes.dcm", b"\0" * 200),
        ("random.mrxs", bytes(range(256)) * 4),
    ],
)
def test_what_is_no_slide_is_unsupported(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnsupportedSlideError, match=name) as caught:
        wb.open_slide(tmp_path / name)
    assert caught.value.remedy


@pytest.mark.parametrize("keep", [20, 200, 3000])
def test_a_slide_cut_off_is_broken(ycbcr, tmp_path, keep):
    (tmp_path / "cut.tif").write_bytes(Path(ycbcr).read_bytes()[:keep])
    with pytest.raises((BrokenSlideError, UnsupportedSlideError), match=r"cut\.tif"):
        wb.open_slide(tmp_path / "cut.tif")


def test_a_tiff_that_is_no_picture_is_unsupported(tmp_path):
    volume = np.zeros((2, 3, 4, 64, 64), np.uint8)
    tifffile.imwrite(tmp_path / "volume.tif", volume, metadata={"axes": "TZCYX"})
    with pytest.raises((BrokenSlideError, UnsupportedSlideError), match=r"volume\.tif"):
        wb.open_slide(tmp_path / "volume.tif")


def test_a_cut_image_is_broken(tmp_path):
    whole = Path(made_slides.png(tmp_path)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenSlideError, match=r"cut\.png"):
        wb.open_slide(tmp_path / "cut.png")


def test_a_damaged_tile_names_its_place(ycbcr, tmp_path):
    data = bytearray(Path(ycbcr).read_bytes())
    with tiffslide.TiffSlide(ycbcr) as slide:
        page = slide.ts_tifffile.pages[0]
        start, count = page.dataoffsets[0], page.databytecounts[0]
    data[start : start + count] = bytes(count)
    (tmp_path / "damaged.tif").write_bytes(data)
    with wb.open_slide(tmp_path / "damaged.tif") as slide:
        with pytest.raises(SlideReadError, match=r"damaged\.tif"):
            slide.read(wb.Box.at(0, 0, 50, 50))
        assert slide.read(wb.Box.at(300, 300, 50, 50)).pixels.any()


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("wsi/broken.svs", UnsupportedSlideError, "no known slide"),
        ("wsi/seg_image_sm_dots.dcm", UnsupportedSlideError, "Segmentation"),
        ("mosaic_cc0_nuclei/dsb_mosaic_labels.tif", UnsupportedSlideError, "uint32"),
    ],
)
def test_real_files_that_are_no_slides(name, kind, says, shared_data):
    with pytest.raises(kind, match=says) as caught:
        wb.open_slide(shared_data / name)
    assert name.rsplit("/", maxsplit=1)[-1] in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "name",
    [
        "CMU-1-Small-Region.jpeg.tiff",
        "yb10kx5k.zstd.tiff",
        "camelyon_overview_29mpp.dcm",
    ],
)
def test_an_absurd_mpp_is_asked_for_not_believed(name, shared_data):
    with wb.open_slide(shared_data / "wsi" / name) as slide:
        assert slide.declared_mpp is not None
        assert slide.mpp is None
        assert slide.read(wb.Box.at(0, 0, 50, 50)).mpp is None
        with pytest.raises(MissingMppError, match=r"--mpp"):
            slide.require_mpp()
        assert slide.with_mpp(0.5).require_mpp() == 0.5
    with wb.open_slide(shared_data / "wsi" / name, mpp=0.499) as slide:
        assert slide.mpp == 0.499


@pytest.mark.parametrize("mpp", [0, -1, 500, float("nan")])
def test_nobody_may_give_an_absurd_mpp(ycbcr, mpp):
    with pytest.raises(OutOfBoundsError, match="mpp"):
        wb.open_slide(ycbcr, mpp=mpp)


def test_associated_images(shared_data):
    with wb.open_slide(shared_data / "wsi/CMU-1-Small-Region.svs") as slide:
        assert set(slide.associated) == {"label", "macro", "thumbnail"}
        assert slide.associated["label"].shape == (463, 387, 3)
        assert slide.associated["macro"].dtype == np.uint8
        with pytest.raises(KeyError):
            _ = slide.associated["nothing"]


def test_a_colour_profile_is_applied_on_request(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(made_slides.tissue_like(100, 100))
    image.save(tmp_path / "srgb.png", icc_profile=srgb)
    image.save(tmp_path / "lab.png", icc_profile=profile)
    box = wb.Box.at(0, 0, 100, 100)
    with wb.open_slide(tmp_path / "srgb.png", icc=True) as slide:
        assert slide.icc_profile == srgb
        assert np.abs(slide.read(box).pixels.astype(int) - np.asarray(image)).max() <= 1
    with pytest.raises(ColourProfileError, match="for Lab colours"):
        wb.open_slide(tmp_path / "lab.png", icc=True)


def test_a_real_profile_changes_colours_only_when_asked(shared_data):
    path = shared_data / "wsi/sm_image.dcm"
    with wb.open_slide(path) as plain, wb.open_slide(path, icc=True) as managed:
        assert plain.icc_profile
        box = plain.box
        before, after = plain.read(box).pixels, managed.read(box).pixels
        assert before.shape == after.shape
        assert np.abs(before.astype(int) - after).mean() < 40


def test_a_transparent_image_is_shown_over_white(tmp_path):
    Image.new("RGBA", (60, 60), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    with wb.open_slide(tmp_path / "clear.png") as slide:
        assert (slide.read(slide.box).pixels == 255).all()
