"""`workbench attention`: from a table of slides to a model and its attention."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import workbench as wb
from feature_files import tiles, write_trident
from workbench.cli import main


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    lines = ["features,diagnosis,patient"]
    for seed in range(8):
        corners, vectors = tiles(40, 12, seed=seed)
        vectors[:4, :4] += 4 * (seed % 2)
        write_trident(folder / f"{seed}.h5", corners, vectors)
        lines.append(f"{seed}.h5,{'benign' if seed % 2 else 'malignant'},p{seed // 2}")
    (folder / "study.csv").write_text("\n".join(lines))
    return folder


def call(*words):
    return CliRunner().invoke(main, ["attention", *map(str, words)])


@pytest.mark.slow
def test_a_table_becomes_a_model_that_gives_attention(study, tmp_path):
    words = ["fit", study / "study.csv", "--by", "diagnosis", "--epochs", 40]
    said = call(*words, "--out", tmp_path / "model.safetensors")
    assert said.exit_code == 0, said.output
    accuracy, path = said.output.splitlines()
    assert "held-out slides" in accuracy
    assert path.endswith("model.safetensors")
    table = tmp_path / "attention.parquet"
    said = call("apply", path, study / "3.h5", "--out", table, "--json")
    assert json.loads(said.stdout.splitlines()[0])["benign"] > 0.8
    scores = wb.open_features(table).scores
    assert set(scores.ranking("attention")[:4]) == set(range(4))


def test_patients_are_held_out_together_and_columns_are_needed(study):
    words = ["fit", study / "study.csv", "--by", "diagnosis", "--epochs", 2]
    found = json.loads(call(*words, "--patient", "patient", "--json").output)
    assert found["labels"] == 8
    refused = call(*words, "--patient", "person")
    assert refused.exit_code == 2
    assert "row 1 of" in refused.output
    assert "has no 'person'" in refused.output


def test_numbers_and_survival_are_fitted_from_columns(study, tmp_path):
    table = tmp_path / "outcomes.csv"
    lines = [f"{study / f'{i}.h5'},{i + 1},{i % 3 > 0:d}" for i in range(8)]
    table.write_text("\n".join(["features,months,died", *lines]))
    words = ["fit", table, "--by", "months", "--epochs", "1"]
    said = call(*words, "--outcome", "number")
    assert said.exit_code == 0, said.output
    assert "R2 " in said.output
    survival = ["--outcome", "survival", "--event", "died"]
    said = call(*words, *survival, "--out", tmp_path / "s.safetensors")
    assert "c-index" in said.output
    said = call("apply", tmp_path / "s.safetensors", study / "3.h5", "--json")
    assert set(json.loads(said.stdout)) == {"risk"}
    wrong = call(*words, "--outcome", "survival")
    assert "survival needs a column of events" in wrong.output
