"""TIFFs with channels: stored values at each level, names, colours, and refusals."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

import workbench as wb
from contracts import ReaderContract
from made_channels import NAMES, made_values, write_ome
from workbench.errors import (
    BrokenSlideError,
    OutOfBoundsError,
    SlideError,
    UnsupportedSlideError,
)

BLUE, GREEN, RED, WHITE = 65535, 16711935, -16776961, -1
"""Colours as OME-XML has them: red, green, blue, alpha in a signed number."""


def stored(path, level=0):
    """Return what tifffile reads of a level."""
    with tifffile.TiffFile(path) as file:
        return file.series[0].levels[level].asarray()


class TestContract(ReaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def path(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("channels")
        return write_ome(folder / "a.ome.tif", made_values(4))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    "how", [{}, {"compression": "zlib", "predictor": True}, {"tile": None}]
)
def test_values_are_those_that_tifffile_reads_at_each_level(kind, how, tmp_path):
    path = write_ome(tmp_path / "a.ome.tif", made_values(4, kind=kind), **how)
    with wb.open_slide(path) as slide:
        assert [each.name for each in slide.channels] == NAMES
        assert (slide.dtype, slide.mpp) == (np.dtype(kind), 0.5)
        assert [level.size for level in slide.levels] == [(700, 600), (350, 300)]
        for number, level in enumerate(slide.levels):
            region = slide.read_channels(slide.box, size=level.size)
            assert region.values.dtype == kind
            np.testing.assert_array_equal(region.values, stored(path, number))
            assert region.mpp == 0.5 * level.downsample


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_samples_are_channels(planar, byteorder, tmp_path):
    values = made_values(5)
    axes = "CYX" if planar == "separate" else "YXC"
    written = values if planar == "separate" else np.moveaxis(values, 0, 2)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        written,
        byteorder=byteorder,
        photometric="minisblack",
        planarconfig=planar,
        tile=(128, 128),
        metadata={"axes": axes},
    )
    with wb.open_slide(path) as slide:
        names = [each.name for each in slide.channels]
        assert names == [f"Channel {n}" for n in range(1, 6)]
        region = slide.read_channels((100, 90, 420, 333))
        np.testing.assert_array_equal(region.values, values[:, 90:333, 100:420])


def test_a_box_some_channels_and_what_lies_outside(tmp_path):
    values = made_values(4)
    path = write_ome(tmp_path / "a.ome.tif", values)
    with wb.open_slide(path) as slide:
        region = slide.read_channels(
            (-5, 590, 20, 610), channels=["ck", "1"], threads=2
        )
        assert [each.name for each in region.channels] == ["CK", "DAPI"]
        expected = np.zeros((2, 20, 25), np.uint16)
        expected[:, :10, 5:] = values[[2, 0], 590:, :20]
        np.testing.assert_array_equal(region.values, expected)
        np.testing.assert_array_equal(region["DAPI"], expected[1])
        assert not region.values.flags.writeable
        with pytest.raises(OutOfBoundsError, match="CD8") as caught:
            slide.read_channels(slide.box, channels=["CD8"])
        assert "CD20" in caught.value.remedy


def test_between_levels_values_are_averages(tmp_path):
    values = made_values(2, 512, 512, np.float32)
    path = write_ome(tmp_path / "a.ome.tif", values, names=["A", "B"], levels=1)
    with wb.open_slide(path) as slide:
        region = slide.read_channels(slide.box, size=(128, 128))
        blocks = values.reshape(2, 128, 4, 128, 4).mean((2, 4))
        np.testing.assert_allclose(region.values, blocks, rtol=1e-5)
        odd = slide.read_channels((0, 0, 333, 333), mpp=1.0).values
        assert odd.shape == (2, 166, 166)
        assert np.isfinite(odd).all()


def test_memory_is_that_of_the_result_where_there_are_no_levels(tmp_path, monkeypatch):
    values = made_values(3, 1000, 1100)
    path = write_ome(tmp_path / "a.ome.tif", values, names=["A", "B", "C"], levels=1)
    monkeypatch.setattr("workbench.slide.blockwise.BLOCK_BYTES", 1 << 16)
    with wb.open_slide(path) as slide:
        small = slide.read_channels(slide.box, size=(11, 10)).values
        blocks = values.reshape(3, 10, 100, 11, 100).mean((2, 4))
        np.testing.assert_allclose(small, blocks, atol=0.51)
        one = slide.read_channels(slide.box, size=(1, 1)).values
        np.testing.assert_allclose(one[:, 0, 0], values.mean((1, 2)), atol=0.51)


def test_focal_planes_are_read_by_channel_and_plane(tmp_path):
    values = made_values(3, 300, 300, depth=4)
    zcyx = np.moveaxis(values, 1, 0)
    path = write_ome(
        tmp_path / "a.ome.tif", zcyx, names=["A", "B", "C"], axes="ZCYX", levels=1
    )
    with wb.open_slide(path) as slide:
        assert slide.depth == 4
        assert any("4 focal planes" in note for note in slide.notes)
        for z in range(4):
            plane = slide.read_channels(slide.box, z=z).values
            np.testing.assert_array_equal(plane, values[:, z])
        third = slide.with_channels(z=2)
        np.testing.assert_array_equal(
            third.read_channels(slide.box).values, values[:, 2]
        )
        assert third.pixels_id != slide.pixels_id
        with pytest.raises(OutOfBoundsError, match="focal plane 4"):
            slide.read_channels(slide.box, z=4)


def test_names_and_colours_are_those_of_the_xml(tmp_path):
    values = made_values(4, 300, 300)
    path = write_ome(
        tmp_path / "a.ome.tif",
        values,
        names=["DAPI", "", "DAPI", " FITC "],
        colours=[BLUE, GREEN, RED, WHITE],
        levels=1,
    )
    with wb.open_slide(path) as slide:
        assert [each.name for each in slide.channels] == [
            *("DAPI", "Channel 2", "DAPI (2)", "FITC")
        ]
        colours = [each.colour for each in slide.channels]
        assert colours == ["#0000ff", "#00ff00", "#ff0000", "#ffffff"]
        low, high = np.percentile(values[0], (1, 99.8))
        assert slide.channels[0].minimum == pytest.approx(low)
        assert slide.channels[0].maximum == pytest.approx(high)


def test_without_colours_each_channel_has_its_own(tmp_path):
    path = write_ome(tmp_path / "a.ome.tif", made_values(4), names=None, levels=1)
    with wb.open_slide(path) as slide:
        assert len({each.colour for each in slide.channels}) == 4
        assert slide.channels[3].name == "Channel 4"


def test_one_channel_of_16_bits_is_grey(tmp_path):
    values = made_values(1)[0]
    path = write_ome(tmp_path / "a.ome.tif", values, axes="YX", names=None, levels=1)
    with wb.open_slide(path) as slide:
        assert [each.colour for each in slide.channels] == ["#ffffff"]
        np.testing.assert_array_equal(slide.read_channels(slide.box).values[0], values)


def test_forty_channels_show_some(tmp_path):
    values = made_values(40, 200, 200)
    names = [f"Marker {n}" for n in range(40)]
    path = write_ome(tmp_path / "a.ome.tif", values, names=names, levels=1)
    with wb.open_slide(path) as slide:
        assert len(slide.channels) == 40
        assert sum(each.shown for each in slide.channels) == 5
        np.testing.assert_array_equal(slide.read_channels(slide.box).values, values)
        assert slide.thumbnail(64).pixels.any()


def test_nan_is_kept_and_shown_black(tmp_path):
    values = made_values(2, 300, 300, np.float32)
    values[:, 10:20, 10:20] = np.nan
    values[0, 0, 0] = np.inf
    path = write_ome(tmp_path / "a.ome.tif", values, names=["A", "B"], levels=1)
    with wb.open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read_channels(slide.box).values, values)
        assert all(np.isfinite(each.maximum) for each in slide.channels)
        assert not slide.read((10, 10, 20, 20)).pixels.any()
        half = slide.read_channels(slide.box, size=(150, 150)).values
        assert np.isnan(half[:, 5:10, 5:10]).all()
        assert np.isfinite(half[:, 11:, 11:]).all()


def test_imagej_stacks_and_named_axes(tmp_path):
    values = made_values(3, 200, 210, depth=2)
    path = tmp_path / "ij.tif"
    tifffile.imwrite(path, np.moveaxis(values, 1, 0), imagej=True)
    with wb.open_slide(path) as slide:
        assert (len(slide.channels), slide.depth) == (3, 2)
        plane = slide.read_channels(slide.box, z=1).values
        np.testing.assert_array_equal(plane, values[:, 1])
    path = tmp_path / "named.tif"
    tifffile.imwrite(path, values, metadata={"axes": "CZYX"}, photometric="minisblack")
    with wb.open_slide(path) as slide:
        plane = slide.read_channels(slide.box, z=1).values
        np.testing.assert_array_equal(plane, values[:, 1])


@pytest.mark.parametrize(
    ("values", "how", "reason"),
    [
        (made_values(4, 90, 90), {"metadata": None}, "4 grey images"),
        (made_values(4, 90, 90), {}, "4 grey images"),
        (made_values(4, 90, 90), {"metadata": {"axes": "QYX"}}, "4 grey images"),
        (made_values(3, 90, 90, np.uint8), {"ome": True}, "not marked as red"),
        (
            made_values(4, 90, 90).astype(np.int32),
            {"ome": True, "metadata": {"axes": "CYX"}},
            "int32, not uint8",
        ),
    ],
)
def test_what_is_not_certain_is_refused(values, how, reason, tmp_path):
    path = tmp_path / ("a.ome.tif" if how.get("ome") else "a.tif")
    tifffile.imwrite(path, values, photometric="minisblack", **how)
    with pytest.raises(UnsupportedSlideError, match=reason) as caught:
        wb.open_slide(path)
    assert caught.value.remedy


def rewritten(path, *pairs):
    """Replace texts of the OME-XML of a file."""
    with tifffile.TiffFile(path) as file:
        text = file.ome_metadata
    for before, after in pairs:
        assert re.search(before, text)
        text = re.sub(before, after, text)
    tifffile.tiffcomment(path, text.encode())


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ([('SizeX="700"', 'SizeX="800"')], BrokenSlideError, "800 x 600 pixels"),
        ([('SizeZ="1"', 'SizeZ="3"')], UnsupportedSlideError, "in 3 focal planes"),
        (
            [('<Channel ID="Channel:0:3"', '<Channel ID="x"/>' * 300 + r"\g<0>")],
            UnsupportedSlideError,
            "304 channels",
        ),
    ],
)
def test_xml_that_contradicts_the_file_is_refused(change, error, reason, tmp_path):
    path = write_ome(tmp_path / "a.ome.tif", made_values(4), levels=1)
    rewritten(path, *change)
    with pytest.raises(error, match=reason):
        wb.open_slide(path)


def test_a_file_that_ends_early_is_broken(tmp_path):
    path = write_ome(tmp_path / "a.ome.tif", made_values(4), levels=1, tile=None)
    with Path(path).open("r+b") as file:
        file.truncate(1_000_000)
    with pytest.raises(SlideError):
        wb.open_slide(path)
