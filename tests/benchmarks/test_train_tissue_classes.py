"""The training of the bundled classifier: labels, recipe, card."""

from __future__ import annotations

import importlib.util
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from stained_slide import write_stained
from workbench.models.card import ModelCard
from workbench.models.registry import find_model
from workbench.training.loop.labels import read_rows

pytestmark = pytest.mark.slow  # a network is trained


@pytest.fixture
def script(repository, monkeypatch):
    path = repository / "scripts" / "train_tissue_classes.py"
    spec = importlib.util.spec_from_file_location("train_tissue_classes", path)
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "train_tissue_classes", made)
    spec.loader.exec_module(made)
    return made


def test_the_script_trains_its_recipe_and_writes_a_card(script, tmp_path, monkeypatch):
    columns = np.arange(6, dtype=np.uint8)[None].repeat(8, axis=0)
    for name, value in {
        "write_slide": lambda path, **_: write_stained(path, width=768, height=512),
        "load_truth": lambda _: SimpleNamespace(class_map=columns),
        "RECIPE": script.RECIPE.replace(epochs=1, batch_size=8),
    }.items():
        monkeypatch.setattr(script, name, value)
    out, folder = tmp_path / "model", tmp_path / "work"
    asked = ["train.py", "--folder", str(folder), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", asked)
    labels = script.write_labels
    monkeypatch.setattr(script, "write_labels", lambda path: labels(path, (100,)))
    script.main()

    rows = read_rows(folder / "slides.csv")
    assert {row.slide.stem.split("-")[0] for row in rows} == {*script.SCANNERS} - {
        script.HELD_OUT
    }
    assert {(row.patient, row.split) for row in rows} == {
        ("seed 100", "train"),
        ("seed 106", "validation"),
    }
    record = json.loads((folder / "tissue-classes" / "training.json").read_text())
    counts = record["identity"]["examples"]["tiles"]
    assert counts["train"] == counts["validation"] == [12] * 6
    bundled = find_model("tissue-classes").card
    written = find_model(out / "tissue-classes.json").card
    own = {"sha256": bundled.sha256}
    assert ModelCard.model_validate({**written.model_dump(), **own}) == bundled
