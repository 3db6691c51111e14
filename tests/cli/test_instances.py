"""Finding objects from the command line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from workbench.cli import main
from workbench.results.run import open_run
from workbench.synthetic import write_slide

MODEL = "nuclei-watershed"


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "slide.tiff"
    write_slide(path, size=(1024, 1024), mpp=1.0, seed=1)
    return path


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.slow
def test_a_run_says_how_many_objects_it_found_and_exports_them(slide, tmp_path):
    out = tmp_path / "run"
    words = ["run", slide, "--model", MODEL, "--no-tissue-only", "--out", out]
    said = call(*words, "--batch-size", "1", "--region", "0,0,600,600")
    assert said.exit_code == 0, said.output
    assert said.stdout.strip() == str(out)
    count = len(open_run(out).instances)
    assert count > 0
    assert f"{count:,} instances: {count:,} nucleus" in said.stderr
    path = tmp_path / "nuclei.geojson"
    assert call("export", out, path).exit_code == 0
    assert len(json.loads(path.read_text())["features"]) == count


@pytest.mark.slow
def test_the_least_score_can_be_asked_for(slide, tmp_path):
    words = ["run", slide, "--model", MODEL, "--no-tissue-only"]
    words += ["--batch-size", "1", "--region", "0,0,300,300"]
    every, sure = tmp_path / "every", tmp_path / "sure"
    for out, least in ((every, 0.0), (sure, 0.95)):
        said = call(*words, "--out", out, "--min-score", least)
        assert said.exit_code == 0, said.output
    scores = open_run(every).instances.columns(["score"])["score"]
    kept = open_run(sure).instances.columns(["score"])["score"]
    assert 0 < (scores >= 0.95).sum() < len(scores)
    # Objects at the border of tiles are settled by who claims them.
    assert kept.min() >= 0.95
    assert abs(len(kept) - (scores >= 0.95).sum()) <= 1
    wrong = call("run", slide, "--model", "nuclear-density", "--min-score", 0.5)
    assert wrong.exit_code != 0
    assert "does not predict instances" in wrong.stderr


def test_models_that_find_objects_are_listed_as_such():
    said = call("models")
    assert f"{MODEL}  (instances, " in said.stdout
    (card,) = (
        card
        for card in json.loads(call("models", "--json").stdout)
        if card["name"] == MODEL
    )
    assert card["task"] == "instances"
