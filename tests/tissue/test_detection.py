"""Tissue is found on real pictures, and none is made up on glass and ink."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from workbench.geometry import Box
from workbench.slide.region import Region
from workbench.slide.slide import open_slide
from workbench.tissue import Tissue, artefact_mask, find_tissue, tissue_mask

GLASS = 240
EOSIN = (226, 160, 190)

WHOLE_PICTURES = [
    # name, least and most tissue: estimated by eye from the picture itself
    ("histolab/almost-white-1.png", 0.0, 0.001),
    ("histolab/no-tissue.png", 0.0, 0.002),
    ("histolab/no-tissue-line.png", 0.0, 0.01),
    ("histolab/high-nuclei-score-level2.png", 0.10, 0.18),
    ("histolab/low-nuclei-score-level0.png", 0.06, 0.60),
    ("histolab/medium-nuclei-score-level1-2.png", 0.90, 1.0),
    ("histolab/medium-nuclei-score-level2.png", 0.65, 0.88),
    ("histolab/tissue-level0-7352-11762-7864-12274.png", 0.70, 0.88),
    ("histolab/tissue-level2-3000-7666-7096-11763.png", 0.50, 0.80),
    ("histolab/tissue-level2-4760-5241-8856-9338.png", 0.55, 0.78),
    ("histolab/medium-nuclei-score-green-pen-level1.png", 0.25, 0.42),
    ("histolab/tcga-green-pen.png", 0.65, 0.82),
    ("histolab/tcga-red-pen.png", 0.45, 0.65),
    ("histolab/very-low-nuclei-score-red-pen-level1.png", 0.02, 0.25),
    ("histolab/diagnostic-slide-thumb-rgb.png", 0.35, 0.55),
    ("histoprep_slide.jpeg", 0.60, 0.82),
    ("histoprep_slide_with_ink.jpeg", 0.20, 0.38),
    ("histoqc_pen_red.png", 0.38, 0.50),
    ("histoqc_template1.png", 0.90, 1.0),
    ("histoqc_template2.png", 0.70, 1.0),
]

PLACES = [
    # name, box (x0, y0, x1, y1) as shares of the picture, what is seen there
    ("histolab/high-nuclei-score-level2.png", (0.1, 0.02, 0.5, 0.2), "tissue"),
    ("histolab/high-nuclei-score-level2.png", (0.0, 0.5, 1.0, 1.0), "none"),
    ("histolab/tcga-green-pen.png", (0.43, 0.1, 0.50, 0.4), "none"),
    ("histolab/tcga-green-pen.png", (0.7, 0.1, 1.0, 0.9), "tissue"),
    ("histolab/tcga-red-pen.png", (0.12, 0.5, 0.28, 0.85), "none"),
    ("histolab/tcga-red-pen.png", (0.6, 0.3, 1.0, 0.9), "tissue"),
    ("histolab/very-low-nuclei-score-red-pen-level1.png", (0.3, 0.7, 0.7, 1), "none"),
    ("histolab/medium-nuclei-score-green-pen-level1.png", (0, 0.15, 0.4, 0.5), "none"),
    ("histolab/diagnostic-slide-thumb-rgb.png", (0.3, 0.87, 0.6, 0.94), "none"),
    ("histolab/diagnostic-slide-thumb-rgb.png", (0.35, 0.79, 0.65, 0.83), "tissue"),
    ("histolab/diagnostic-slide-thumb-rgb.png", (0.83, 0.57, 0.845, 0.62), "none"),
    ("histoqc_pen_red.png", (0.2, 0.3, 0.7, 0.8), "tissue"),
    ("histoqc_pen_red.png", (0.09, 0.25, 0.15, 0.75), "none"),
    ("histoqc_pen_red.png", (0.86, 0.0, 1.0, 1.0), "none"),
    ("histoprep_slide_with_ink.jpeg", (0.65, 0.91, 0.71, 1.0), "none"),
    ("histoprep_slide_with_ink.jpeg", (0.3, 0.3, 0.45, 0.5), "tissue"),
]


@cache
def picture(folder, name):
    """Return a picture; the large ones, of whole slides, at a quarter of their size."""
    with Image.open(folder / "tiles" / name) as image:
        shrink = 4 if image.width > 2000 else 1
        return np.asarray(image.convert("RGB").reduce(shrink))


def glass(height=256, width=256, *, noise=1.5, colour=(GLASS, GLASS, GLASS)):
    rng = np.random.default_rng(0)
    clean = np.array(colour) + rng.normal(0, noise, (height, width, 3))
    return np.clip(clean, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("name", "least", "most"), WHOLE_PICTURES)
def test_share_of_tissue_on_real_pictures(shared_data, name, least, most):
    assert least <= tissue_mask(picture(shared_data, name)).mean() <= most


@pytest.mark.parametrize(("name", "place", "seen"), PLACES)
def test_tissue_and_ink_lie_where_they_are_seen(shared_data, name, place, seen):
    mask = tissue_mask(picture(shared_data, name))
    rows, columns = mask.shape
    x0, x1 = round(place[0] * columns), round(place[2] * columns)
    y0, y1 = round(place[1] * rows), round(place[3] * rows)
    share = mask[y0:y1, x0:x1].mean()
    assert share > 0.85 if seen == "tissue" else share < 0.08


@pytest.mark.parametrize(("strength", "least"), [(1.0, 0.7), (0.5, 0.65), (0.3, 0.55)])
def test_pale_tissue_is_still_tissue(shared_data, strength, least):
    full = picture(shared_data, "histolab/tissue-level0-7352-11762-7864-12274.png")
    # Fading in optical density is what thin sections and weak staining do.
    faded = 245 * (np.maximum(full, 1) / 245.0) ** strength
    share = tissue_mask(np.clip(faded, 0, 255).astype(np.uint8)).mean()
    assert least < share < 0.88


@pytest.mark.parametrize(
    "tint", [(255, 255, 255), (240, 240, 240), (244, 240, 232), (235, 238, 243)]
)
@pytest.mark.parametrize("noise", [0, 1.5, 4])
def test_glass_of_any_tint_is_blank(tint, noise):
    assert tissue_mask(glass(noise=noise, colour=tint)).mean() < 0.001


def test_shading_of_the_lamp_is_not_tissue():
    shade = np.linspace(180, 245, 512)[None, :, None].repeat(256, 0).repeat(3, 2)
    assert not tissue_mask(shade.astype(np.uint8)).any()


@pytest.mark.parametrize(
    ("ink", "pixels"),
    [
        ("red", (205, 30, 45)),
        ("green", (20, 120, 100)),
        ("blue", (40, 60, 160)),
        ("black", (25, 25, 28)),
    ],
)
def test_ink_on_glass_is_an_artefact_and_no_tissue(ink, pixels):
    marked = glass()
    marked[100:140, 20:230] = pixels
    assert not tissue_mask(marked).any(), ink
    assert artefact_mask(marked)[105:135, 30:220].mean() > 0.95


def test_the_pale_rim_of_red_ink_is_ink_but_pink_alone_is_not():
    marked = glass()
    marked[80:160, 20:230] = (224, 160, 180)
    assert artefact_mask(marked).mean() == 0
    marked[100:140, 40:210] = (205, 30, 45)
    assert artefact_mask(marked)[85:155, 30:220].mean() > 0.95


@pytest.mark.parametrize(
    ("glass_colour", "eosin"),
    [((240, 236, 232), (0.22, 0.80, 0.56)), ((245, 244, 246), (0.07, 0.99, 0.32))],
)
def test_pure_eosin_of_any_laboratory_is_no_ink(glass_colour, eosin):
    rng = np.random.default_rng(0)
    amount = rng.gamma(2, 0.4, (40, 40, 1)).repeat(8, 0).repeat(8, 1)
    light = np.array(glass_colour) * np.exp(-amount * np.array(eosin))
    scan = np.clip(light + rng.normal(0, 1.6, light.shape), 0, 255).astype(np.uint8)
    assert artefact_mask(scan).mean() < 0.001


@pytest.mark.parametrize("name", ["histoqc_template1.png", "torchstain_source.png"])
def test_stained_tissue_is_no_artefact(shared_data, name):
    assert artefact_mask(picture(shared_data, name)).mean() < 0.005


def test_black_edges_are_no_tissue():
    framed = glass()
    framed[:30] = 0
    framed[:, -25:] = 3
    assert not tissue_mask(framed).any()


def test_specks_go_and_small_holes_close_by_their_size_on_the_slide():
    scene = glass(400, 400, noise=0)
    cv2.circle(scene, (200, 200), 120, EOSIN, -1)
    cv2.circle(scene, (200, 200), 5, (GLASS,) * 3, -1)
    cv2.circle(scene, (40, 40), 5, EOSIN, -1)
    near, far = tissue_mask(scene, mpp=4.0), tissue_mask(scene, mpp=32.0)
    assert near[200, 200]
    assert not near[40, 40]
    assert not far[200, 200]
    assert far[40, 40]


@pytest.mark.parametrize("shape", [(0, 0, 3), (0, 5, 3), (1, 1, 3), (1, 40, 3)])
def test_pictures_of_next_to_nothing(shape):
    pixels = np.full(shape, 200, np.uint8)
    assert tissue_mask(pixels).shape == shape[:2]
    assert artefact_mask(pixels).shape == shape[:2]


def test_pixels_are_left_alone():
    pixels = glass()
    pixels.flags.writeable = False
    before = pixels.copy()
    tissue_mask(pixels)
    artefact_mask(pixels)
    assert (pixels == before).all()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_fraction_is_the_exact_share_of_a_box(data):
    rows, columns = data.draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    cell = data.draw(st.sampled_from([1, 3, 8]))
    bits = data.draw(st.lists(st.booleans(), min_size=49, max_size=49))
    mask = np.array(bits[: rows * columns]).reshape(rows, columns)
    edge = st.integers(-10, 70)
    x0, x1 = sorted(data.draw(st.tuples(edge, edge)))
    y0, y1 = sorted(data.draw(st.tuples(edge, edge)))
    full = np.pad(mask.repeat(cell, 0).repeat(cell, 1), ((10, 80), (10, 80)))
    box = Box(x0, y0, x1, y1)
    share = full[y0 + 10 : y1 + 10, x0 + 10 : x1 + 10].sum() / max(box.area, 1)
    assert Tissue(mask, float(cell)).fraction(box) == pytest.approx(share, abs=1e-12)


def test_fractions_of_many_boxes_and_of_none():
    tissue = Tissue(np.eye(4, dtype=bool), 10.0)
    boxes = [Box(0, 0, 10, 10), Box(10, 0, 20, 10), Box(0, 0, 40, 40)]
    assert tissue.fractions(boxes).tolist() == [1.0, 0.0, 0.25]
    assert tissue.fractions([]).shape == (0,)
    assert tissue.fraction(Box(5, 5, 5, 9)) == 0


def test_area():
    assert Tissue(np.ones((10, 20), bool), 16.0).area_mm2(0.5) == pytest.approx(
        200 * 0.008**2
    )


@dataclass
class PictureSlide:
    """A slide of one picture, read by nearest neighbour."""

    pixels: np.ndarray
    mpp: float | None = None
    asked: tuple = ()

    @property
    def size(self):
        return self.pixels.shape[1], self.pixels.shape[0]

    def read(self, box, *, size):
        self.asked = (box, size)
        columns = np.linspace(box.x0, box.x1, size[0], endpoint=False).astype(int)
        rows = np.linspace(box.y0, box.y1, size[1], endpoint=False).astype(int)
        height, width, _ = self.pixels.shape
        seen = self.pixels[np.minimum(rows, height - 1)][
            :, np.minimum(columns, width - 1)
        ].copy()
        return Region(seen, box, None)


def scene_slide(mpp):
    scene = glass(900, 1500)
    cv2.circle(scene, (500, 450), 300, EOSIN, -1)
    return PictureSlide(scene, mpp)


@pytest.mark.parametrize("mpp", [None, 0.25, 2.0, 20.0])
def test_tissue_of_a_slide_lies_in_its_frame(mpp):
    tissue = find_tissue(scene_slide(mpp))
    assert tissue.fraction(Box(400, 350, 600, 550)) == 1
    assert tissue.fraction(Box(1000, 0, 1500, 900)) == 0
    rows, columns = tissue.mask.shape
    assert columns * tissue.downsample >= 1500 > (columns - 1) * tissue.downsample
    assert rows * tissue.downsample >= 900 > (rows - 1) * tissue.downsample


@pytest.mark.slow
def test_tissue_is_read_at_the_resolution_that_is_asked():
    assert find_tissue(scene_slide(0.5), mpp=8.0).downsample == 16
    assert find_tissue(scene_slide(0.5), mpp=4.0).downsample == 8
    assert find_tissue(scene_slide(None)).downsample == 1


def test_a_blank_slide_has_no_tissue():
    assert not find_tissue(PictureSlide(glass(700, 500), 0.5)).mask.any()


def test_tissue_of_a_real_slide_lies_where_it_is_seen(shared_data):
    with open_slide(shared_data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        tissue = find_tissue(slide)
    assert tissue.downsample == 16
    assert 0.28 < tissue.mask.mean() < 0.45
    # Epithelium, a dark fold of it, and glass left and right.
    assert tissue.fraction(Box(950, 900, 1350, 1500)) > 0.95
    assert tissue.fraction(Box(1640, 1380, 1720, 1480)) > 0.9
    assert tissue.fraction(Box(50, 1250, 700, 1850)) < 0.02
    assert tissue.fraction(Box(1700, 100, 2200, 500)) < 0.02


def test_a_slide_without_mpp_has_tissue_too(shared_data):
    with open_slide(shared_data / "wsi" / "camelyon_overview_29mpp.dcm") as slide:
        assert slide.mpp is None
        tissue = find_tissue(slide)
    assert 0.18 < tissue.mask.mean() < 0.3
    assert tissue.fraction(Box(120, 250, 200, 500)) > 0.95
    assert tissue.fraction(Box(900, 600, 1140, 690)) < 0.05
