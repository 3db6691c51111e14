"""The same made tissue, seen by two scanners, comes to look alike."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.slide.slide import open_slide
from workbench.stain.lookup import rounded
from workbench.stain.normalizer import fit_normalizer
from workbench.synthetic import write_slide
from workbench.tissue import find_tissue


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    slides = {}
    for scanner in ("aurora", "borealis", "zephyr"):
        path = folder / f"{scanner}.tif"
        truth = write_slide(path, size=(1536, 1536), seed=5, scanner=scanner, mpp=0.5)
        slides[scanner] = open_slide(path), truth
    return slides


@pytest.mark.parametrize("scanner", ["aurora", "borealis", "zephyr"])
def test_most_of_what_is_found_is_tissue_and_most_tissue_is_found(scans, scanner):
    slide, truth = scans[scanner]
    size = truth.tissue.shape[::-1]
    tissue = find_tissue(slide)
    cells = (np.indices(truth.tissue.shape) * slide.size[0] / size[0]).astype(int)
    found = tissue.mask[tuple(cells // int(tissue.downsample))]
    assert truth.tissue[found].mean() > 0.9
    # Fat is tissue by the truth, but its cells are as clear as glass.
    fat = truth.class_map == list(truth.classes).index("fat")
    assert found[truth.tissue & ~fat].mean() > 0.85


@pytest.mark.parametrize(("method", "left"), [("macenko", 0.85), ("reinhard", 0.65)])
@pytest.mark.parametrize("pair", [("aurora", "borealis"), ("zephyr", "borealis")])
def test_normalizing_brings_scanners_together(scans, method, left, pair):
    (source, _), (aim, truth) = (scans[name] for name in pair)
    size = truth.tissue.shape[::-1]
    here, there = (slide.read(slide.box, size=size).pixels for slide in (source, aim))
    normalizer = fit_normalizer(source, aim, method=method)
    normalized = rounded(normalizer.colour_map(here)).astype(float)
    inside = truth.tissue
    before = np.abs(here.astype(float) - there)[inside].mean()
    assert np.abs(normalized - there)[inside].mean() < left * before


@pytest.mark.parametrize("pair", [("aurora", "borealis"), ("zephyr", "borealis")])
@pytest.mark.parametrize(
    ("method", "constants", "most"),
    [
        ("vahadane", {}, 3.0),
        # With white measured, what is glass is known better than the constant says,
        # and eosin that absorbs little red may vote.
        ("macenko", {"alpha": 5.0, "beta": 0.05}, 3.0),
        # Its model (gain and shift of L, a and b) is not that of light through
        # stain: the best gains and shifts that there are leave 3.0 to 3.3.
        ("reinhard", {}, 3.8),
    ],
)
def test_normalized_tissue_is_what_the_other_scanner_saw(
    scans, method, constants, most, pair
):
    (source, _), (aim, truth) = (scans[name] for name in pair)
    cells = source.size[0] // truth.tissue.shape[1]
    inside = np.kron(truth.tissue, np.ones((cells, cells), bool))
    here, there = (slide.read(slide.box).pixels for slide in (source, aim))
    normalizer = fit_normalizer(source, aim, method=method, **constants)
    difference = np.abs(normalizer(here)[inside].astype(float) - there[inside])
    assert difference.mean() < most
