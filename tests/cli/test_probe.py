"""`workbench probe`: from annotations to a model that `workbench run` takes."""

from __future__ import annotations

import json

import pytest
import shapely
from click.testing import CliRunner

import workbench as wb
from workbench.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe")
    for seed in (3, 4):
        wb.synthetic.write_slide(folder / f"{seed}.tif", size=(1024, 1024), seed=seed)
        with wb.open_slide(folder / f"{seed}.tif") as slide:
            wb.run(slide, model="tissue-features", out=folder / f"run{seed}")
            annotate(slide, folder)
    return folder


def annotate(slide, folder):
    """Save annotations of a slide: of each half the left or right edge."""
    halves = {"left": (0, 0, 420, 1024), "right": (600, 0, 1024, 1024)}
    notes = wb.open_annotations(slide, folder=folder / "notes")
    for name, bounds in halves.items():
        notes.put(
            wb.Annotation(geometry=shapely.box(*bounds), classification=name), by="me"
        )
    notes.write(folder / f"{slide.name}.geojson")


@pytest.fixture
def call(folder, monkeypatch):
    monkeypatch.chdir(folder)

    def call(*words):
        return CliRunner().invoke(main, [*map(str, words)])

    return call


@pytest.mark.slow
def test_a_probe_becomes_a_model_that_runs(call, folder):
    said = call("probe", "run3", "run4", "--annotations", "notes", "--out", "mine")
    assert said.exit_code == 0, said.output
    counts, accuracy, path = said.output.splitlines()
    assert counts.endswith("right")
    assert accuracy.startswith("Accuracy: ")
    assert "on 2 held-out slides." in accuracy
    assert path == "mine"
    known = json.loads((folder / "mine" / "training.json").read_text())
    sources = {label["source"] for each in known["slides"] for label in each["labels"]}
    assert len(sources) == 4
    assert known["slides"][0]["features"]["model"] == "tissue-features"
    run = call("run", "3.tif", "--model", "mine", "--out", "scored")
    assert run.exit_code == 0, run.output
    assert wb.open_run(folder / "scored").heatmap.classes == ("left", "right")


@pytest.mark.slow
def test_geojson_and_suggestions(call):
    words = ("probe", "run3", "--geojson", "3.tif.geojson", "--suggest", 3, "--json")
    found = json.loads(call(*words).output)
    assert set(found["labels"]) == {"left", "right"}
    assert found["accuracy"]["held_out"] == "block"
    (boxes,) = found["suggested"].values()
    assert len(boxes) == 3
    assert all(x1 - x0 == 224 for x0, _, x1, _ in boxes)
    said = call(*words[:-1]).output
    assert f"3.tif: {','.join(map(str, boxes[0]))}" in said


def test_what_is_wrong_is_said(call):
    missing = call("probe", "run3", "--annotations", "empty")
    assert missing.exit_code == 11
    assert "no class has a label. Label tiles" in missing.output
    files = call("probe", "run3", "run4", "--geojson", "3.tif.geojson")
    assert files.exit_code == 2
    assert "1 files for 2 runs" in files.output


@pytest.mark.slow
def test_another_slide_at_the_path_of_a_run_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    wb.synthetic.write_slide(path, size=(512, 512), seed=3)
    with wb.open_slide(path) as slide:
        run = wb.run(slide, model="tissue-features", out=tmp_path / "run")
    wb.synthetic.write_slide(path, size=(512, 512), seed=4)
    with pytest.raises(wb.errors.TrainingError, match="is not the slide of"):
        wb.training.label_run(run)
