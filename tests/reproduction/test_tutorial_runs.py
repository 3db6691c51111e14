"""What the tutorials compute is computed again, identical; changes name their cause."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import workbench as wb
from workbench.results.run_record import RECORD

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("0*.ipynb"))


def execute(path, folder):
    """Execute a tutorial in a folder; return the folders of its runs."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources=resources
    ).execute()
    return sorted(file.parent for file in folder.rglob(RECORD))


@pytest.mark.notebook
@pytest.mark.thorough
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_run_of_a_tutorial_is_identical(path, tmp_path, monkeypatch):
    runs = execute(path, tmp_path)
    monkeypatch.chdir(tmp_path)  # slides and models have relative names
    for run in runs:
        again = wb.replay(run)
        assert again.identical, f"{run}: {again}"
        assert again.causes == (), run
    # The second tutorial normalizes, and runs nothing.
    assert runs or path.stem.startswith("02")


@pytest.mark.notebook
@pytest.mark.thorough
def test_changed_slides_weights_and_versions_are_the_cause(tmp_path, monkeypatch):
    (path,) = [each for each in NOTEBOOKS if each.stem.startswith("07")]
    (run,) = execute(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    again = wb.replay(run, model="models/plain")
    assert not again.identical
    assert "The model has other weights" in again.causes[0]
    again = wb.replay(run, slide="1.tif")
    assert not again.identical
    assert "The slide has another content" in again.causes[0]
    record = json.loads((run / RECORD).read_text())
    record["sessions"][0]["packages"]["torch"] = "1.0"
    (run / RECORD).write_text(json.dumps(record))
    again = wb.replay(run)
    assert again.identical
    (cause,) = again.causes
    assert cause.startswith("The versions differ: torch ")
    assert "not 1.0" in cause
