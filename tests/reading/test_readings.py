"""Worklists and answers: assignment, states, history, consensus, export, the CLI."""

from __future__ import annotations

import json
import multiprocessing

import pandas as pd
import pytest
import shapely
from click.testing import CliRunner

import workbench as wb
from made_slides import write_tiff
from studies import two_coloured
from workbench.cli import main
from workbench.errors import StudyError
from workbench.reading.answers import AnswerLog
from workbench.reading.readings import Readings
from workbench.reading.regions import reader_folder

FORM = {
    "title": "Grading",
    "properties": {
        "grade": {"title": "Grade", "enum": ["none", "low", "high"], "ordered": True},
        "percent": {"type": "number", "minimum": 0, "maximum": 100},
        "remark": {"type": "string"},
    },
    "required": ["grade"],
}
SLIDES = {f"S{number}": f"P{number // 2}" for number in range(6)}
LOW = {"grade": "low"}


@pytest.fixture
def readings(tmp_path):
    (tmp_path / "forms").mkdir()
    (tmp_path / "forms" / "grading.json").write_text(json.dumps(FORM))
    (tmp_path / "study.json").write_text("{}")
    return Readings(tmp_path, SLIDES, wb.open_slide)


def test_slides_are_assigned_evenly_and_by_seed(readings):
    made = readings.assign("first", ["ann", "bob", "cem"], each=2)
    assert [len(made.slides_of(reader)) for reader in made.readers] == [4, 4, 4]
    assert {len(each) for each in made.assigned.values()} == {2}
    assert list(made.assigned) == list(SLIDES)
    assert readings.worklist().assigned == made.assigned
    again = readings.assign("again", ["ann", "bob", "cem"], each=2)
    other = readings.assign("other", ["ann", "bob", "cem"], each=2, seed=1)
    assert again.assigned == made.assigned != other.assigned
    some = readings.assign("some", ["ann"], slides=["S3", "S1"])
    assert some.slides_of("ann") == ["S3", "S1"]


def test_slides_have_numbers_in_a_random_order_for_those_blind_to_labels(readings):
    made = readings.assign("blind", ["ann"], blind=["labels", "model"], seed=3)
    assert sorted(made.assigned) == sorted(SLIDES)
    assert list(made.assigned) != list(SLIDES)
    first = next(iter(made.assigned))
    assert made.alias(first) == "blind 1"
    assert readings.worklist("blind").blind == {"labels", "model"}


@pytest.mark.parametrize(
    ("name", "readers", "options", "said"),
    [
        ("../x", ["ann"], {}, "cannot be the name"),
        ("..", ["ann"], {}, "cannot be the name"),
        ("a", [], {}, "cannot read the slides"),
        ("a", ["a\nb"], {}, "cannot read the slides"),
        ("a", ["ann"], {"each": 2}, "are not to be had"),
        ("a", ["ann"], {"slides": ["none"]}, "no slide 'none'"),
        ("a", ["ann"], {"slides": []}, "no slides to read"),
        ("a", ["ann"], {"form": "none"}, "no form 'none'"),
        ("a", ["ann"], {"blind": ["all"]}, "cannot be blind to 'all'"),
        ("first", ["ann"], {}, "already"),
    ],
)
def test_what_cannot_be_assigned_is_refused(readings, name, readers, options, said):
    readings.assign("first", ["ann"])
    with pytest.raises(StudyError, match=said):
        readings.assign(name, readers, **options)


def test_answers_are_appended_and_the_last_one_counts(readings):
    readings.assign("first", ["ann", "bob"])
    assert readings.answer("first", "S1", "ann", LOW, state="in work", seconds=3)
    assert readings.answer("first", "S1", "ann", {"grade": "high"}, id="x")
    assert not readings.answer("first", "S1", "ann", LOW, id="x")  # sent again
    own = readings.last("first")["S1"]["ann"]
    assert (own.reader, own.state, own.answers) == ("ann", "done", {"grade": "high"})
    assert [each.answers["grade"] for each in readings.history()] == ["low", "high"]
    table = readings.frame()
    assert len(table) == 12
    row = table[(table["slide"] == "S1") & (table["reader"] == "ann")].iloc[0]
    assert (row["state"], row["grade"], row["case"]) == ("done", "high", "P0")
    progress = readings.progress().set_index("reader")
    assert progress.loc["ann", ["open", "done", "slides"]].tolist() == [5, 1, 6]


def again(readings):
    return Readings(readings.path, SLIDES, wb.open_slide)


def test_a_damaged_end_loses_nothing_before_it(readings):
    readings.assign("first", ["ann"])
    readings.answer("first", "S1", "ann", LOW)
    readings.answer("first", "S2", "ann", LOW)
    (log,) = readings.path.glob("reviews/first/*.answers")
    log.write_bytes(log.read_bytes()[:-5])
    assert list(Readings(readings.path, SLIDES, wb.open_slide).last("first")) == ["S1"]
    readings.answer("first", "S3", "ann", LOW)
    assert list(Readings(readings.path, SLIDES, wb.open_slide).last("first")) == [
        "S1",
        "S3",
    ]


def _write_many(path, process):
    readings = Readings(path, SLIDES, wb.open_slide)
    for number in range(25):
        readings.answer("first", "S1", "ann", LOW, id=f"{process}-{number}")
        readings.answer("first", "S1", "ann", LOW, id=f"both-{number}")


def test_processes_write_at_once_without_loss_or_doubles(readings):
    readings.assign("first", ["ann"])
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_write_many, args=(readings.path, number))
        for number in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    ids = [each.id for each in readings.history()]
    assert len(ids) == len(set(ids)) == 75


@pytest.mark.parametrize(
    ("answer", "more", "said"),
    [
        (("S1", "eve", LOW), {}, "not assigned to 'eve'"),
        (("none", "ann", LOW), {}, "not assigned"),
        (("none", "ann", LOW), {"kind": "consensus"}, "no slide 'none'"),
        (("S1", "ann", {"grade": "x"}), {}, "no answer to 'Grade'"),
        (("S1", "ann", {}), {}, "'Grade' has no answer yet"),
        (("S1", "ann", LOW), {"state": "finished"}, "no state of a slide"),
        (("S1", "ann", LOW), {"id": "../x"}, "no id of an answer"),
        (("S1", "ann", LOW), {"seconds": -1}, "no time of reading"),
    ],
)
def test_what_is_no_answer_is_not_saved(readings, answer, more, said):
    readings.assign("first", ["ann"])
    with pytest.raises(StudyError, match=said):
        readings.answer("first", *answer, **more)
    assert readings.history() == []


def test_readers_whose_names_look_alike_have_logs_of_their_own(tmp_path):
    names = ["ann", "Ann", "a/nn", "a.nn", "ännchen"]
    assert len({AnswerLog(tmp_path, name).path.name for name in names}) == len(names)
    assert all(AnswerLog(tmp_path, name).path.parent == tmp_path for name in names)


def test_disagreement_ends_with_a_consensus(readings):
    readings.assign("first", ["ann", "bob"])
    for slide, grades in {"S1": ("low", "high"), "S2": ("low", "low")}.items():
        for reader, grade in zip(("ann", "bob"), grades, strict=True):
            readings.answer("first", slide, reader, {"grade": grade})
    readings.answer("first", "S3", "ann", LOW, state="discuss")
    assert readings.disagreements() == {"S1": ["grade"], "S3": ["discuss"]}
    readings.answer("first", "S1", "lead", {"grade": "high"}, kind="consensus")
    assert readings.consensus("first")["S1"].answers == {"grade": "high"}
    assert list(readings.disagreements()) == ["S3"]
    # A consensus is no reading: agreement is that of the readings.
    (kappa, _) = readings.agreements(rounds=10)
    assert (kappa.readers, kappa.slides) == ("ann, bob", 2)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_all_of_it_is_exported(readings, tmp_path, suffix):
    readings.assign("first", ["ann", "bob"])
    readings.answer("first", "S1", "ann", LOW, state="in work")
    readings.answer("first", "S1", "ann", {**LOW, "remark": "Größe"})
    file = readings.export(tmp_path / f"answers{suffix}")
    if suffix == ".json":
        lines = json.loads(file.read_text(encoding="utf-8"))
        assert [line["state"] for line in lines] == ["in work", "done"]
        assert {"reader", "at", "id", "seconds", "kind"} < set(lines[0])
        return
    table = pd.read_csv(file) if suffix == ".csv" else pd.read_parquet(file)
    assert len(table) == 12
    assert table["remark"].dropna().tolist() == ["Größe"]


def test_other_suffixes_and_names_are_refused(readings, tmp_path):
    with pytest.raises(StudyError, match="ends in none of"):
        readings.export(tmp_path / "answers.xlsx")
    with pytest.raises(StudyError, match="has 0 worklists"):
        readings.agreement()


def call(*words):
    told = CliRunner().invoke(main, ["study", *map(str, words)])
    assert told.exit_code == 0, told.output
    return told.output


def test_a_study_is_read_on_the_command_line(tmp_path):
    (tmp_path / "slides").mkdir()
    for number in range(2):
        path = tmp_path / "slides" / f"{number}.tif"
        write_tiff(path, two_coloured(256, seed=number), compression="zlib")
    study = wb.make_study(tmp_path / "study", tmp_path / "slides")
    (study.path / "forms").mkdir()
    (study.path / "forms" / "grading.json").write_text(json.dumps(FORM))
    assert "no worklist" in call("readings", study.path)
    said = call(
        *("assign", study.path, "first", "--reader", "ann", "--reader", "bob"),
        *("--blind", "readers"),
    )
    assert "first: 2 slides, form 'grading'" in said
    assert "ann: 2 slides" in said
    assert "blind to: readers" in said
    assert "No two readers" in call("agreement", study.path)
    readings = study.readings()
    for reader, grades in {"ann": ("low", "high"), "bob": ("low", "none")}.items():
        for slide, grade in zip(("0", "1"), grades, strict=True):
            readings.answer("first", slide, reader, {"grade": grade})
    said = call("readings", study.path)
    assert "ann: 2 done" in said
    assert "1: grade" in said
    found = json.loads(call("readings", study.path, "--json"))
    assert found["first"]["discuss"] == {"1": ["grade"]}
    table = call("agreement", study.path)
    assert "Cohen's kappa" in table
    assert "With fewer than 10 cases they are too narrow." in table
    call("agreement", study.path, "--to", tmp_path / "kappa.csv")
    assert len(pd.read_csv(tmp_path / "kappa.csv")) == 2
    call("readings", study.path, "--to", tmp_path / "all.parquet")
    assert len(pd.read_parquet(tmp_path / "all.parquet")) == 4


def test_regions_of_readers_agree_by_their_areas(tmp_path):
    (tmp_path / "slides").mkdir()
    for number in range(2):
        path = tmp_path / "slides" / f"{number}.tif"
        write_tiff(path, two_coloured(256, seed=number), compression="zlib")
    study = wb.make_study(tmp_path / "study", tmp_path / "slides")
    (study.path / "forms").mkdir()
    (study.path / "forms" / "grading.json").write_text(json.dumps(FORM))
    readings = study.readings()
    readings.assign("first", ["ann", "bob"])
    boxes = {"ann": (0, 0, 100, 100), "bob": (50, 0, 150, 100)}
    for reader, box in boxes.items():
        folder = reader_folder(study.path, reader) / "annotations"
        for name in ("0", "1"):
            with study.open_slide(name) as slide:
                shape = shapely.box(*(box if name == "0" else (0, 0, 50, 50)))
                made = wb.Annotation(geometry=shape, classification="tumour")
                wb.open_annotations(slide, folder=folder).put(made, by=reader)
            readings.answer("first", name, reader, LOW)
    (row,) = readings.region_agreement(rounds=50).to_dict("records")
    assert (row["question"], row["measure"]) == ("tumour", "Dice")
    assert row["value"] == pytest.approx(2 * (5000 + 2500) / (2 * (10_000 + 2500)))
    assert (row["readers"], row["slides"]) == ("ann, bob", 2)
