"""Runs on a focal plane: its pixels are used, and its number names the run."""

from __future__ import annotations

import numpy as np
import pytest

import made_slides
import workbench as wb
from made_planes import PLANES, ome_tiff
from workbench.errors import RecipeMismatchError

CARD = wb.ModelCard(
    name="colours", task="classification", classes=("r", "g", "b"), mpp=0.5, tile_px=64
)


def run_on(slide, out):
    model = wb.Model(CARD, lambda tiles: tiles.mean((2, 3)))
    return wb.run(slide, model=model, tissue_only=False, device="cpu", out=out)


@pytest.fixture
def stack(tmp_path):
    path, _ = ome_tiff(tmp_path)
    with wb.open_slide(path) as slide:
        yield slide


def test_a_run_uses_the_plane_and_names_it(stack, tmp_path):
    flat = made_slides.write_tiff(tmp_path / "flat.tif", PLANES[2], mpp=0.5)
    upper = run_on(stack.at_plane(2), tmp_path / "upper")
    with wb.open_slide(flat) as slide:
        alone = run_on(slide, tmp_path / "alone")
    np.testing.assert_allclose(upper.heatmap.values, alone.heatmap.values, atol=0.01)
    assert upper.record["slide"]["plane"] == 2
    assert wb.provenance.provenance_of(upper).slide["plane"] == 2
    assert "plane" not in alone.record["slide"]


def test_a_run_is_not_continued_on_another_plane(stack, tmp_path):
    run_on(stack, tmp_path / "run")
    with pytest.raises(RecipeMismatchError, match="plane"):
        run_on(stack.at_plane(1), tmp_path / "run")


def test_a_run_on_a_plane_is_computed_again_on_it(stack, tmp_path):
    options = {"model": "stain-concentration", "tissue_only": False, "device": "cpu"}
    run = wb.run(stack.at_plane(2), **options, out=tmp_path / "run")
    replayed = wb.replay(run.path, out=tmp_path / "again")
    assert replayed.identical
    again = wb.open_run(next((tmp_path / "again").glob("**/run.json")).parent)
    assert again.record["slide"]["plane"] == 2
