"""Stains are taken apart as published, and scored as pathology does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import simplejpeg
import skimage.data
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2hed, separate_stains
from skimage.measure import label

from made_slides import write_tiff
from workbench.area import Area
from workbench.cli import main
from workbench.errors import StainError
from workbench.geometry import Box
from workbench.layers.recoloured import DifferenceLayer, difference_picture
from workbench.layers.stain import StainLayer
from workbench.slide.slide import open_slide
from workbench.stain.deconvolution import STAIN_SETS, StainSet, find_stains, fit_stains
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.optical_density import ColourHistogram
from workbench.stain.quantify import Question, h_score, quantify, quantify_pixels

SKIMAGE_TO_OD = 6
"""scikit-image's densities are to the base of a million."""


@pytest.fixture(scope="module")
def ihc():
    """Return scikit-image's picture of DAB in colon glands; it is in its wheel."""
    return np.maximum(skimage.data.immunohistochemistry(), 1)


@pytest.fixture(scope="module")
def slide(ihc, tmp_path_factory):
    path = tmp_path_factory.mktemp("ihc") / "ihc.tif"
    write_tiff(path, np.tile(ihc, (3, 3, 1)), mpp=0.5)
    with open_slide(path) as opened:
        yield opened


@pytest.mark.parametrize("name", STAIN_SETS)
def test_amounts_are_those_of_scikit_image(ihc, name):
    stains = STAIN_SETS[name]
    expected = separate_stains(ihc, np.linalg.inv(stains.vectors)) * SKIMAGE_TO_OD
    found = np.maximum(stains.amounts(ihc), 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_dab_is_that_of_hed_where_there_is_no_eosin(ihc):
    known = rgb2hed(ihc)[..., 2] * SKIMAGE_TO_OD
    dab = STAIN_SETS["H-DAB"].amount(ihc, 1)
    assert np.corrcoef(known.ravel(), dab.ravel())[0, 1] > 0.97


@given(st.floats(0, 0.6), st.floats(0, 0.6), st.sampled_from(list(STAIN_SETS)))
def test_what_was_mixed_is_taken_apart(first, second, name):
    stains = STAIN_SETS[name]
    density = first * stains.vectors[0] + second * stains.vectors[1]
    levels = 255 * 10**-density
    exact = np.floor(levels).astype(np.uint8), np.ceil(levels).astype(np.uint8)
    low, high = (stains.amounts(colour) for colour in exact)
    reach = 3 * np.abs(high - low).max() + 1e-5
    assert np.abs(low - [first, second, 0]).max() <= reach


def test_stains_are_fitted_to_the_picture(ihc):
    fitted = fit_stains(ColourHistogram.of(ihc), "H-DAB")
    assert fitted.names == ("hematoxylin", "dab", "residual")
    known = STAIN_SETS["H-DAB"].vectors
    assert (np.sum(fitted.vectors[:2] * known[:2], axis=1) > 0.97).all()
    leftover = [
        np.abs(each.amount(ihc, 2)).mean() for each in (fitted, STAIN_SETS["H-DAB"])
    ]
    assert leftover[0] < leftover[1], "fitted vectors explain more"


def test_brown_glands_are_positive_and_blue_stroma_is_not(ihc):
    dab = STAIN_SETS["H-DAB"].amount(ihc, 1)
    brown = ihc[..., 0].astype(int) - ihc[..., 2] > 50
    blue = ihc[..., 2].astype(int) - ihc[..., 0] > 10
    table = quantify_pixels(ihc, Question.of(), labels=brown + 2 * blue)
    assert table.label.tolist() == [1, 2]
    glands, stroma = table.itertuples()
    assert glands.positive_fraction > 0.95
    assert stroma.positive_fraction < 0.05
    assert glands.mean_od == pytest.approx(dab[brown].mean(), rel=1e-4)
    assert glands.h_score > 120
    assert stroma.h_score < 10


def test_numbers_are_those_of_their_definitions(ihc):
    question = Question.of(thresholds=(0.15, 0.3, 0.5))
    row = quantify_pixels(ihc, question).iloc[0]
    reference = separate_stains(ihc, np.linalg.inv(question.stains.vectors))
    dab = reference[..., 1] * SKIMAGE_TO_OD
    tissue = (-np.log10(ihc / 255)).max(-1) >= question.tissue
    share = [(dab[tissue] >= each).mean() for each in question.thresholds]
    assert row.pixels == tissue.sum()
    assert row.positive_fraction == pytest.approx(share[0], abs=1e-4)
    assert row.h_score == pytest.approx(100 * sum(share), abs=0.05)
    assert row.weak + row.moderate + row.strong == pytest.approx(row.positive_fraction)


def test_glass_counts_for_nothing_and_leaves_no_numbers():
    glass = np.full((32, 32, 3), 250, np.uint8)
    row = quantify_pixels(glass, Question.of()).iloc[0]
    assert row.pixels == 0
    assert np.isnan([row.positive_fraction, row.h_score, row.mean_od]).all()
    assert quantify_pixels(glass, Question.of(), labels=glass[..., 0] * 0).empty


def test_nuclei_are_measured_one_by_one(ihc):
    dab = STAIN_SETS["H-DAB"].amount(ihc, 1)
    nuclei = label(dab > 0.3)
    table = quantify_pixels(ihc, Question.of(), labels=nuclei)
    assert len(table) == nuclei.max() > 20
    for row in table.sample(5, random_state=0).itertuples():
        own = nuclei == row.label
        assert row.pixels == own.sum()
        assert row.mean_od == pytest.approx(dab[own].mean(), rel=1e-4)
    assert 100 < h_score(table.mean_od) <= 300


def test_the_h_score_weighs_grades():
    assert h_score([0.1, 0.2, 0.4, 0.6]) == 100 * (0 + 1 + 2 + 3) / 4
    assert np.isnan(h_score([]))


@pytest.mark.slow
def test_a_slide_is_measured_in_pieces_as_its_whole(slide):
    everything = quantify(slide, question=Question.of()).iloc[0]
    whole = quantify_pixels(slide.read(slide.box).pixels, Question.of()).iloc[0]
    for name in ("pixels", "positive_fraction", "h_score", "mean_od", "mean_dab_od"):
        assert everything[name] == pytest.approx(whole[name], rel=1e-9), name


def test_areas_are_measured_each_and_only_they(slide):
    box = Box(100, 50, 400, 450)
    areas = {"box": box, "polygon": Area.of(box)}
    table = quantify(slide, areas, question=Question.of())
    expected = quantify_pixels(slide.read(box).pixels, Question.of()).iloc[0]
    assert table.area.tolist() == list(areas)
    for row in table.itertuples():
        assert row.h_score == pytest.approx(expected.h_score, rel=1e-9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stains": "PAS"},
        {"stain": "eosin"},
        {"thresholds": (0.4, 0.2, 0.6)},
        {"thresholds": (0.0, 0.2, 0.6)},
    ],
    ids=str,
)
def test_questions_without_an_answer_are_refused(wrong):
    with pytest.raises(StainError):
        Question.of(**wrong)


def test_stains_that_cannot_be_told_apart_are_refused():
    with pytest.raises(StainError, match="plane"):
        StainSet(("a", "b", "c"), np.array([[1.0, 0, 0], [0, 1, 0], [0.6, 0.8, 0]]))
    with pytest.raises(StainError, match="length 1"):
        StainSet(("a", "b", "c"), 2 * np.eye(3))


def decoded(layer, place):
    return simplejpeg.decode_jpeg(layer.tile(*place).data).astype(int)


def blocks(values, side=8):
    """Return the means of square blocks, flat."""
    height, width = values.shape
    shape = height // side, side, width // side, side
    return values.reshape(shape).mean((1, 3)).ravel()


@pytest.mark.parametrize("stain", ["hematoxylin", "dab", "residual"])
def test_a_stain_is_drawn_in_its_colour_by_its_amount(slide, stain):
    stains = find_stains("H-DAB")
    layer = StainLayer(slide, stains, stain)
    place = (layer.pyramid.max_zoom, 0, 0)
    side = layer.pyramid.tile_px
    pixels = slide.read(Box(0, 0, side, side)).pixels
    amounts = stains.amount(pixels, stains.index(stain))
    drawn = decoded(layer, place)
    if stain == "residual":
        # Chroma is stored at half the resolution.
        blue_to_red = blocks(drawn[..., 0] - drawn[..., 2])
        leftover = blocks(np.clip(amounts, -0.3, 0.3))
        assert np.corrcoef(blue_to_red, leftover)[0, 1] > 0.98
    else:
        expected = stains.colours(stains.index(stain), np.minimum(amounts, 1.2))
        assert np.abs(drawn - expected).mean() < 4
    assert layer.legend.title == stain
    assert layer.legend.unit == "OD"
    other = StainLayer(slide, find_stains("H-DAB", white=(240, 240, 240)), stain)
    assert other.version != layer.version


def test_the_difference_is_drawn_as_computed(slide):
    normalizer = fit_normalizer(slide, "he-standard", method="reinhard")
    layer = DifferenceLayer(slide, normalizer)
    place = (layer.pyramid.max_zoom, 0, 0)
    side = layer.pyramid.tile_px
    pixels = slide.read(Box(0, 0, side, side)).pixels
    expected = difference_picture(pixels, normalizer(pixels))
    assert np.abs(decoded(layer, place) - expected).mean() < 5
    unchanged = difference_picture(pixels, pixels)
    assert (unchanged == unchanged[0, 0]).all()
    assert layer.legend.ramp[-1][0] == 80


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_verb_writes_a_table(slide, tmp_path, suffix):
    out = tmp_path / f"table{suffix}"
    arguments = ["stain", "quantify", slide.path, "--box", "0,0,512,512"]
    arguments += ["--box", "512,0,1024,512", "--out", str(out)]
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 0, answer.output
    table = (pd.read_csv if suffix == ".csv" else pd.read_parquet)(out)
    assert table.area.tolist() == ["0,0,512,512", "512,0,1024,512"]
    assert table.h_score[0] == pytest.approx(table.h_score[1])
    assert table.strong_from_od.tolist() == [0.6, 0.6]
