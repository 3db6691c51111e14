"""Each maker's TIFF is read by what its users trust, or refused: never shown wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile

import made_slides
import made_tiffs
import workbench as wb
from workbench.errors import UnsupportedSlideError
from workbench.slide.readers.tiff import dispatch
from workbench.slide.readers.tiff.vendors import GENERIC, VENDORS

PLACES = [(0, 0, 256, 256), (701, 399, 511, 300), (1792, 768, 256, 256)]


def off(a, b):
    return np.abs(a.astype(int) - b.astype(int)).mean()


@pytest.mark.parametrize("interval", [0, 32, 64])
def test_ndpi_is_read_as_it_was_scanned(interval, tmp_path):
    full = made_tiffs.place_picture(2048, 1024)
    levels = [(full, interval), (full[::2, ::2].copy(), interval), (full[::4, ::4], 0)]
    path = made_tiffs.write_ndpi(tmp_path / "made.ndpi", levels, mpp=0.25)
    with wb.open_slide(path) as slide:
        assert "OpenSlide" in slide.reader_name
        assert slide.size == (2048, 1024)
        assert slide.mpp == pytest.approx(0.25, rel=1e-3)
        for x, y, width, height in PLACES:
            seen = slide.read(wb.Box.at(x, y, width, height)).pixels
            assert off(seen, full[y : y + height, x : x + width]) < 2
        assert off(slide.thumbnail(256).pixels, made_tiffs.shrunk(full, 8)) < 6


@pytest.mark.parametrize(
    "places", [[(2000, 1200)], [(600, 500), (4000, 2400)], [(4000, 100), (300, 2500)]]
)
def test_scn_shows_each_area_at_its_place(places, tmp_path):
    picture = made_tiffs.place_picture(1024, 768)
    areas = [
        (place, picture if n == 0 else 255 - picture) for n, place in enumerate(places)
    ]
    path = made_tiffs.write_scn(tmp_path / "made.scn", areas)
    with wb.open_slide(path) as slide, openslide.OpenSlide(path) as assess_fit:
        assert slide.size == assess_fit.dimensions
        assert slide.mpp == pytest.approx(0.5)
        left, top = (min(place[axis] for place in places) for axis in (0, 1))
        assert (slide.bounds.x0, slide.bounds.y0) == (left, top)
        for (x, y), pixels in areas:
            seen = slide.read(wb.Box.at(x + 300, y + 200, 200, 200)).pixels
            assert off(seen, pixels[200:400, 300:500]) < 4
            small = slide.read(wb.Box.at(x + 256, y + 256, 256, 256), size=(64, 64))
            assert off(small.pixels, made_tiffs.shrunk(pixels[256:512, 256:512], 4)) < 6
        assert (slide.read(wb.Box(0, 0, 90, 90)).pixels == slide.background).all()


def words(description, **tags):
    return {"description": description, "extratags": tags.get("extratags", ())}


def write_as(path, **options):
    """Write one tiled picture that names its maker."""
    tifffile.imwrite(
        path, made_slides.tissue_like(300, 400), **made_tiffs.tiled(**options)
    )
    return str(path)


NEED_OPENSLIDE = {
    "hamamatsu": {"extratags": [(65420, 4, 1, 1, True)]},
    "leica": {
        "description": '<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01"/>'
    },
    "ventana": {
        "extratags": [
            (700, 1, 40, b'<xmp><iScan Magnification="40"/></xmp>'.ljust(40), True)
        ]
    },
    "trestle": {"software": "MedScan 1.0"},
}


@pytest.mark.parametrize("vendor", NEED_OPENSLIDE)
def test_what_only_openslide_reads_right_is_refused_without_it(
    vendor, tmp_path, monkeypatch
):
    path = write_as(tmp_path / "made.tif", **NEED_OPENSLIDE[vendor])
    monkeypatch.setattr(dispatch, "load_openslide", lambda: None)
    with pytest.raises(UnsupportedSlideError, match="OpenSlide") as caught:
        wb.open_slide(path)
    assert "slide-workbench[openslide]" in caught.value.remedy


@pytest.mark.parametrize("vendor", NEED_OPENSLIDE)
def test_what_openslide_refuses_of_its_own_is_not_shown_by_another(vendor, tmp_path):
    path = write_as(tmp_path / "made.tif", **NEED_OPENSLIDE[vendor])
    try:
        with wb.open_slide(path) as slide:
            assert "OpenSlide" in slide.reader_name
    except UnsupportedSlideError as error:
        assert "OpenSlide" in str(error)  # noqa: PT017 - either is right


def test_compressions_that_are_not_understood_are_refused_or_openslides(tmp_path):
    path = write_as(tmp_path / "made.tif", compression="jpegxl")
    with pytest.raises(UnsupportedSlideError, match="compression"):
        wb.open_slide(path)


def test_a_mirax_without_its_folder_is_no_picture(tmp_path):
    made = Path(made_slides.png(tmp_path))
    from PIL import Image  # noqa: PLC0415

    Image.open(made).save(tmp_path / "made.mrxs", "JPEG")
    with pytest.raises(UnsupportedSlideError, match=r"made\.mrxs"):
        wb.open_slide(tmp_path / "made.mrxs")


def test_the_table_in_the_docs_is_the_one_in_the_code():
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    for vendor in (*VENDORS, GENERIC):
        assert f"| {vendor.title} | {vendor.library} | {vendor.why} |" in text


def properties_of(reader, monkeypatch, **changed):
    """Open again, while OpenSlide says something else of the file."""
    real = openslide.OpenSlide

    class Said(real):
        @property
        def properties(self):
            return {**super().properties, **changed}

    monkeypatch.setattr("workbench.slide.readers.openslide.openslide.OpenSlide", Said)
    return reader()


@pytest.mark.parametrize(
    "changed",
    [
        {"openslide.mpp-x": "wide", "openslide.mpp-y": ""},
        {"openslide.background-color": "papaya"},
        {"openslide.bounds-x": "left", "openslide.bounds-y": "0"},
        {
            "openslide.bounds-x": "-500",
            "openslide.bounds-y": "0",
            "openslide.bounds-width": "99999999",
            "openslide.bounds-height": "-1",
        },
    ],
)
def test_nonsense_in_what_openslide_says_costs_no_slide(changed, tmp_path, monkeypatch):
    picture = made_tiffs.place_picture(1024, 512)
    path = made_tiffs.write_ndpi(tmp_path / "made.ndpi", [(picture, 32)])
    slide = properties_of(lambda: wb.open_slide(path), monkeypatch, **changed)
    with slide:
        assert slide.background == (255, 255, 255)
        assert slide.box.intersection(slide.bounds) == slide.bounds
        assert off(slide.read(wb.Box(0, 0, 99, 99)).pixels, picture[:99, :99]) < 2


def test_levels_of_odd_scale_are_read_at_their_own_pixels(tmp_path):
    """Their downsample is no whole number, so level-0 places are no exact address."""
    noise = np.random.default_rng(0).integers(0, 255, (1301, 1501, 3), np.uint8)
    path = made_tiffs.write_pyramid(tmp_path / "odd.tif", noise, compression="zlib")
    with wb.open_slide(path) as slide, tifffile.TiffFile(path) as file:
        for number, by in ((1, 2), (2, 4)):
            stored = file.pages[number].asarray()
            for x, y in ((0, 0), (101, 57), (281, 203)):
                box = wb.Box.at(x * by, y * by, 64 * by, 64 * by)
                seen = slide.read(box, size=(64, 64)).pixels
                np.testing.assert_array_equal(seen, stored[y : y + 64, x : x + 64])
