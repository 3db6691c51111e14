"""With what a slide is stained: DAB is told from eosin, also beside brown pigment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.ndimage import gaussian_filter

from made_slides import write_tiff
from stained_slide import EOSIN, HEMATOXYLIN
from workbench.cli import main
from workbench.slide.slide import open_slide
from workbench.stain.detection import slide_staining, staining_of
from workbench.stain.optical_density import ColourHistogram

DABS = ([0.268, 0.570, 0.776], [0.21, 0.51, 0.83], [0.33, 0.58, 0.74])
EOSINS = (EOSIN, [0.22, 0.80, 0.56], [0.09, 0.95, 0.28])
MELANIN = np.array([0.38, 0.56, 0.73])
SIDE = 1024


def made(dye, *, share, amount=0.7, pigment=0.0, glass=243, seed=0):
    """Return tissue with nuclei; a share of them, or all around them, has a dye."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    tissue = x**2 + y**2 < 0.2
    dots = rng.random((SIDE, SIDE)) < 0.0016

    def spread(which):
        return np.clip(gaussian_filter(which.astype(float), 5) * 160, 0, 1.2)

    some = dots & (rng.random(dots.shape) < share)
    around = 0.4 + 0.3 * gaussian_filter(rng.random(dots.shape), 9)
    density = 0.6 * spread(dots)[..., None] * HEMATOXYLIN + 0.08 * HEMATOXYLIN
    where = around if share == 1 else spread(some)
    density = density + amount * where[..., None] * np.array(dye)
    spots = dots & (rng.random(dots.shape) < pigment)
    density = density + 1.5 * spread(spots)[..., None] * MELANIN
    pixels = np.where(tissue[..., None], glass * np.exp(-density), glass)
    return np.clip(pixels + rng.normal(0, 2, pixels.shape), 0, 255).astype(np.uint8)


def seen(tmp_path, pixels):
    path = write_tiff(
        tmp_path / "a.tif",
        pixels,
        mpp=0.5,
        compression="jpeg",
        compressionargs={"level": 85},
    )
    with open_slide(path) as slide:
        return slide_staining(slide), path


@pytest.mark.slow
@pytest.mark.parametrize("dye", DABS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.95])
def test_dab_is_seen_also_in_a_few_nuclei(tmp_path, dye, share):
    staining, _ = seen(tmp_path, made(dye, share=share, amount=1.2))
    assert staining.kind == "H-DAB", staining.reason


@pytest.mark.slow
@pytest.mark.parametrize("dye", EOSINS)
@pytest.mark.parametrize(("amount", "pigment"), [(0.5, 0), (1.2, 0), (1.0, 0.3)])
def test_eosin_is_no_dab_and_pigment_on_it_neither(tmp_path, dye, amount, pigment):
    pixels = made(dye, share=1, amount=amount, pigment=pigment)
    staining, path = seen(tmp_path, pixels)
    assert staining.kind == "H&E", staining.reason
    answer = CliRunner().invoke(main, ["stain", "quantify", str(path)])
    assert answer.exit_code
    assert "pink" in answer.output
    assert "--stains H-DAB" in answer.output
    asked = ["stain", "quantify", str(path), "--stains", "H-DAB"]
    assert "h_score" in CliRunner().invoke(main, asked).output


def test_hematoxylin_alone_and_glass_are_neither(tmp_path):
    alone, _ = seen(tmp_path, made(DABS[0], share=0))
    assert alone.kind == "unclear"
    assert "no DAB is seen" in alone.reason
    glass = staining_of(ColourHistogram.of(np.full((64, 64, 3), 243, np.uint8)))
    assert glass.kind == "unclear"
    assert "only 0 stained pixels" in glass.reason


@pytest.mark.slow
def test_real_pictures(shared_data):
    tiles = shared_data / "tiles"
    kinds = {}
    for path in (*tiles.glob("*.*"), *tiles.glob("histolab/*level*.png")):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        found = ColourHistogram.of(pixels)
        kinds[path.name] = staining_of(replace(found, white=found.bare_glass())).kind
    assert kinds.pop("skimage_ihc.png") == "H-DAB"
    assert len(kinds) > 12
    assert set(kinds.values()) == {"H&E"}, kinds


def test_real_slides(shared_data):
    with open_slide(shared_data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        assert slide_staining(slide).kind == "H&E"
