"""Slides that look the same are found in any format and turn; others are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import workbench as wb
from workbench.quality.likeness import ALIKE, alike, overview_hash


def overview(tmp_path, seed):
    path = tmp_path / f"{seed}.tif"
    wb.synthetic.write_slide(path, size=(1024, 1024), seed=seed)
    with wb.open_slide(path) as slide:
        pixels = slide.thumbnail(256).pixels
        mask = wb.find_tissue(slide).mask.view(np.uint8)
    size = pixels.shape[1], pixels.shape[0]
    return pixels, cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 0


@pytest.mark.slow
def test_copies_are_alike_and_other_slides_are_not(tmp_path):
    made = {str(seed): overview(tmp_path, seed) for seed in range(4)}
    hashes = {name: overview_hash(*each) for name, each in made.items()}
    assert alike(hashes) == {}
    pixels, tissue = made["2"]
    deeper = np.clip(pixels.astype(float) * (0.9, 0.85, 0.92), 0, 255).astype(np.uint8)
    turned = np.rot90(deeper[:, ::-1]), np.rot90(tissue[:, ::-1])
    small = [cv2.resize(p.astype(np.uint8), (190, 190)) for p in turned]
    hashes["again"] = overview_hash(small[0], small[1] > 0)
    assert alike(hashes) == {"2": ["again"], "again": ["2"]}
    assert 0 < ALIKE < 0.5


def test_nothing_has_no_hash():
    blank = np.zeros((64, 64, 3), np.uint8)
    assert overview_hash(blank, np.zeros((64, 64), bool)) == ()
    assert alike({"a": ()}) == {}
