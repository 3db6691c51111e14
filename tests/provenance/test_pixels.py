"""What made converted slides, pictures and trained models is in each of them."""

from __future__ import annotations

import json
import os

import numpy as np
import openslide
import pydicom
import pytest
import tifffile
from click.testing import CliRunner

import workbench as wb
from made_slides import tissue_like, write_tiff
from stained_slide import write_stained
from workbench.cli import main
from workbench.provenance.pixels import provenance_of_pixels
from workbench.results.slide_facts import slide_facts
from workbench.stain.single_stain import SingleStain

FORMATS = {
    "s.ome.tiff": None,
    "s.svs": None,
    "s.ome.zarr": None,
    "s.zarr": "ome-zarr-0.5",
}


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slides") / "s.tiff"
    write_tiff(path, tissue_like(300, 400), levels=1)
    with wb.open_slide(path) as opened:
        yield opened


@pytest.mark.parametrize("name", FORMATS)
def test_a_converted_slide_says_what_made_it(slide, tmp_path, name):
    stain = SingleStain.of("eosin")
    path = wb.export.convert_slide(
        slide, tmp_path / name, to=FORMATS[name], pixel_map=stain, box=(0, 0, 300, 200)
    )
    made = wb.read_provenance(path)
    assert made.kind == "slide"
    assert made.slide == slide_facts(slide)
    assert made.recipe["box"] == [0, 0, 300, 200]
    assert made.normalizer["stain"] == "eosin"
    assert made.parents == ({"kind": "slide", "name": "s.tiff", "digest": slide.id},)
    assert os.path.dirname(slide.path) not in made.text  # noqa: PTH120
    again = SingleStain.from_dict(made.normalizer)
    pixels = tissue_like(30, 40)
    assert np.array_equal(again(pixels), stain(pixels))
    assert again.fingerprint == stain.fingerprint
    with wb.open_slide(path) as read:
        assert read.size == (300, 200)
    if name == "s.svs":
        with openslide.OpenSlide(path) as read:
            assert read.properties["openslide.vendor"] == "aperio"
    if name == "s.ome.tiff":
        with tifffile.TiffFile(path) as file:
            assert "slide-workbench/conversion" in file.ome_metadata


def test_a_dicom_slide_says_it_without_the_name_of_the_file(slide, tmp_path):
    folder = wb.export.write_dicom_slide(slide, tmp_path / "s.dicom")
    made = wb.read_provenance(folder)
    assert (made.kind, made.recipe["to"]) == ("slide", "dicom")
    assert made.slide["id"] == slide.id
    assert "s.tiff" not in made.text
    for file in folder.iterdir():
        assert wb.read_provenance(file) == made
        assert b"s.tiff" not in file.read_bytes()
    again = wb.export.write_dicom_slide(slide, tmp_path / "t.dicom")
    first = [pydicom.dcmread(each / "level-0.dcm") for each in (folder, again)]
    assert first[0] == first[1]


def test_a_function_has_its_name_alone(slide):
    def darker(pixels):
        return pixels // 2

    made = provenance_of_pixels(slide, "slide", {}, darker)
    assert (made.recipe, made.normalizer) == ({"colours": "darker"}, {})
    with pytest.raises(wb.errors.StainError, match="cannot be used"):
        SingleStain.from_dict({"stain": "eosin", "source": {}})


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_a_normalized_picture_says_what_made_it(tmp_path, suffix):
    path = write_stained(tmp_path / "slide.tif", width=512, height=384)
    out = tmp_path / f"picture{suffix}"
    words = ["normalize", str(path), "--out", str(out), "--region", "10,20,210,120"]
    said = CliRunner().invoke(main, words)
    assert said.exit_code == 0, said.output
    made = wb.read_provenance(out)
    assert made.kind == "picture"
    assert made.recipe["box"] == [10, 20, 210, 120]
    assert made.recipe["size"] == [200, 100]
    assert made.normalizer["method"] == "macenko"
    beside = out.with_name(f"{out.name}.provenance.json")
    assert beside.exists() == (suffix == ".jpg")
    said = CliRunner().invoke(main, ["provenance", str(out)])
    assert "reference stain" in said.output
    assert "made from" in said.output


def test_small_models_say_what_they_learnt_from(tmp_path):
    from workbench.training.number_file import save_numbers  # noqa: PLC0415

    facts = {
        "classes": ["a", "b"],
        "encoder": "e",
        "provenance": {
            "runs": [str(tmp_path / "runs" / "first")],
            "slides": [{"slide": "s.tiff", "features": {"slide_id": "abc"}}],
        },
    }
    arrays = {"a": np.zeros(3, np.float32)}
    path = save_numbers(tmp_path / "small", "a kind", arrays, facts)
    made = wb.read_provenance(path)
    assert made.kind == "model"
    assert made.model == {
        "name": "small",
        "task": "a kind",
        "classes": ["a", "b"],
        "encoder": "e",
    }
    assert made.recipe == {"runs": ["first"]}
    assert made.parents == ({"kind": "slide", "name": "s.tiff", "digest": "abc"},)
    other = tmp_path / "other.safetensors"
    other.write_bytes(path.read_bytes()[:20])
    with pytest.raises(wb.errors.ProvenanceError, match="cannot be read"):
        wb.read_provenance(other)
    said = CliRunner().invoke(main, ["provenance", str(path), "--json"])
    assert json.loads(said.output)["parents"][0]["digest"] == "abc"
