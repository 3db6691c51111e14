"""Micrometres per pixel: where a file says them, in which unit, along which axis."""

from __future__ import annotations

import pytest
import tifffile

import made_slides
import made_tiffs
import workbench as wb
from workbench.slide.detect import open_reader
from workbench.slide.readers.base import mpp_pair
from workbench.slide.readers.openslide import OpenSlideReader


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


OME_UNITS = [
    (0.25, "µm", 0.25),
    (0.25, None, 0.25),
    (250.0, "nm", 0.25),
    (0.00025, "mm", 0.25),
    (0.000025, "cm", 0.25),
    (2.5e-7, "m", 0.25),
    (2500.0, "Å", 0.25),
    (1.0, "pixel", None),
    (1.0, "reference frame", None),
]


@pytest.mark.parametrize(("value", "unit", "mpp"), OME_UNITS)
def test_ome_sizes_are_read_in_their_unit(value, unit, mpp, tmp_path):
    units = {f"PhysicalSize{axis}Unit": unit for axis in "XY"} if unit else {}
    sizes = {"PhysicalSizeX": value, "PhysicalSizeY": value, **units}
    picture = made_slides.tissue_like(300, 400)
    made_tiffs.write_ome(tmp_path / "a.ome.tif", [("scan", picture, sizes)])
    with wb.open_slide(tmp_path / "a.ome.tif") as slide:
        assert slide.mpp == (mpp if mpp is None else pytest.approx(mpp))
        if mpp is None:
            assert any("not a length" in note for note in slide.notes)


def test_ome_axes_may_have_units_of_their_own(tmp_path):
    sizes = {
        "PhysicalSizeX": 500.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.25,
        "PhysicalSizeYUnit": "µm",
    }
    picture = made_slides.tissue_like(300, 400)
    made_tiffs.write_ome(tmp_path / "a.ome.tif", [("scan", picture, sizes)])
    reader = open_reader(str(tmp_path / "a.ome.tif"))
    assert reader.declared_mpp_xy == pytest.approx((0.5, 0.25))
    reader.close()


@pytest.mark.parametrize(
    ("resolution", "said"),
    [((40000, 40000), False), ((10000, 10000), True), ((28, 28), False)],
)
def test_the_xml_is_believed_before_the_tags(resolution, said, tmp_path):
    sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    picture = made_slides.tissue_like(300, 400)
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(
            picture,
            photometric="rgb",
            metadata={"axes": "YXS", **sizes},
            resolution=resolution,
            resolutionunit="CENTIMETER",
        )
    with wb.open_slide(path) as slide:
        assert slide.mpp == 0.25
        assert any("is used" in note for note in slide.notes) == said


def test_what_the_maker_says_cannot_be_and_the_tags_can(tmp_path):
    """The scanner wrote 0; whoever exported it wrote resolution tags."""
    path = made_tiffs.write_svs(
        tmp_path / "a.svs",
        made_slides.tissue_like(512, 512),
        words="AppMag = 20|MPP = 0",
        resolution=(20000, 20000),
        resolutionunit="CENTIMETER",
    )
    with wb.open_slide(path) as slide:
        assert slide.mpp == 0.5
        assert any("not plausible" in note for note in slide.notes)


@pytest.mark.parametrize(
    ("words", "said"),
    [("AppMag = 40|MPP = 2.5", True), ("AppMag = 20|MPP = 0.25", False)],
)
def test_an_objective_speaks_against_nonsense(words, said, tmp_path):
    path = made_tiffs.write_svs(
        tmp_path / "a.svs", made_slides.tissue_like(512, 512), words=words
    )
    with wb.open_slide(path) as slide:
        assert slide.mpp is not None
        assert any("magnification" in note for note in slide.notes) == said


@pytest.mark.parametrize(
    ("unit", "per_pixel", "mpp"),
    [
        ("micron", 0.5, 0.5),
        ("\\u00B5m", 0.5, 0.5),
        ("mm", 0.0005, 0.5),
        ("nm", 500, 0.5),
        ("pixel", 1, None),
        ("inch", 1 / 50800, 0.5),
    ],
)
def test_imagej_has_a_unit_of_its_own(unit, per_pixel, mpp, tmp_path):
    """Its resolution tags count pixels to that unit, whatever the tag of units says."""
    made_slides.write_flat(
        tmp_path / "a.tif",
        made_slides.tissue_like(300, 400),
        description=f"ImageJ=1.53t\nunit={unit}\n",
        resolution=(1 / per_pixel, 1 / per_pixel),
        resolutionunit="NONE",
    )
    with wb.open_slide(tmp_path / "a.tif") as slide:
        assert slide.mpp == (mpp if mpp is None else pytest.approx(mpp, rel=1e-3))


@pytest.mark.parametrize(
    ("resolution", "unit", "mpp"),
    [
        ((50800, 50800), "INCH", 0.5),
        ((20000, 20000), "CENTIMETER", 0.5),
        ((20000, 20000), "NONE", None),
        ((72, 72), "INCH", None),
        ((96, 96), "INCH", None),
        ((1, 1), "NONE", None),
        ((0, 0), "CENTIMETER", None),
    ],
)
def test_resolution_tags_count_only_with_a_unit(resolution, unit, mpp, tmp_path):
    made_slides.write_flat(
        tmp_path / "a.tif",
        made_slides.tissue_like(300, 400),
        resolution=resolution,
        resolutionunit=unit,
    )
    with wb.open_slide(tmp_path / "a.tif") as slide:
        assert slide.mpp == (mpp if mpp is None else pytest.approx(mpp))
        assert bool(slide.mpp_problem) == (mpp is None)
