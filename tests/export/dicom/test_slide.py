"""Slides as DICOM, read back by other programs."""

from __future__ import annotations

import json

import numpy as np
import openslide
import pydicom
import pytest
import wsidicom
from click.testing import CliRunner
from pydicom.encaps import get_frame

from dicom_validation import errors_of
from made_slides import halves, jpeg_rgb, jpeg_ycbcr, tissue_like, webp, write_tiff
from workbench.cli import main
from workbench.errors import MissingMppError, MissingPackageError, OutOfBoundsError
from workbench.export import write_dicom_slide
from workbench.export.dicom import frame_file
from workbench.slide.slide import open_slide


class Inverter:
    """A function of pixels, as a normalizer is."""

    method, fingerprint = "inverted", "1"

    def __call__(self, pixels):
        return 255 - pixels


@pytest.fixture
def slide(tmp_path):
    with open_slide(jpeg_ycbcr(tmp_path)) as opened:
        yield opened


def frames_of(path):
    header = pydicom.dcmread(path)
    count = int(header.NumberOfFrames)
    table = header.get("ExtendedOffsetTable")
    lengths = header.get("ExtendedOffsetTableLengths")
    offsets = None if table is None else (table, lengths)
    data = header.PixelData
    return [
        get_frame(data, i, number_of_frames=count, extended_offsets=offsets)
        for i in range(count)
    ]


@pytest.mark.parametrize("make", [jpeg_ycbcr, jpeg_rgb])
def test_stored_tiles_are_copied_unchanged_and_others_read_the_same_pixels(
    make, tmp_path
):
    with open_slide(make(tmp_path)) as slide:
        folder = write_dicom_slide(slide, tmp_path / "slide.dicom")
        for number in range(2):
            columns, _ = (-(-side // 256) for side in slide.levels[number].size)
            for i, frame in enumerate(frames_of(folder / f"level-{number}.dcm")):
                tile = slide.encoded_tile(number, i % columns, i // columns).data
                assert frame.rstrip(b"\0") == tile.rstrip(b"\0")
        whole = slide.read(slide.box).pixels
    with openslide.OpenSlide(folder / "level-0.dcm") as theirs:
        assert theirs.level_dimensions == ((900, 700), (450, 350), (225, 175))
        assert float(theirs.properties["openslide.mpp-x"]) == pytest.approx(0.5)
        region = theirs.read_region((0, 0), 0, (900, 700)).convert("RGB")
        assert np.array_equal(np.asarray(region), whole)
    with wsidicom.WsiDicom.open(folder) as theirs:
        levels = [(level.level, level.size.to_tuple()) for level in theirs.levels]
        assert levels == [(0, (900, 700)), (1, (450, 350)), (2, (225, 175))]
        region = np.asarray(theirs.read_region((0, 0), 0, (900, 700)).convert("RGB"))
        assert np.abs(region.astype(int) - whole).max() <= 1
    for file in folder.iterdir():
        assert errors_of(file) == []


def test_places_sizes_and_colours_are_those_of_the_slide(slide, tmp_path):
    folder = write_dicom_slide(slide, tmp_path / "slide.dicom")
    coarse = pydicom.dcmread(folder / "level-2.dcm")
    measures = coarse.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert list(measures.PixelSpacing) == pytest.approx([0.002, 0.002])
    assert coarse.ImagedVolumeWidth == pytest.approx(900 * 0.0005)
    assert coarse.PatientName == coarse.PatientID == ""
    assert slide.name.split(".")[0] not in str(coarse)
    first = pydicom.dcmread(folder / "level-0.dcm")
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert coarse[name] == first[name]
    assert coarse.SOPInstanceUID != first.SOPInstanceUID
    assert bytes(first.OpticalPathSequence[0].ICCProfile)[12:16] == b"scnr"


def test_the_same_slide_gives_the_same_bytes(slide, tmp_path):
    folders = [write_dicom_slide(slide, tmp_path / f"{i}.dicom") for i in range(2)]
    for name in ("level-0.dcm", "level-2.dcm"):
        first, second = ((folder / name).read_bytes() for folder in folders)
        assert first == second


def test_other_tiles_are_encoded_and_a_pyramid_is_made(tmp_path):
    pixels = tissue_like(400, 2300)
    path = write_tiff(tmp_path / "a.tif", pixels, levels=1, compression="zstd")
    with open_slide(path) as slide:
        folder = write_dicom_slide(slide, tmp_path / "a.dicom")
    with open_slide(folder) as read:
        assert [level.size for level in read.levels] == [
            (2300, 400),
            (1150, 200),
            (575, 100),
        ]
        assert read.mpp == pytest.approx(0.5)
        for number, truth in enumerate(halves(pixels, 3)):
            size = read.levels[number].size
            found = read.read(read.box, size=size).pixels.astype(int)
            shifted = np.roll(truth, 1, axis=1)
            assert np.abs(found - truth).mean() < 0.7 * np.abs(found - shifted).mean()


def test_a_normalized_slide_is_a_series_of_its_own_on_the_same_glass(slide, tmp_path):
    plain = write_dicom_slide(slide, tmp_path / "plain.dicom")
    seen = []
    folder = write_dicom_slide(
        slide, tmp_path / "n.dicom", normalizer=Inverter(), progress=seen.append
    )
    with open_slide(folder) as read:
        expected = 255 - slide.read(slide.box).pixels.astype(int)
        assert np.abs(read.read(read.box).pixels - expected).mean() < 3
    first, second = (pydicom.dcmread(f / "level-0.dcm") for f in (plain, folder))
    assert first.SeriesInstanceUID != second.SeriesInstanceUID
    assert first.FrameOfReferenceUID == second.FrameOfReferenceUID
    assert second.ImageType[0] == "DERIVED"
    assert "inverted" in second.DerivationDescription
    assert seen[-1].fraction == 1
    assert errors_of(folder / "level-0.dcm") == []


def test_offsets_of_64_bits_are_read_back(slide, tmp_path, monkeypatch):
    short = write_dicom_slide(slide, tmp_path / "short.dicom")
    monkeypatch.setattr(frame_file, "LONG_OFFSETS_FROM", 1)
    long = write_dicom_slide(slide, tmp_path / "long.dicom")
    assert "ExtendedOffsetTable" in pydicom.dcmread(long / "level-0.dcm")
    assert frames_of(long / "level-0.dcm") == frames_of(short / "level-0.dcm")
    with wsidicom.WsiDicom.open(long) as theirs:
        theirs.read_region((0, 0), 0, (900, 700))


@pytest.mark.slow
def test_webp_tiles_become_jpeg(tmp_path):
    with open_slide(webp(tmp_path)) as slide:
        folder = write_dicom_slide(slide, tmp_path / "webp.dicom", quality=95)
        with open_slide(folder) as read:
            whole = slide.read(slide.box).pixels.astype(int)
            assert np.abs(read.read(read.box).pixels - whole).mean() < 3


def test_a_slide_without_a_pixel_size_and_a_wrong_quality_are_refused(tmp_path):
    path = write_tiff(tmp_path / "a.tif", tissue_like(), mpp=300)
    with open_slide(path) as slide:
        with pytest.raises(MissingMppError):
            write_dicom_slide(slide, tmp_path / "a.dicom")
        with pytest.raises(OutOfBoundsError, match="0 is no quality"):
            write_dicom_slide(slide, tmp_path / "a.dicom", quality=0)
    assert not list(tmp_path.glob("*.dicom"))


def test_without_the_libraries_the_extra_is_named(slide, tmp_path, monkeypatch):
    module = "workbench.dicom.slide_header"
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingPackageError, match=r"slide-workbench\[dicom\]"):
        write_dicom_slide(slide, tmp_path / "a.dicom")


def test_the_command_line_converts_a_slide(tmp_path):
    path = jpeg_ycbcr(tmp_path)
    folder = tmp_path / "new" / "slide.dicom"
    said = CliRunner().invoke(main, ["convert", path, str(folder)])
    assert said.exit_code == 0, said.output
    assert said.output.strip() == str(folder)
    info = CliRunner().invoke(main, ["info", str(folder), "--json"])
    assert json.loads(info.output)["mpp"] == pytest.approx(0.5)


def test_a_real_slide_keeps_its_bytes_and_its_time(shared_data, tmp_path):
    with open_slide(shared_data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        folder = write_dicom_slide(slide, tmp_path / "cmu.dicom")
        tile = slide.encoded_tile(0, 3, 5).data
        assert tile in (folder / "level-0.dcm").read_bytes()
        header = pydicom.dcmread(folder / "level-0.dcm", stop_before_pixels=True)
        assert header.AcquisitionDateTime == "20091229095915"
        with open_slide(folder) as read:
            assert np.array_equal(
                read.read(read.box).pixels, slide.read(slide.box).pixels
            )
    assert errors_of(folder / "level-0.dcm") == []
