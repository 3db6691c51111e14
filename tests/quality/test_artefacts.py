"""Artefacts drawn into made slides are found where they are, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import defects
import workbench as wb
from workbench.quality import find_artefacts, measure_quality

DRAWN = {
    "blur": lambda pixels: defects.blur(pixels, (1000, 800, 2200, 2000), 1.5),
    "fold": lambda pixels: defects.fold(
        pixels, [(600, 900), (1500, 1400), (2400, 2200)], 80
    ),
    "pen": lambda pixels: defects.pen(pixels, [(300, 300), (2500, 1500)], 150),
    "air": lambda pixels: defects.air(pixels, (1500, 1600), 300),
}
"""The fold is 80 µm wide, the blur has a standard deviation of 1.5 µm."""

LEAST = {
    "blur": (0.65, 0.9),
    "fold": (0.6, 0.8),
    "pen": (0.9, 0.85),
    "air": (0.95, 0.9),
}
"""Least recall and precision, by cells of 8 µm."""

ALSO = {"air": {"blur"}}
"""What lies under a bubble is out of focus, too."""


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    return defects.render(tmp_path_factory.mktemp("made"))


def compared(artefacts, name, truth):
    """Return recall and precision of an artefact."""
    rows, columns = artefacts.tissue.mask.shape
    size = columns, rows
    truth = cv2.resize(truth.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
    found = artefacts.masks[name]
    wanted = truth & artefacts.tissue.mask if name in ("blur", "fold") else truth
    recall = (found & wanted).sum() / wanted.sum()
    return recall, (found & truth).sum() / max(1, found.sum())


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_a_drawn_artefact_is_found_where_it_is(name, pixels, tmp_path):
    damaged = pixels.copy()
    truth = DRAWN[name](damaged)
    with wb.open_slide(defects.as_slide(damaged, tmp_path / "slide.tif")) as slide:
        found, quality = find_artefacts(slide), measure_quality(slide)
    assert set(quality.flags) == {name} | ALSO.get(name, set())
    recall, precision = compared(found, name, truth)
    assert (recall, precision) >= LEAST[name]
    assert precision >= LEAST[name][1]
    left = found.without([name])
    assert not (left.mask & found.masks[name]).any()


@pytest.mark.slow
@pytest.mark.parametrize("scanner", wb.synthetic.SCANNERS)
def test_a_made_slide_is_in_focus_at_its_pixel_size_alone(scanner, tmp_path):
    path = tmp_path / "slide.tif"
    wb.synthetic.write_slide(path, size=(2048, 2048), seed=1, scanner=scanner)
    with wb.open_slide(path) as slide:
        quality = measure_quality(slide)
    assert set(quality.flags) <= {"fold"}  # made slides have a small one
    assert -2.3 < quality.sharpness < -1
    with wb.open_slide(path, mpp=1.0) as slide:
        assert "magnification" in measure_quality(slide).flags


def test_an_empty_slide_has_no_tissue(tmp_path):
    glass = np.full((512, 512, 3), 240, np.uint8)
    with wb.open_slide(defects.as_slide(glass, tmp_path / "glass.tif")) as slide:
        quality = measure_quality(slide)
    assert quality.flags == ("no tissue",)
    assert quality.hashes == ()
    assert np.isnan(quality.nucleus_um)


REAL = {
    "wsi/CMU-1-Small-Region.svs": 0.499,
    "wsi/HE_TMA_core_0.5mpp.ome.tif": 0.5,
    "mosaic_cc0_nuclei/dsb_mosaic.tif": 0.25,
    "nuclei_hgsc_nest/img/hgsc_nest.jpg": 0.5,
    "tiles/tiatoolbox_target_image.png": 0.5,
    "tiles/histoprep_slide.jpeg": 0.5,
    "stain_oracle/HEnorm_example1.png": 0.5,
}
"""Real H&E in focus, with its pixel size (of the last three: about)."""

PENS = (
    "histoqc_pen_red.png",
    "histolab/tcga-red-pen.png",
    "histolab/tcga-green-pen.png",
)


@pytest.mark.slow
def test_real_tissue_is_clean_in_focus_and_blurred_out_of_it(shared_data, tmp_path):
    for name, mpp in REAL.items():
        with wb.open_slide(shared_data / name, mpp=mpp) as slide:
            assert measure_quality(slide).flags == (), name
            pixels = slide.read(slide.box).pixels
        soft = cv2.GaussianBlur(pixels, (0, 0), 1.5 / mpp)
        path = defects.as_slide(soft, tmp_path / "soft.tif", mpp)
        with wb.open_slide(path) as slide:
            assert measure_quality(slide).blur > 0.8, name


@pytest.mark.slow
def test_real_pens_are_found(shared_data):
    for name in PENS:
        with wb.open_slide(shared_data / "tiles" / name, mpp=16) as slide:
            assert "pen" in measure_quality(slide).flags, name
