"""Which lines of the journal a run or a file was made of."""

from __future__ import annotations

import hashlib
import json

import pytest
import shapely

import workbench as wb
from fakes import fake_model
from stained_slide import write_stained
from workbench.annotations.journal_lines import lines_of


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("journal") / "slide.tif"
    with wb.open_slide(write_stained(path, width=640, height=512)) as opened:
        yield opened


@pytest.fixture
def notes(slide, tmp_path):
    notes = wb.open_annotations(slide, folder=tmp_path / "annotations")
    boxes = [(0, 0, 100, 100), (300, 100, 500, 300), (40, 350, 200, 500)]
    areas = [wb.Annotation(geometry=shapely.box(*box), name="ä") for box in boxes]
    notes.put(*areas, by="me")
    line = wb.Annotation(geometry=shapely.LineString([(0, 0), (9, 9)]))
    notes.put(areas[1].replace(name="second"), line, by="you")
    notes.delete(areas[2].id, by="me")
    with notes.path.open("ab") as file:
        file.write(b'damaged\n[1]\n{"put": 3}\n')
    return notes


def test_the_last_line_of_each_annotation_is_named(notes):
    written = notes.path.read_bytes().split(b"\n")
    found = lines_of(notes.path)
    assert [each["line"] for each in found] == [1, 4, 5]
    for each in found:
        line = written[each["line"] - 1]
        assert json.loads(line)["put"]["id"] == each["id"]
        assert hashlib.sha256(line).hexdigest() == each["sha256"]
        assert each["journal"] == f"{notes.slide.id}.jsonl"
    assert lines_of(notes.path.with_name("none.jsonl")) == []


def test_geojson_of_annotations_names_slide_and_lines(notes, tmp_path):
    for name in ("a.geojson", "b.geojson.gz"):
        notes.write(tmp_path / name)
        made = wb.read_provenance(tmp_path / name)
        assert made.kind == "annotations"
        assert made.slide["id"] == notes.slide.id
        assert list(made.annotations) == lines_of(notes.path)
        assert len(wb.annotations.read_geojson(tmp_path / name)) == 3


def test_a_run_names_the_annotations_in_its_region(notes, slide, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "workbench.inference.plan.find_model", lambda *_, **__: fake_model()
    )
    second = notes["second"]
    elsewhere = shapely.box(10, 10, 30, 30)
    run = wb.run(
        slide,
        region=wb.Area.of([second, elsewhere]),
        no_tissue_in=wb.Box(0, 0, 8, 8),
        tissue_only=False,
        out=tmp_path / "run",
        device="cpu",
    )
    (used,) = run.record["annotations"]
    assert (used["option"], used["id"], used["line"]) == ("region", second.id, 4)
    made = wb.read_provenance(wb.export_run(run, tmp_path / "a.ome.tiff"))
    assert made.annotations == (used,)
    run = wb.run(slide, tissue_only=False, out=tmp_path / "whole", device="cpu")
    assert "annotations" not in run.record
