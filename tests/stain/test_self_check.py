"""`workbench stain check` finds ways that differ, and says so."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from stained_slide import stained_pixels, write_stained
from workbench.cli import main
from workbench.slide.slide import open_slide
from workbench.stain import self_check
from workbench.stain.normalizer import Normalizer, fit_normalizer
from workbench.stain.registry import METHODS
from workbench.stain.self_check import Comparison, check_consistency
from workbench.stain.tissue_sample import sample_tiles

STEP = 257
"""Colours left out between two that are compared: prime, so all levels occur."""


@pytest.fixture(scope="module")
def pixels():
    return stained_pixels(512, 256)


@pytest.fixture(scope="module")
def tiles(pixels):
    return np.stack([pixels[:128, :128], pixels[64:192, 192:320]])


def named(comparisons):
    return {each.name: each for each in comparisons}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_all_ways_agree(method, pixels, tiles):
    normalizer = fit_normalizer(pixels, method=method)
    found = check_consistency(normalizer, tiles, step=STEP)
    assert all(each.passed for each in found)
    for each in found:
        if each.allowed == (0, 0.0):
            assert (each.largest, each.mean, each.share) == (0, 0, 0)


@pytest.mark.slow
def test_a_wrong_way_to_an_array_is_found(pixels, tiles):
    normalizer = fit_normalizer(pixels)

    class Wrong(Normalizer):
        def forward(self, given):
            made = super().forward(given)
            return made ^ 8 if isinstance(given, np.ndarray) else made

    wrong = Wrong(normalizer.colour_map)
    found = named(check_consistency(wrong, tiles, step=STEP))
    assert found["float32 against float64"].passed
    # A difference of eight levels, everywhere but for rounding.
    served = found["as served against float64"]
    assert not served.passed
    assert served.largest in {8, 9}
    assert served.mean == pytest.approx(8, abs=1e-3)
    assert served.share == 1
    assert found["table against closed form"].passed
    tensors = found["tensors against arrays"]
    assert not tensors.passed
    assert (tensors.largest, tensors.mean, tensors.share) == (8, 8, 1)


def test_a_batch_that_depends_on_its_neighbours_is_found(pixels, tiles):
    class Neighbourly(Normalizer):
        def forward(self, given):
            made = super().forward(given)
            return np.roll(made, 1, axis=0)

    wrong = Neighbourly(fit_normalizer(pixels).colour_map)
    found = self_check._compare_batch(wrong, tiles)
    assert not found.passed
    assert found.largest > 0


@pytest.mark.slow
def test_arithmetic_that_drifts_is_found(pixels, tiles):
    exact = fit_normalizer(pixels).colour_map

    class Drifting:
        formula = exact.formula

        def __call__(self, colours, *, kind=np.float32):
            return exact(colours, kind=kind) + (0.01 if kind is np.float32 else 0)

    normalizer = Normalizer(Drifting())
    found = named(check_consistency(normalizer, tiles, step=STEP))
    for way in ("float32 against float64", "table against closed form"):
        drift = found[way]
        assert drift.largest == 1
        assert drift.share > 1e-3
        assert not drift.passed
    assert found["as served against float64"].passed


def test_bounds_are_those_of_the_difference_and_of_the_share():
    allowed = (1, 1e-4)
    assert Comparison("", "", 1, 0.0, 1e-4, allowed).passed
    assert not Comparison("", "", 2, 0.0, 1e-5, allowed).passed
    assert not Comparison("", "", 1, 0.0, 2e-4, allowed).passed
    assert Comparison("", "", skipped="no GPU").to_dict()["passed"] is True


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    return write_stained(folder / "slide.tif", width=1536, height=1280)


@pytest.fixture
def quick(monkeypatch):
    """Compare no arithmetic."""

    def some(normalizer, tiles):
        each = Comparison("CPU against GPU", "no tile", skipped="there is none here")
        return self_check._compare_batch(normalizer, tiles), each

    monkeypatch.setattr("workbench.stain.self_check.check_consistency", some)


def check(slide, *words):
    return CliRunner().invoke(main, ["stain", "check", str(slide), *words])


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_slide_is_checked_by_every_method(slide):
    said = check(slide)
    assert said.exit_code == 0, said.output
    for method in METHODS:
        assert f"\n{method}" in f"\n{said.stdout}"
    rows = [line for line in said.stdout.splitlines() if line.startswith("  ")]
    assert len(rows) == 2 * len(METHODS)
    assert all(" ok " in row or "not measured" in row for row in rows)


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_json_has_the_figures(slide):
    words = ["--method", "macenko", "--reference", "he-deep", "--json"]
    told = json.loads(check(slide, *words).stdout)
    assert told["reference"] == "he-deep"
    (rows,) = told["methods"].values()
    assert list(told["methods"]) == ["macenko"]
    assert {"largest", "mean", "share", "allowed", "passed"} <= rows[0].keys()
    assert rows[0]["largest"] <= 1


def test_out_of_bounds_ends_with_status_one(slide, monkeypatch):
    wrong = Comparison("batch against single", "2 tiles", 3, 0.5, 0.25)
    monkeypatch.setattr(
        "workbench.stain.self_check.check_consistency", lambda *_: (wrong,)
    )
    said = check(slide, "--method", "reinhard")
    assert said.exit_code == 1
    assert " NO " in said.stdout
    assert "25.00000%" in said.stdout
    assert "above its limit" in said.stderr
    as_json = check(slide, "--method", "reinhard", "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["methods"]["reinhard"][0]["passed"] is False


def test_a_slide_without_tissue_is_an_error_of_its_own(tmp_path):
    from PIL import Image  # noqa: PLC0415 - for this test alone

    path = tmp_path / "blank.png"
    Image.fromarray(np.full((600, 600, 3), 245, np.uint8)).save(path)
    said = check(path)
    assert said.exit_code == 5
    assert "no tissue" in said.stderr


def test_sampled_tiles_are_of_tissue_and_always_the_same(slide):
    with open_slide(slide) as opened:
        tiles = sample_tiles(opened, max_tiles=4)
        again = sample_tiles(opened, max_tiles=4)
    assert tiles.dtype == np.uint8
    assert tiles.shape == (4, 256, 256, 3)
    np.testing.assert_array_equal(tiles, again)
    assert all(tile.min(axis=2).mean() < 200 for tile in tiles)
