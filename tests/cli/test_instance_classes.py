"""`workbench instances`: learn from corrected nuclei, classify those of runs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

import workbench as wb
from workbench.cli import main
from workbench.instances import InstanceEdits


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    found = []
    for seed in (1, 2):
        path = folder / f"{seed}.tif"
        wb.synthetic.write_slide(path, size=(768, 768), mpp=0.5, seed=seed)
        with wb.open_slide(path) as slide:
            run = wb.run(
                slide,
                model="nuclei-watershed",
                tissue_only=False,
                out=folder / path.stem,
            )
        found.append(run)
    return found


def call(*words):
    return CliRunner().invoke(main, ["instances", *map(str, words)])


def sizes(run):
    areas = run.final_instances.columns(["area_um2"])["area_um2"]
    return np.where(areas > np.median(areas), "large", "small")


@pytest.mark.slow
def test_classes_are_learnt_from_edits_and_given_to_another_run(runs, tmp_path):
    one, two = runs
    edits = InstanceEdits(one.final_instances)
    names = sizes(one)
    for name in ("large", "small"):
        edits.reclassify(np.flatnonzero(names == name)[::2].tolist(), name, by="me")
    file = tmp_path / "size.safetensors"
    said = call("learn", one.path, "--out", file)
    assert said.exit_code == 0, said.output
    counts, accuracy, path = said.output.splitlines()
    assert counts.endswith(" small")
    assert accuracy.startswith("Accuracy: ")
    assert path == str(file)
    known = wb.training.open_instance_classifier(file).provenance
    assert known["labels_from"] == "edits"
    said = call("classify", two.path, "--classifier", file, "--by", "you")
    assert said.exit_code == 0, said.output
    now = InstanceEdits(two.final_instances)
    assert {line["by"] for line in now.history} == {"you"}
    given = np.array(now.current.classes)[now.current.columns(["class"])["class"]]
    assert (given == sizes(two)).mean() > 0.8
    assert f"{(given == 'large').sum():,} now large" in said.output


@pytest.mark.slow
def test_given_ids_are_labels(runs, tmp_path):
    (one, _), file = runs, tmp_path / "labels.csv"
    names = sizes(one)
    rows = "".join(f"{key},{names[key]}\n" for key in range(30))
    file.write_text(f"id,class\n{rows}")
    words = ("learn", one.path, "--out", tmp_path / "a", "--labels", file, "--json")
    found = json.loads(call(*words, "--measure", "area_um2").output)
    assert sum(found["labels"].values()) == 30
    classifier = wb.training.open_instance_classifier(found["file"])
    assert classifier.measures == ("area_um2",)


def test_what_is_wrong_is_said(runs, tmp_path):
    one, two = runs
    file = tmp_path / "labels.csv"
    file.write_text("number,name\n1,a\n")
    said = call("learn", one.path, "--out", tmp_path / "a", "--labels", file)
    assert said.exit_code == 11
    assert "Give columns 'id' and 'class'." in said.output
    said = call("learn", one.path, two.path, "--out", tmp_path / "a", "--labels", file)
    assert said.exit_code == 2
    said = call("classify", one.path, "--classifier", tmp_path / "none")
    assert said.exit_code == 11
    assert "There is no classifier at" in said.output
