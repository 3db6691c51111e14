"""Of several images of a file the scan is opened; others when asked for."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from click.testing import CliRunner

import made_tiffs
import workbench as wb
from workbench.cli import main
from workbench.errors import OutOfBoundsError

SCAN = made_tiffs.place_picture(2048, 1024)
MACRO = 255 - made_tiffs.place_picture(400, 200)


def two(path, *, first="macro"):
    macro, scan = ("overview", MACRO, {}), ("scan 20x", SCAN, {"PhysicalSizeX": 0.5})
    order = [macro, scan] if first == "macro" else [scan, macro]
    return str(made_tiffs.write_ome(path, order) or path)


@pytest.fixture
def path(tmp_path):
    return two(tmp_path / "two.ome.tif")


@pytest.mark.parametrize("first", ["macro", "scan"])
def test_the_scan_is_opened_wherever_it_lies(first, tmp_path):
    with wb.open_slide(two(tmp_path / "two.ome.tif", first=first)) as slide:
        assert slide.size == (2048, 1024)
        assert slide.mpp == 0.5
        np.testing.assert_array_equal(
            slide.read(wb.Box(700, 300, 900, 500)).pixels, SCAN[300:500, 700:900]
        )
        np.testing.assert_array_equal(slide.associated["macro"], MACRO)


@pytest.mark.slow
def test_a_name_speaks_against_the_largest(tmp_path):
    large = made_tiffs.place_picture(2048, 2048)
    images = [("Slide photo label", large, {}), ("first scan", SCAN, {})]
    made_tiffs.write_ome(tmp_path / "two.ome.tif", images)
    with wb.open_slide(tmp_path / "two.ome.tif") as slide:
        assert slide.size == (2048, 1024)


def test_others_are_opened_by_number_or_name(path):
    with wb.open_slide(path) as slide:
        assert [image.name for image in slide.images] == ["macro", "scan 20x"]
        assert [image.size for image in slide.images] == [(400, 200), (2048, 1024)]
        scan = slide.id
    for wanted in (0, "0", "macro"):
        with wb.open_slide(path, image=wanted) as slide:
            assert slide.size == (400, 200)
            np.testing.assert_array_equal(slide.read(slide.box).pixels, MACRO)
            assert slide.id != scan
            again = pickle.loads(pickle.dumps(slide))  # noqa: S301
            assert (again.id, again.size) == (slide.id, slide.size)
            again.close()
    with wb.open_slide(path, image="scan 20x") as slide:
        assert slide.id == scan


@pytest.mark.parametrize("wanted", [2, -1, "label", "1.0"])
def test_what_is_not_there_is_said_with_what_is(wanted, path):
    with pytest.raises(
        OutOfBoundsError, match=r"two\.ome\.tif.*0 'macro', 1 'scan 20x'"
    ):
        wb.open_slide(path, image=wanted)


def test_other_files_have_one_image(tmp_path):
    import made_slides  # noqa: PLC0415

    with pytest.raises(OutOfBoundsError, match="one image"):
        wb.open_slide(made_slides.png(tmp_path), image=1)


def test_the_command_line_lists_and_takes_them(path):
    told = CliRunner().invoke(main, ["info", path])
    assert "0  macro, 400 x 200 px" in told.output
    assert "1* scan 20x, 2048 x 1024 px" in told.output
    other = CliRunner().invoke(main, ["info", path, "--image", "macro", "--json"])
    facts = json.loads(other.output)
    assert facts["size"] == [400, 200]
    assert [image["shown"] for image in facts["images"]] == [True, False]


def test_two_scans_are_said(tmp_path):
    images = [("core 1", SCAN, {}), ("core 2", 255 - SCAN, {})]
    made_tiffs.write_ome(tmp_path / "cores.ome.tif", images)
    with wb.open_slide(tmp_path / "cores.ome.tif") as slide:
        assert any("2 images" in note and "core 1" in note for note in slide.notes)
        first = slide.id
    with wb.open_slide(tmp_path / "cores.ome.tif", image="core 2") as slide:
        assert slide.id != first
        seen = slide.read(wb.Box(0, 0, 99, 99)).pixels
        np.testing.assert_array_equal(seen, 255 - SCAN[:99, :99])


def test_names_that_repeat_are_told_apart(tmp_path):
    images = [("scan", SCAN, {}), ("scan", SCAN[:512], {})]
    made_tiffs.write_ome(tmp_path / "same.ome.tif", images)
    with wb.open_slide(tmp_path / "same.ome.tif") as slide:
        names = [image.name for image in slide.images]
        assert len(set(names)) == 2
        assert wb.open_slide(slide.path, image=names[1]).size == (2048, 512)


def test_a_plain_file_with_its_overview_first(tmp_path):
    import tifffile  # noqa: PLC0415

    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(MACRO[:, :300], **made_tiffs.tiled())
        file.write(SCAN, **made_tiffs.tiled(subifds=1))
        file.write(made_tiffs.shrunk(SCAN, 2), **made_tiffs.tiled(subfiletype=1))
    with wb.open_slide(path) as slide:
        assert slide.size == (2048, 1024)
        assert [level.size for level in slide.levels] == [(2048, 1024), (1024, 512)]
