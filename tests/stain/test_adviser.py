"""The adviser proposes the slide in the middle, and says what is wrong with others."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from stained_slide import EOSIN, HEMATOXYLIN, stained_pixels, write_stained
from workbench.cli import main
from workbench.errors import StainError
from workbench.slide.slide import open_slide
from workbench.stain.adviser import _check_gamut, advise
from workbench.stain.fit_quality import assess_fit
from workbench.stain.methods.macenko import StainFit, fit_macenko
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.optical_density import ColourHistogram
from workbench.stain.reference_preview import render_reference
from workbench.stain.references import REFERENCES, load_reference
from workbench.stain.tissue_sample import sample_tissue
from workbench.synthetic import write_slide

SCANNERS = ("aurora", "borealis", "meridian", "zephyr")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    for scanner in SCANNERS:
        path = folder / f"{scanner}.tif"
        write_slide(path, size=(1024, 1024), seed=3, scanner=scanner)
    return folder


@pytest.fixture(scope="module")
def advice(folder):
    return advise([folder / f"{scanner}.tif" for scanner in SCANNERS])


def kinds(slide):
    return {finding.kind for finding in slide.findings}


def stronger(path, factor, *, bright=240):
    """Write a slide whose every stain is so much stronger or weaker."""
    density = -np.log(np.clip(stained_pixels(512, 448), 1, 240) / 240)
    pixels = bright * np.exp(-factor * density)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    return path


@pytest.mark.slow
def test_what_is_measured_is_what_a_fit_of_the_slide_finds(folder, advice):
    for slide, scanner in zip(advice.slides, SCANNERS, strict=True):
        with open_slide(folder / f"{scanner}.tif") as opened:
            fit = fit_normalizer(opened).colour_map.source
            histogram = sample_tissue(opened).histogram
        np.testing.assert_array_equal(slide.fit.stains, fit.stains)
        np.testing.assert_array_equal(
            slide.fit.max_concentrations, fit.max_concentrations
        )
        assert slide.quality == assess_fit(histogram, fit)
        assert slide.name == f"{scanner}.tif"


@pytest.mark.slow
def test_the_medoid_is_nearest_to_all(advice):
    usual = [slide for slide in advice.slides if not slide.findings]
    assert advice.medoid in usual
    total = [
        sum(np.linalg.norm(a.full_strength - b.full_strength) for b in usual)
        for a in usual
    ]
    assert usual[int(np.argmin(total))] is advice.medoid
    far = {slide.name: slide.distance for slide in usual}
    assert min(far, key=far.get) == advice.medoid.name


@pytest.mark.slow
def test_normalizing_to_the_medoid_needs_no_more_than_its_reference(folder, advice):
    with open_slide(folder / "aurora.tif") as slide:
        normalizer = fit_normalizer(slide, advice.medoid.reference)
    wanted = normalizer.colour_map.reference
    np.testing.assert_allclose(wanted.stains, advice.medoid.fit.stains)


@pytest.mark.slow
def test_outliers_say_why(tmp_path):
    usual = [
        write_stained(tmp_path / f"{n}.tif", width=640, height=512, seed=n)
        for n in range(4)
    ]
    pale = stronger(tmp_path / "pale.png", 0.35)
    deep = stronger(tmp_path / "deep.png", 2.2)
    grey = tmp_path / "grey.png"
    Image.open(usual[0]).convert("L").convert("RGB").save(grey)
    blank = tmp_path / "blank.png"
    Image.new("RGB", (512, 512), (242, 242, 242)).save(blank)
    broken = tmp_path / "broken.svs"
    broken.write_bytes(b"nothing of a slide")
    advice = advise([*usual, pale, deep, grey, blank, broken, tmp_path / "none.svs"])
    found = {slide.name: kinds(slide) for slide in advice.slides}
    assert all(found[path.name] == set() for path in usual), found
    assert "pale" in found["pale.png"]
    assert "overstained" in found["deep.png"]
    assert found["grey.png"] == {"not H&E"}
    assert found["blank.png"] == {"not H&E"}
    assert found["broken.svs"] == found["none.svs"] == {"unreadable"}
    assert advice.medoid.path in map(str, usual)
    assert len(advice.outliers) == 6
    table = advice.frame()
    assert len(table) == len(advice.slides)
    assert table.loc[table["proposed"], "path"].tolist() == [advice.medoid.path]
    json.dumps(advice.to_dict(), allow_nan=False)
    assert "broken.svs" in advice._repr_html_()


@pytest.mark.slow
def test_what_would_become_black_is_out_of_gamut(advice):
    medoid = advice.medoid
    assert _check_gamut(medoid, medoid) is medoid
    tiny = StainFit(medoid.fit.stains, medoid.fit.max_concentrations / 8)
    (finding,) = _check_gamut(replace(medoid, fit=tiny), medoid).findings
    assert finding.kind == "out of gamut"
    assert "black or white" in finding.reason


@pytest.mark.slow
def test_real_slides_of_other_stains_are_told_apart(shared_data):
    tiles = shared_data / "tiles"
    good = [
        "histoqc_template1.png",
        "tiatoolbox_target_image.png",
        "histoprep_slide.jpeg",
    ]
    histolab = ["tcga-red-pen.png", "medium-nuclei-score-level1-2.png"]
    odd = [tiles / "skimage_ihc.png", tiles / "histolab" / "no-tissue.png"]
    paths = [tiles / name for name in good]
    paths += [tiles / "histolab" / name for name in histolab]
    advice = advise([*paths, *odd])
    for slide in advice.slides[: len(paths)]:
        assert not slide.findings, slide
    ihc, empty = advice.slides[len(paths) :]
    assert "not H&E" in kinds(ihc)
    assert "DAB" in str(ihc.findings[0])
    assert {"pale", "out of gamut"} <= kinds(empty)


@pytest.mark.slow
def test_progress_is_told_and_a_cancel_keeps_what_is_there(folder):
    paths = [folder / f"{scanner}.tif" for scanner in SCANNERS]
    told = []
    advise(paths, progress=told.append)
    assert [each.done for each in told] == [1, 2, 3, 4]
    assert {each.total for each in told} == {4}
    assert [each.message for each in told] == [path.name for path in paths]
    cancel = threading.Event()
    cancel.set()
    nothing = advise(paths, cancel=cancel)
    assert (nothing.slides, nothing.medoid) == ((), None)
    assert nothing.frame().empty


def test_nothing_to_compare_is_an_error():
    with pytest.raises(StainError, match="no slides"):
        advise([])


@pytest.mark.parametrize(
    ("vectors", "most", "expected"),
    [
        ((HEMATOXYLIN, EOSIN), (1.8, 1.0), set()),
        ((HEMATOXYLIN, [0.268, 0.570, 0.776]), (1.8, 1.0), {"not H&E"}),
        (([0.3, 0.9, 0.2], EOSIN), (1.8, 1.0), {"not H&E"}),
        ((HEMATOXYLIN, EOSIN), (0.55, 0.7), {"pale"}),
        ((HEMATOXYLIN, EOSIN), (5.0, 1.0), {"overstained"}),
    ],
)
def test_what_speaks_against_a_fit(vectors, most, expected):
    rng = np.random.default_rng(0)
    amounts = rng.uniform(0.5, 1, (200, 200, 2)) * most
    amounts[:80, :, 1] = amounts[-80:, :, 0] = 0
    density = amounts @ (
        np.array(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)
    )
    pixels = np.clip(240 * np.exp(-density), 0, 255).astype(np.uint8)
    histogram = ColourHistogram.of(pixels)
    found = assess_fit(histogram, fit_macenko(histogram))
    assert {finding.kind for finding in found.findings} - {"unsure"} == expected
    assert 0 < found.stained_px <= found.seen_px == 40_000
    assert found.explained > 0.97


def test_a_portrait_is_the_same_tissue_in_the_stains_of_the_reference():
    pictures = {name: render_reference(each) for name, each in REFERENCES.items()}
    assert {picture.shape for picture in pictures.values()} == {(112, 176, 3)}
    for name, picture in pictures.items():
        fit = fit_macenko(ColourHistogram.of(picture), beta=0.05)
        wanted = REFERENCES[name].stain_fit
        angles = np.degrees(np.arccos((fit.stains * wanted.stains).sum(1)))
        assert angles.max() < 12, name
    assert pictures["he-pale"].mean() > pictures["he-deep"].mean() + 30


# --- on the command line


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.slow
def test_advise_prints_writes_and_plots(folder, advice, tmp_path):
    said = call("stain", "advise", folder, "--out", tmp_path / "a" / "ref.json")
    assert said.exit_code == 0, said.output
    assert f"reference: {advice.medoid.path}" in said.stdout
    assert all(f"{scanner}.tif" in said.stdout for scanner in SCANNERS)
    saved = load_reference(str(tmp_path / "a" / "ref.json"))
    assert saved == advice.medoid.reference
    plot = tmp_path / "plot.html"
    told = json.loads(call("stain", "advise", folder, "--json", "--plot", plot).stdout)
    assert told == advice.to_dict()
    page = plot.read_text()
    assert "zephyr.tif" in page
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page)


def test_advise_refuses_what_it_cannot_do(folder, tmp_path):
    assert call("stain", "advise", folder, "--plot", tmp_path / "x.pdf").exit_code == 2
    (tmp_path / "empty").mkdir()
    said = call("stain", "advise", tmp_path / "empty")
    assert said.exit_code != 0
    assert "no slides" in said.output


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", ["{}/aurora.tif", "{}/aurora.tif@100,100,900,900", "he-rose"]
)
def test_a_reference_is_saved_with_where_it_comes_from(folder, tmp_path, place):
    out, picture = tmp_path / "new" / "ref.json", tmp_path / "ref.png"
    words = ["--out", out, "--name", "mine", "--picture", picture]
    said = call("stain", "reference", place.format(folder), *words)
    assert said.exit_code == 0, said.output
    saved = load_reference(str(out))
    assert saved.name == "mine"
    assert saved.provenance
    assert Image.open(picture).size == (176, 112)
    image = tmp_path / "normalized.png"
    said = call("normalize", folder / "zephyr.tif", "--reference", out, "--out", image)
    assert said.exit_code == 0, said.output
