"""Tissue is found in every stain, ink is not, and what is chosen by hand holds."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from tissue_stains import INKS, stained_picture
from workbench.area import Area
from workbench.recipe import Recipe
from workbench.slide.slide import open_slide
from workbench.synthetic import STAININGS, write_pyramid, write_slide
from workbench.tissue import TissueChoice, artefact_mask, find_tissue, tissue_mask


def grown(mask, reach):
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return cv2.dilate(mask.view(np.uint8), kernel) > 0


def shares(mask, tissue, ink):
    """Return the share of tissue found, and of clean glass taken for tissue."""
    far = ~grown(ink, 12)
    return mask[tissue & far].mean(), mask[~tissue & far].mean()


def sampled(*cases):
    """Return each case of what is made; of all, the thorough ones are one in two."""
    thorough = pytest.mark.thorough
    return [
        pytest.param(*case, marks=thorough if (n + n // 4) % 2 else ())
        for n, case in enumerate(cases)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stain", "strength", "grain"),
    sampled(*itertools.product(STAININGS, [0.6, 1.0, 1.4, 1.8], [2.0, 5.0])),
)
def test_tissue_of_every_stain_is_found_and_glass_is_not(stain, strength, grain):
    pixels, tissue, ink = stained_picture(stain, strength=strength, grain=grain)
    found, false = shares(tissue_mask(pixels, mpp=8.0), tissue, ink)
    assert found >= 0.9
    assert false <= 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("stain", "ink"), sampled(*itertools.product(STAININGS, INKS)))
def test_ink_is_left_out_and_the_stain_beside_it_is_not(stain, ink):
    pixels, tissue, marked = stained_picture(stain, ink=ink)
    mask = tissue_mask(pixels, mpp=8.0)
    found, false = shares(mask, tissue, marked)
    assert found >= 0.9
    assert false <= 0.02
    assert mask[marked & ~tissue].mean() < 0.4
    assert mask[marked & tissue].mean() < 0.4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stain", "ink", "mark"),
    sampled(*itertools.product(STAININGS, INKS, [(1.0, 70), (1.8, 26)])),
)
def test_ink_that_is_seen_through_takes_no_tissue_with_it(stain, ink, mark):
    """However dense the stain is, and also where ink and stain have the same hue."""
    strength, width = mark
    pixels, tissue, marked = stained_picture(
        stain, strength=strength, ink=ink, see_through=1.0, width=width
    )
    mask = tissue_mask(pixels, mpp=8.0)
    found, false = shares(mask, tissue, marked)
    assert found >= 0.88
    assert false <= 0.02
    assert mask[marked & ~tissue].mean() < 0.4


@pytest.mark.slow
@pytest.mark.parametrize("stain", ["h-dab", "methyl-green", "trichrome-blue", "silver"])
def test_a_made_slide_of_a_stain_is_found(tmp_path, stain):
    truth = write_slide(tmp_path / "a.tif", size=(1024, 1024), seed=3, stain=stain)
    with open_slide(tmp_path / "a.tif") as slide:
        tissue = find_tissue(slide)
    cells = np.kron(tissue.mask, np.ones((2, 2), bool))  # cells of 16 and of 8 pixels
    solid = (truth.class_map != 0) & (truth.class_map != truth.classes.index("fat"))
    clean = ~grown(truth.tissue | (truth.artefacts > 0), 3)
    assert cells[solid & (truth.artefacts == 0)].mean() >= 0.9
    assert cells[clean].mean() <= 0.02


def test_fluorescence_is_found_on_a_dark_field_too():
    pixels, tissue, ink = stained_picture("fluorescence-inverted")
    dark = 255 - np.minimum(pixels.astype(int) + 255 - 243, 255)
    found, false = shares(tissue_mask(dark.astype(np.uint8), mpp=8.0), tissue, ink)
    assert found >= 0.9
    assert false <= 0.02
    assert not tissue_mask(np.zeros((200, 200, 3), np.uint8)).any()


def test_pale_tissue_that_fills_the_picture_is_not_taken_for_glass():
    rng = np.random.default_rng(0)
    grain = cv2.GaussianBlur(rng.normal(size=(200, 200)).astype(np.float32), (0, 0), 2)
    pale = 212 * np.exp(-0.05 * grain / grain.std())[..., None] * np.array([1, 0.99, 1])
    assert tissue_mask(pale.astype(np.uint8), mpp=8.0).mean() > 0.95


@pytest.mark.parametrize("side", [40, 128, 180])
@pytest.mark.parametrize("mpp", [None, 0.25, 0.5])
def test_a_blank_slide_of_any_size_has_no_tissue(tmp_path, side, mpp):
    blank = np.full((side, side, 3), 243, np.uint8)
    write_pyramid(tmp_path / "blank.tif", blank, mpp=mpp)
    with open_slide(tmp_path / "blank.tif") as slide:
        assert not find_tissue(slide).mask.any()


def test_pictures_smaller_than_what_is_noise_on_a_slide_keep_their_tissue(shared_data):
    """64 x 80 µm each: less than 0.01 mm²."""
    folder = shared_data / "nuclei_dsb2018_tissue" / "img"
    found = []
    for path in sorted(folder.iterdir()):
        with open_slide(path, mpp=0.25) as slide:
            found.append(find_tissue(slide).mask.mean())
    assert min(found) > 0.02  # one shows few cells on glass
    assert np.median(found) > 0.95


def test_brown_and_blue_cells_of_a_small_picture_are_tissue(shared_data, tmp_path):
    ihc = cv2.imread(str(shared_data / "tiles" / "skimage_ihc.png"))[..., ::-1]
    write_pyramid(tmp_path / "ihc.tif", np.ascontiguousarray(ihc), mpp=0.5, quality=95)
    with open_slide(tmp_path / "ihc.tif") as slide:
        assert find_tissue(slide).mask.mean() > 0.9


def test_lines_and_shadows_are_no_grey_tissue():
    glass = np.full((400, 400, 3), 240, np.uint8)
    shadow = glass.copy()
    cv2.line(glass, (30, 10), (350, 390), (110, 110, 112), 5)
    shadow[:, 300:] = (shadow[:, 300:] * 0.85).astype(np.uint8)
    assert not tissue_mask(glass, mpp=8.0).any()
    assert not tissue_mask(shadow, mpp=8.0).any()


def test_a_threshold_is_followed():
    pixels, tissue, _ = stained_picture("he", strength=0.3)
    low, high = (tissue_mask(pixels, mpp=8.0, threshold=t) for t in (0.05, 0.5))
    assert low[tissue].mean() > 0.9
    assert high[tissue].mean() < 0.2


def test_ink_is_kept_where_that_is_chosen():
    pixels, _, marked = stained_picture("he", ink="green")
    assert artefact_mask(pixels)[marked].mean() > 0.8
    kept = tissue_mask(pixels, mpp=8.0, keep_ink=True)
    assert kept[marked].mean() > 0.95


def test_what_is_marked_as_tissue_or_ink_is_so(tmp_path):
    pixels, _, _ = stained_picture("he", side=512)
    write_pyramid(tmp_path / "a.tif", pixels, mpp=2.0)
    with open_slide(tmp_path / "a.tif") as slide:
        plain = find_tissue(slide)
        recipe = Recipe(tissue_in=(0, 0, 200, 200), no_tissue_in=(100, 0, 512, 512))
        chosen = find_tissue(slide, choice=TissueChoice.of(recipe))
    assert chosen.mask[:50, :25].all()
    assert not chosen.mask[:, 25:].any()
    assert (chosen.mask[50:, :25] == plain.mask[50:, :25]).all()


def test_a_choice_travels_with_the_recipe():
    triangle = Area.of([[[(0, 0), (90, 0), (0, 90), (0, 0)]]])
    recipe = Recipe(tissue_threshold=0.2, ink="keep", no_tissue_in=triangle)
    again = Recipe.of(**recipe.model_dump(mode="json"))
    assert again == recipe
    expected = TissueChoice(threshold=0.2, keep_ink=True, no_tissue_in=triangle)
    assert TissueChoice.of(again) == expected
