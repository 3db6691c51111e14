"""Converted slides and pictures are made again, and compared pixel by pixel."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest
import shapely
from click.testing import CliRunner

import workbench as wb
from made_slides import tissue_like, write_tiff
from stained_slide import write_stained
from workbench.cli import main
from workbench.errors import ProvenanceError, SlideNotFoundError
from workbench.export import convert_slide, write_dicom_slide
from workbench.stain.single_stain import SingleStain

BOX = (100, 60, 500, 360)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slides") / "slide.tif"
    with wb.open_slide(write_stained(path, width=640, height=512)) as opened:
        yield opened


@pytest.fixture(scope="module")
def normalizer(slide):
    return wb.fit_normalizer(slide, "he-violet")


AREA = wb.Area.of(shapely.Point(300, 200).buffer(120))
CASES = {
    "plain": ("s.ome.tiff", {"box": BOX}),
    "coarser": ("s.svs", {"mpp": 0.9, "quality": 80}),
    "of an area": ("s.ome.zarr", {"area": AREA}),
    "one stain": ("s.ome.tiff", {"pixel_map": SingleStain.of("hematoxylin")}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_converted_slide_is_identical_here(slide, tmp_path, case):
    name, options = CASES[case]
    path = convert_slide(slide, tmp_path / name, **options)
    again = wb.replay(path, slide=slide.path)
    assert again.identical, str(again)
    assert again.causes == ()
    with wb.open_slide(path) as read:
        assert again.comparisons[0].before == read.size[0] * read.size[1]


def test_normalized_slides_need_no_reference(slide, normalizer, tmp_path):
    path = convert_slide(slide, tmp_path / "n.svs", pixel_map=normalizer, box=BOX)
    shutil.copy(slide.path, tmp_path)
    assert wb.replay(path).identical
    folder = write_dicom_slide(slide, tmp_path / "n.dicom", normalizer=normalizer)
    with pytest.raises(SlideNotFoundError):
        wb.replay(folder)  # it does not have the name of the file
    assert wb.replay(folder, slide=slide).identical


def test_another_slide_is_the_cause(slide, tmp_path):
    pixels = slide.read(slide.box).pixels.copy()
    path = tmp_path / "slide.tif"
    write_tiff(path, pixels, levels=1, compression="adobe_deflate")
    with wb.open_slide(path) as first:
        out = convert_slide(first, tmp_path / "s.ome.zarr")
    pixels[100:103, 50:52] ^= 3
    write_tiff(path, pixels, levels=1, compression="adobe_deflate")
    again = wb.replay(out)
    (part,) = again.comparisons
    assert (part.changed, part.largest, part.where) == (6, 3.0, (50, 100))
    assert "The slide has another content" in again.causes[0]
    write_tiff(path, tissue_like(64, 64), levels=1)
    again = wb.replay(write_dicom_again(path, tmp_path), slide=slide)
    assert again.comparisons[0].missing == 64 * 64
    assert "The size in pixels" in again.causes[1]


def write_dicom_again(path, folder):
    with wb.open_slide(path) as small:
        return write_dicom_slide(small, folder / "small.dicom")


def test_pictures_are_made_again(slide, tmp_path):
    out = tmp_path / "picture.png"
    words = ["normalize", slide.path, "--out", str(out), "--region", "0,0,300,200"]
    assert CliRunner().invoke(main, words).exit_code == 0
    said = CliRunner().invoke(main, ["replay", str(out), "--slide", slide.path])
    assert (said.exit_code, said.stdout.split()[0]) == (0, "identical"), said.output
    made = wb.read_provenance(out)
    pixels = cv2.imread(str(out))
    pixels[7, 9] ^= 1
    cv2.imwrite(str(out), pixels)
    wb.provenance.attach(out, made)
    again = wb.replay(out, slide=slide)
    (part,) = again.comparisons
    assert (part.changed, part.where) == (1, (9, 7))
    assert "No cause is known" in str(again)


def test_what_was_not_recorded_is_said(slide, tmp_path):
    def darker(pixels):
        return np.asarray(pixels) // 2

    out = convert_slide(slide, tmp_path / "s.svs", pixel_map=darker, box=BOX)
    with pytest.raises(ProvenanceError, match="changed by 'darker', which is not"):
        wb.replay(out, slide=slide)
    made = wb.read_provenance(out)
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), np.zeros((8, 8, 3), np.uint8))
    broken = wb.Provenance(kind="slide", slide=made.slide, recipe={"to": "svs"})
    wb.provenance.attach(picture, broken)
    with pytest.raises(ProvenanceError, match="damaged: KeyError"):
        wb.replay(picture, slide=slide)
    model = tmp_path / "model"
    model.mkdir()
    wb.provenance.attach(model, wb.Provenance.new("model", model={"name": "m"}))
    with pytest.raises(ProvenanceError, match="workbench train"):
        wb.replay(model)
