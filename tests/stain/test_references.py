"""References come from where a user points, or say why they do not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

import made_slides
from workbench.errors import SlideError, StainError
from workbench.recipe import Recipe
from workbench.stain.kernels.lookup_table import to_grey_levels
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.optical_density import transmitted
from workbench.stain.references import REFERENCES, Reference, load_reference


def tissue(seed=0, shape=(96, 96)):
    fit = REFERENCES["he-rose"].stain_fit
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(1.6, 0.16, (*shape, 2)) * fit.max_concentrations
    amounts[: shape[0] // 6, :, 1] *= 0.05
    amounts[-shape[0] // 6 :, :, 0] *= 0.05
    return to_grey_levels(transmitted(amounts @ fit.stains) - 1)


@pytest.mark.parametrize("name", REFERENCES)
def test_built_in_references_are_loaded_by_name(name):
    reference = load_reference(name)
    assert reference.name == name
    assert reference.provenance
    assert reference.stains[0][0] > reference.stains[1][0], "hematoxylin first"


def test_the_published_reference_has_the_published_numbers():
    standard = REFERENCES["he-standard"]
    assert standard.stains == ((0.5626, 0.7201, 0.4062), (0.2159, 0.8012, 0.5581))
    assert standard.max_concentrations == (1.9705, 1.0308)


@pytest.mark.parametrize("name", REFERENCES)
def test_built_in_references_look_like_hematoxylin_and_eosin(name):
    hematoxylin, eosin = REFERENCES[name].swatches()[:, -1].astype(int)
    assert hematoxylin[2] > hematoxylin[0] > hematoxylin[1] - 5, "blue or purple"
    assert eosin[0] > eosin[2] > eosin[1], "pink"
    assert (REFERENCES[name].swatches()[:, 0] == 240).all(), "glass"


@pytest.mark.slow
def test_both_parts_of_a_built_in_reference_tell_of_the_same_colours(shared_data):
    pixels = np.asarray(
        Image.open(shared_data / "tiles" / "histoqc_template1.png").convert("RGB")
    )
    for reference in REFERENCES.values():
        normalized = fit_normalizer(pixels, reference).colour_map(pixels)
        seen = Reference.of_pixels(to_grey_levels(normalized), name="x")
        assert np.abs(np.subtract(seen.lab_mean, reference.lab_mean)).max() < 8


def test_a_saved_reference_comes_back(tmp_path):
    reference = Reference.of_pixels(tissue(), name="mine", provenance="made here")
    reference.save(tmp_path / "mine.json")
    assert load_reference(str(tmp_path / "mine.json")) == reference


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_image_is_a_reference(tmp_path, mode):
    Image.fromarray(tissue()).convert(mode).save(tmp_path / "tile.png")
    reference = load_reference(str(tmp_path / "tile.png"))
    expected = Reference.of_pixels(tissue(), name="x")
    assert reference.name == "tile.png"
    assert reference.stains == expected.stains
    assert reference.lab_mean == expected.lab_mean


@pytest.mark.slow
def test_a_region_of_a_slide_is_a_reference(shared_data):
    path = shared_data / "wsi" / "CMU-1-Small-Region.svs"
    reference = load_reference(f"{path}@200,300,1224,1324")
    assert reference.name == "CMU-1-Small-Region.svs@200,300,1224,1324"
    larger = load_reference(f"{path}@0,0,2220,2967")
    np.testing.assert_allclose(reference.stains, larger.stains, atol=0.15)


def test_a_region_of_no_slide(tmp_path):
    with pytest.raises(SlideError):
        load_reference(f"{tmp_path}/nothing.svs@0,0,10,10")


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(StainError, match="he-standrad") as caught:
        load_reference("he-standrad")
    assert "he-standard" in caught.value.remedy


def record(**changes):
    return {**json.loads(REFERENCES["he-rose"].model_dump_json()), **changes}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "not json",
        json.dumps(record(name="")),
        json.dumps(record(stains=[[1, 1, 1], [0, 1, 0]])),
        json.dumps(record(max_concentrations=[0, 1])),
        json.dumps(record(lab_std=[1, 1])),
        json.dumps(record(lab_mean=[float("nan"), 0, 0])),
        json.dumps(record(extra=1)),
        json.dumps(record(provenance="x" * 200_000)),
    ],
    ids=range(11),
)
def test_broken_records_are_refused(tmp_path, content):
    (tmp_path / "broken.json").write_text(content)
    with pytest.raises(StainError, match=r"broken\.json"):
        load_reference(str(tmp_path / "broken.json"))


def test_broken_and_blank_images_are_refused(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(StainError, match=r"broken\.png"):
        load_reference(str(tmp_path / "broken.png"))
    Image.new("RGB", (64, 64), "white").save(tmp_path / "blank.png")
    with pytest.raises(StainError, match="stained tissue"):
        load_reference(str(tmp_path / "blank.png"))


@pytest.mark.slow
def test_an_image_larger_than_any_reference_is_not_decoded(tmp_path):
    Image.new("1", (9000, 9000)).save(tmp_path / "large.png")
    with pytest.raises(StainError, match="too many"):
        load_reference(str(tmp_path / "large.png"))


def test_references_are_frozen_and_equal_by_value():
    reference = REFERENCES["he-rose"]
    with pytest.raises(ValidationError):
        reference.name = "other"
    assert Reference.model_validate(record()) == reference


@pytest.mark.parametrize("name", REFERENCES)
def test_the_text_of_a_built_in_reference_is_its_name(name):
    assert REFERENCES[name].text == name
    assert Recipe(reference=REFERENCES[name]).reference == name


def test_a_recipe_holds_a_reference_as_text_that_is_read_back():
    mine = Reference.of_pixels(tissue(), name="mine; he-rose", provenance="a; b")
    recipe = Recipe(normalize="macenko", reference=mine, references=[mine, "he-rose"])
    assert load_reference(recipe.reference) == mine
    again = Recipe.of_json(recipe.model_dump_json())
    assert again == recipe
    assert [load_reference(text) for text in again.references] == [
        mine,
        REFERENCES["he-rose"],
    ]


def test_a_changed_reference_with_a_built_in_name_is_another_one():
    changed = REFERENCES["he-rose"].model_copy(update={"lab_mean": (50.0, 1.0, 2.0)})
    assert load_reference(changed.text) == changed


@pytest.mark.parametrize("text", ["{", "{}", '{"name": "a"}'])
def test_a_text_with_wrong_numbers_is_refused(text):
    with pytest.raises(StainError, match="cannot be used"):
        load_reference(text)


def test_references_show_themselves():
    reference = Reference.of_pixels(tissue(), name="<b>mine</b>")
    assert reference._repr_png_().startswith(b"\x89PNG")
    assert "&lt;b&gt;mine" in reference._repr_html_()
    assert "<img" in fit_normalizer(tissue(), reference)._repr_html_()
    by_colour = fit_normalizer(tissue(), reference, method="reinhard")
    assert "reinhard" in by_colour._repr_html_()


@pytest.mark.slow
def test_a_picture_is_taken_in_the_colours_that_it_means(tmp_path):
    pixels = np.array(made_slides.tissue_like(120, 160))
    clear = np.dstack([pixels, np.full((120, 160), 255, np.uint8)])
    clear[:20] = 0  # transparent, and black below
    white = pixels.copy()
    white[:20] = 255
    Image.fromarray(clear).save(tmp_path / "clear.png")
    Image.fromarray(white).save(tmp_path / "white.png")
    found = [load_reference(str(tmp_path / f"{n}.png")) for n in ("clear", "white")]
    assert found[0].lab_mean == found[1].lab_mean
    deep = pixels[..., 0].astype(np.uint16) * 16
    Image.fromarray(deep).save(tmp_path / "12-bit.png")
    with pytest.raises(StainError, match="which value is white"):
        load_reference(str(tmp_path / "12-bit.png"))
