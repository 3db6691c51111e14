"""Measurements agree with pictures whose stain and nuclei are known."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from skimage.measure import regionprops

from workbench.models.registry import find_model
from workbench.stain.optical_density import transmitted
from workbench.stain.references import REFERENCES

STAINS = np.array(REFERENCES["he-standard"].stains)
MAGNIFIED_PX = 26
"""Median diameter of nuclei that tells pictures of BBBC038 at 40x (0.25 µm per pixel)
from those at 20x, which their files do not say."""


def stained(hematoxylin, eosin):
    """Return uint8 (1, 3, H, W) with these concentrations (H, W)."""
    density = np.stack([hematoxylin, eosin], axis=-1) @ STAINS
    grey = np.clip(np.rint(transmitted(density) - 1), 0, 255).astype(np.uint8)
    return torch.from_numpy(grey).permute(2, 0, 1)[None]


def test_concentrations_of_a_made_picture():
    y, x = np.mgrid[:64, :64] / 64
    answer = find_model("stain-concentration")(stained(1.2 * x, 0.8 * y))[0].numpy()
    np.testing.assert_allclose(answer[0], 1.2 * x, atol=0.06)
    np.testing.assert_allclose(answer[1], 0.8 * y, atol=0.06)


def test_glass_has_neither_stain_nor_nuclei():
    glass = torch.full((1, 3, 128, 128), 243, dtype=torch.uint8)
    assert find_model("stain-concentration")(glass).max() < 0.01
    assert find_model("nuclear-density")(glass).max() == 0


def discs(centres, side, radius=3.5):
    y, x = np.mgrid[:side, :side]
    nuclei = np.zeros((side, side))
    for cy, cx in centres:
        distance = np.hypot(y - cy, x - cx)
        nuclei = np.maximum(nuclei, np.clip(radius - distance + 0.5, 0, 1))
    return stained(0.1 + 0.9 * nuclei, np.full((side, side), 0.4))


@pytest.mark.parametrize("radius", [2.5, 3.5, 4.5])
def test_nuclei_of_a_made_picture_are_counted(radius):
    centres = [(y, x) for y in range(20, 130, 16) for x in range(19, 130, 16)]
    model = find_model("nuclear-density")
    answer = model(discs(centres, 150, radius))[0, 0]
    per_nucleus = 1e6 / model.card.mpp**2
    assert answer.unique().tolist() == [0, per_nucleus]
    found = torch.nonzero(answer).numpy()
    assert len(found) == len(centres)
    distance = np.hypot(*(found[:, None] - np.array(centres)[None]).transpose(2, 0, 1))
    assert distance.min(0).max() <= 1.5, "a nucleus is found at its centre"
    mm2 = (150 * model.card.mpp / 1000) ** 2
    assert float(answer.mean()) * mm2 == pytest.approx(len(centres))


def test_each_nucleus_counts_once_across_cores():
    centres = np.random.default_rng(3).uniform(20, 108, (30, 2))
    picture, model = discs(centres, 128), find_model("nuclear-density")
    margin, half = model.card.margin_px, 64
    whole = model(picture)[0, 0]
    for y in (margin, half):
        for x in (margin, half):
            core = half - margin
            part = picture[..., y - margin : y + core + margin, x - margin :]
            answer = model(part)[0, 0, margin:-margin, margin : margin + core]
            assert torch.equal(answer, whole[y : y + core, x : x + core])


def correlation(pairs):
    found, true = np.array(pairs, float).T
    return np.corrcoef(found, true)[0, 1], found.sum() / true.sum()


@pytest.mark.slow
def test_density_of_human_nuclei_in_bbbc038(shared_data):
    """Densities of 54 pictures of tissue, drawn by people (CC0)."""
    model, pairs = find_model("nuclear-density"), []
    folder = shared_data / "nuclei_dsb2018_tissue"
    for path in sorted((folder / "img").glob("*.png")):
        labels = tifffile.imread(folder / "label" / f"{path.stem}.tif")
        sizes = [r.equivalent_diameter_area for r in regionprops(labels)]
        shrink = 4 if np.median(sizes) > MAGNIFIED_PX else 2
        picture = np.array(Image.open(path).convert("RGB").reduce(shrink))
        mm2 = picture[..., 0].size * model.card.mpp**2 / 1e6
        answer = model(torch.from_numpy(picture).permute(2, 0, 1)[None])
        pairs.append((float(answer.mean()), len(sizes) / mm2))
    r, ratio = correlation(pairs)
    print(f"BBBC038: r = {r:.3f}, found / true = {ratio:.2f}")  # noqa: T201 - the finding
    assert r > 0.89
    assert 0.65 < ratio < 1


def test_density_follows_the_nuclei_of_a_carcinoma(shared_data):
    """Counts in 36 squares of 125 µm of one picture, labelled by a network."""
    folder = shared_data / "nuclei_hgsc_nest"
    picture = Image.open(folder / "img" / "hgsc_nest.jpg").convert("RGB").reduce(2)
    tiles = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    answer = find_model("nuclear-density")(tiles)[0, 0].numpy()
    labels = tifffile.imread(folder / "label" / "hgsc_nest.tif")
    centres = np.array([r.centroid for r in regionprops(labels)])
    frame = {"bins": 6, "range": ((0, 750), (0, 750))}
    found = np.histogram2d(*np.nonzero(answer), **frame)[0].ravel()
    true = np.histogram2d(*(centres / 2).T, **frame)[0].ravel()
    r, ratio = correlation(np.stack([found, true], 1))
    print(f"HGSC: r = {r:.3f}, found / true = {ratio:.2f}")  # noqa: T201 - the finding
    assert r > 0.91
    assert 1 < ratio < 1.7
