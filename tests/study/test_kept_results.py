"""What is kept of finished runs and ended slides, and when it counts no longer."""

from __future__ import annotations

import json
import os
import shutil

import pytest

import workbench as wb
from made_slides import write_tiff
from studies import two_coloured
from workbench.errors import RunError
from workbench.report.run_report import run_report
from workbench.study import ended_slides, kept_results
from workbench.study.analysis import Analysis
from workbench.study.claims import Claim
from workbench.study.study_table import table_of

RECIPE = wb.Recipe(device="cpu", batch_size=4)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of two slides that were run."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "slides").mkdir()
    for name in "ab":
        file = folder / "slides" / f"{name}.tif"
        write_tiff(file, two_coloured(256, seed=ord(name)), compression="zlib")
    study = wb.make_study(folder / "study", folder / "slides")
    study.run(RECIPE, name="t", workers=0)
    return study


@pytest.fixture
def analysis(made, tmp_path):
    """The analysis of a copy of the study, with the same times of its files."""
    shutil.copytree(made.path.parent, tmp_path / "copy")
    return wb.open_study(tmp_path / "copy" / "study").analysis()


def record_of(analysis, name):
    return analysis.path / name / "run.json"


def change(analysis, name, **facts):
    """Change the record of a run, as another run of the slide would."""
    file = record_of(analysis, name)
    record = json.loads(file.read_text()) | facts
    file.write_text(json.dumps(record))


def rows(analysis):
    return table_of(analysis).set_index("slide")


@pytest.fixture
def computed(monkeypatch):
    """Names of the slides whose results are computed."""
    names = []
    compute = kept_results.slide_results

    def noting(run):
        names.append(run.path.name)
        return compute(run)

    monkeypatch.setattr(kept_results, "slide_results", noting)
    return names


def test_workers_keep_results_so_that_no_run_is_opened(analysis, monkeypatch):
    monkeypatch.setattr(kept_results, "open_run", None)
    found = rows(analysis)
    assert (found["tiles"] > 0).all()
    assert found.filter(like="share_").sum(axis=1).tolist() == pytest.approx([1, 1])


def test_a_run_that_changes_is_read_again(analysis, computed):
    before = rows(analysis)
    change(analysis, "b", ended="2030-01-01", warnings=["Once more."])
    after = rows(analysis)
    assert computed == ["b"]
    assert after.loc["b", "flags"] == "Once more."
    assert after.loc["a"].equals(before.loc["a"])
    again = rows(Analysis(analysis.study, analysis.path))
    assert again.equals(after)
    assert computed == ["b"]


def test_a_copy_without_times_costs_no_second_computation(analysis, computed):
    for name in "ab":
        os.utime(record_of(analysis, name), (1, 1))
    assert (rows(analysis)["tiles"] > 0).all()
    assert computed == []


def test_lines_that_a_kill_has_cut_are_computed_again(analysis, computed):
    (file,) = (analysis.path / ".results").iterdir()
    text = file.read_bytes()
    file.write_bytes(text[: len(text) // 2 + 40])
    assert (rows(analysis)["tiles"] > 0).all()
    assert computed == ["b"]
    rows(Analysis(analysis.study, analysis.path))
    assert computed == ["b"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("sessions", []), ("sessions", None), ("timings", 3), ("warnings", 1)],
)
def test_a_damaged_run_is_one_row_with_its_reason(analysis, field, value):
    change(analysis, "b", ended="2030-01-01", **{field: value})
    found = rows(analysis)
    assert "run.json' cannot be read" in found.loc["b", "flags"]
    assert found.loc["a", "tiles"] > 0
    with pytest.raises(RunError, match="cannot be read"):
        run_report(analysis.open_run("b"))


def test_attempts_of_ended_slides_are_read_once(analysis, monkeypatch):
    monkeypatch.setattr(ended_slides, "_LEAST", 1)
    before = analysis.states()
    read = Claim.state
    monkeypatch.setattr(Claim, "state", None)
    assert Analysis(analysis.study, analysis.path).states() == before
    monkeypatch.setattr(Claim, "state", read)
    (row, _) = analysis.study.rows
    analysis.claim(row).reset()
    shutil.rmtree(analysis.path / "b")
    again = Analysis(analysis.study, analysis.path).states()
    assert [state.status for state in again.values()] == ["open", "open"]


def test_a_slide_at_another_place_is_looked_at_again(analysis, monkeypatch):
    monkeypatch.setattr(ended_slides, "_LEAST", 1)
    analysis.states()
    table = analysis.study.slides
    table.loc[0, "mpp"] = "0.25"
    table.to_parquet(analysis.study.path / "slides.parquet", index=False)
    asked = []
    read = Claim.state
    monkeypatch.setattr(
        Claim, "state", lambda claim: asked.append(claim) or read(claim)
    )
    Analysis(analysis.study, analysis.path).states()
    assert len(asked) == 1
