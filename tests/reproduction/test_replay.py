"""A run computed again: identical here, and else what differs, where and why."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
import shapely
import zarr
from click.testing import CliRunner

import workbench as wb
from fakes import FakeSlide, MeanColour, fake_card, fake_model
from labelled_slides import blobs, reading_model, slide_of
from made_slides import write_tiff
from stained_slide import write_stained
from workbench.cli import main
from workbench.errors import ModelNotFoundError, ProvenanceError, SlideNotFoundError
from workbench.inference import plan
from workbench.models.tile_model import TileModel
from workbench.reproduction import causes_of
from workbench.reproduction.comparison import (
    Objects,
    Rows,
    compare_objects,
    compare_rasters,
    compare_rows,
)
from workbench.reproduction.request import Request

SIZE = (300, 200)
KINDS = {
    "classification": (fake_model, [".csv", ".geojson", ".ome.tiff"]),
    "segmentation": (
        lambda: fake_model(
            MeanColour(dense=True), task="segmentation", cells=4, activation="none"
        ),
        [".ome.tiff"],
    ),
    "instances": (
        reading_model,
        [".geojson.gz", ".coco.json", ".parquet", ".csv"],
    ),
    "embedding": (
        lambda: fake_model(task="embedding", classes=("norm",), dimensions=2),
        [".parquet", ".h5", ".zarr"],
    ),
}


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    made = {
        "texture.tif": FakeSlide(SIZE).pixels,
        "blobs.tif": slide_of(blobs(SIZE, 30, (4, 8))).pixels,
    }
    for name, pixels in made.items():
        write_tiff(folder / name, pixels, levels=1, compression="adobe_deflate")
    return folder


def compute(monkeypatch, slides, out, kind, **options):
    model = KINDS[kind][0]()
    monkeypatch.setattr(plan, "find_model", lambda *_, **__: model)
    name = "blobs.tif" if kind == "instances" else "texture.tif"
    options = {"tissue_only": False, "device": "cpu", "batch_size": 4, **options}
    with wb.open_slide(slides / name) as slide:
        return wb.run(slide, out=out, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_a_run_and_its_exports_are_identical_here(monkeypatch, slides, tmp_path, kind):
    run = compute(monkeypatch, slides, tmp_path / "run", kind)
    again = wb.replay(run)
    assert again.identical, str(again)
    assert again.causes == ()
    assert [each.before > 0 for each in again.comparisons] == [True] * (
        2 if kind in ("instances", "embedding") else 1
    )
    for suffix in KINDS[kind][1]:
        path = wb.export_run(run, tmp_path / f"out{suffix}")
        of_file = wb.replay(path, slide=run.record["slide"]["path"])
        assert of_file.identical, (suffix, str(of_file))
        assert of_file.causes == ()
        (part,) = of_file.comparisons
        assert part.before == part.now > 0


@pytest.mark.slow
def test_the_bundled_models_are_identical_too(tmp_path):
    path = write_stained(tmp_path / "slide.tif", width=512, height=384)
    for model in ("tissue-classes", "nuclei"):
        with wb.open_slide(path) as slide:
            run = wb.run(slide, model=model, normalize="macenko", out=tmp_path / model)
        again = wb.replay(run.path)
        assert again.identical, str(again)
        assert again.before.normalizer == again.now.normalizer != {}


def test_another_slide_is_the_first_cause(monkeypatch, slides, tmp_path):
    run = compute(monkeypatch, slides, tmp_path / "run", "classification")
    pixels = FakeSlide(SIZE).pixels
    pixels[40:60, 40:60] //= 2
    other = write_tiff(
        tmp_path / "texture.tif", pixels, levels=1, compression="adobe_deflate"
    )
    again = wb.replay(run, slide=other)
    assert not again.identical
    (part,) = again.comparisons
    assert part.changed == 1
    assert part.value in ("red", "green")
    assert part.where == (32.0, 32.0)
    assert "The slide has another content" in again.causes[0]
    assert len(again.causes) == 1


def test_other_weights_are_the_first_cause(monkeypatch, slides, tmp_path):
    run = compute(monkeypatch, slides, tmp_path / "run", "classification")
    path = wb.export_run(run, tmp_path / "out.geojson")
    darker = MeanColour(wrong=lambda rgb: rgb * 0.9)
    other = TileModel(fake_card(sha256="b" * 64), darker)
    monkeypatch.setattr(plan, "find_model", lambda *_, **__: other)
    for source in (run, path):
        again = wb.replay(source, slide=slides / "texture.tif")
        assert not again.identical
        assert again.comparisons[0].changed == again.comparisons[0].before
        assert again.causes == (
            "The model has other weights: SHA-256 bbbbbbbbbbbb, not none.",
        )


def test_another_version_is_named(monkeypatch, slides, tmp_path):
    run = compute(monkeypatch, slides, tmp_path / "run", "classification")
    record = json.loads((run.path / "run.json").read_text())
    record["sessions"][0]["packages"]["torch"] = "1.0"
    record["sessions"][0]["instructions"] = "NEON"
    (run.path / "run.json").write_text(json.dumps(record))
    scores = zarr.open_array(run.path / "scores.zarr", mode="r+")
    scores[0, 1, 2] += 0.25
    again = wb.replay(run.path)
    (part,) = again.comparisons
    assert (part.changed, part.value) == (1, "red")
    assert part.largest == pytest.approx(0.25, abs=1e-6)
    step = run.heatmap.cell
    assert part.where == (2.5 * step, 1.5 * step)
    assert "torch" in again.causes[0]
    assert "not 1.0" in again.causes[0]
    assert "instructions" in again.causes[1]
    assert "cause: The versions differ" in str(again)


def test_a_value_changed_by_hand_has_no_cause(monkeypatch, slides, tmp_path):
    run = compute(monkeypatch, slides, tmp_path / "run", "classification")
    path = wb.export_run(run, tmp_path / "out.geojson")
    text = json.loads(path.read_text())
    text["features"][5]["properties"]["measurements"]["prob_red"] = 0.5
    del text["features"][7]
    path.write_text(json.dumps(text))
    shutil.copy(slides / "texture.tif", tmp_path)
    again = wb.replay(path)
    (part,) = again.comparisons
    assert (part.changed, part.missing, part.added) == (1, 0, 1)
    assert part.value == "prob_red"
    assert again.causes == ()
    assert "No cause is known" in str(again)


def test_moved_and_missing_objects_are_counted(monkeypatch, slides, tmp_path):
    run = compute(monkeypatch, slides, tmp_path / "run", "instances")
    path = wb.export_run(run, tmp_path / "out.geojson")
    content = json.loads(path.read_text())
    first, second, *_ = content["features"]
    (ring,) = first["geometry"]["coordinates"]
    first["geometry"]["coordinates"] = [[[x + 1, y] for x, y in ring]]
    second["properties"]["classification"]["name"] = "another"
    content["features"].pop()
    path.write_text(json.dumps(content))
    again = wb.replay(path, slide=slides / "blobs.tif")
    (part,) = again.comparisons
    assert (part.changed, part.added, part.classes_changed) == (2, 1, 1)
    assert part.value == "overlap"


def test_of_an_unfinished_run_the_finished_part_is_compared(
    monkeypatch, slides, tmp_path
):
    run = compute(monkeypatch, slides, tmp_path / "run", "classification")
    record = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**record, "status": "cancelled"}))
    scores = zarr.open_array(run.path / "scores.zarr", mode="r+")
    scores[:, 1:] = np.nan
    again = wb.replay(run.path)
    assert again.identical
    assert again.comparisons[0].before < again.comparisons[0].now


def test_what_cannot_be_computed_again_says_why(monkeypatch, slides, tmp_path):
    run = compute(monkeypatch, slides, tmp_path / "run", "classification")
    (tmp_path / "far" / "away").mkdir(parents=True)
    path = wb.export_run(run, tmp_path / "far" / "away" / "out.csv")
    with pytest.raises(SlideNotFoundError, match=r"texture\.tif"):
        wb.replay(path)
    report = wb.write_report(run, tmp_path / "report.html")
    with pytest.raises(ProvenanceError, match="holds report, which no run"):
        wb.replay(report)
    with wb.open_slide(slides / "texture.tif") as slide:
        notes = wb.open_annotations(slide, folder=tmp_path / "notes")
        notes.put(wb.Annotation(geometry=shapely.box(0, 0, 9, 9)), by="me")
        notes.write(tmp_path / "notes.geojson")
    with pytest.raises(ProvenanceError, match="holds annotations"):
        wb.replay(tmp_path / "notes.geojson")
    with pytest.raises(ProvenanceError, match="does not say"):
        wb.replay(slides / "texture.tif")
    monkeypatch.undo()
    with pytest.raises(ModelNotFoundError, match="no-such-model"):
        wb.replay(run, model="no-such-model")


def test_a_missing_device_is_replaced(monkeypatch, slides, tmp_path):
    run = compute(monkeypatch, slides, tmp_path / "run", "classification")
    record = json.loads((run.path / "run.json").read_text())
    record["sessions"][0]["device"] = "cuda:7"
    (run.path / "run.json").write_text(json.dumps(record))
    assert Request.of(run.path).recipe(None).device == "auto"
    assert Request.of(run.path).recipe("cpu").device == "cpu"
    again = wb.replay(run.path, device="cpu")
    assert again.identical
    assert again.causes == ("The device is cpu, not cuda:7.",)
    assert "although: The device" in str(again)


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_verb_ends_with_what_it_found(monkeypatch, slides, tmp_path):
    run = compute(monkeypatch, slides, tmp_path / "run", "classification")
    said = call("replay", run.path, "--no-progress", "--out", tmp_path / "again")
    assert (said.exit_code, said.stdout.split()[0]) == (0, "identical"), said.output
    assert wb.open_run(tmp_path / "again" / "run").status == "finished"
    path = wb.export_run(run, tmp_path / "out.csv")
    with path.open() as file:
        rows = list(csv.reader(file))
    rows[3][4] = "0.125"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    said = call("replay", path)
    assert said.exit_code == 13
    assert "changed after" in said.output
    path = wb.export_run(run, tmp_path / "out.geojson")
    path.write_text(path.read_text().replace('"prob_red":0.', '"prob_red":1.', 1))
    words = ("replay", path, "--slide", slides / "texture.tif", "--json")
    said = call(*words, "--no-progress")
    assert said.exit_code == 1
    (part,) = json.loads(said.stdout)["parts"]
    assert (part["changed"], part["largest"]) == (1, 1.0)
    assert call("replay", path, "--no-progress").exit_code == 3


def test_comparisons_of_nothing_and_of_other_shapes():
    nothing = np.full((2, 3, 4), np.nan, np.float32)
    assert compare_rasters(nothing, nothing, "ab", 1.0).identical
    values = np.zeros((2, 3, 4), np.float32)
    assert compare_rasters(values, nothing, "ab", 1.0).missing == 12
    assert compare_rasters(nothing, values, "ab", 1.0).added == 12
    assert compare_rasters(values, values[:, :2], "ab", 1.0).missing == 12
    flipped = values.copy()
    flipped[1, 0, 0] = 1
    assert compare_rasters(values, flipped, "ab", 1.0).classes_changed == 1
    flipped[1, 0, 0] = np.nan
    found = compare_rasters(values, flipped, "ab", 1.0)
    assert (found.changed, found.record["largest"]) == (1, None)
    empty = Objects(np.empty(0, object), np.empty(0, object), {})
    one = Objects(np.array([shapely.box(0, 0, 1, 1)]), np.array(["a"], object), {})
    assert compare_objects("o", empty, empty).identical
    assert compare_objects("o", one, empty).missing == 1
    assert compare_objects("o", empty, one).added == 1
    keys = np.array([[0.0, 0.0], [1.0, 0.0]])
    a, b = Rows(keys, {"v": np.zeros(2)}), Rows(keys[::-1], {"w": np.zeros(2)})
    found = compare_rows("r", a, b)
    assert (found.changed, found.largest) == (2, np.inf)


def test_each_part_of_the_making_is_a_cause():
    facts = {
        "slide": {"id": "a", "size": [1, 1], "mpp": 0.5, "reader": "r 1"},
        "model": {"sha256": "a", "classes": ["a"]},
        "recipe": {"normalize": "macenko", "model": "x"},
        "normalizer": {"method": "macenko", "source": {"stains": [[0.1, 0.2]]}},
        "run": {"precision": "float32", "batch_size": 4},
        "sessions": ({"device": "cpu", "packages": {"torch": "1"}, "compiled": True},),
    }
    changes = {
        "another content": ("slide", {"id": "b"}),
        "size in pixels": ("slide", {"size": [2, 1]}),
        "pixel size": ("slide", {"mpp": 0.25}),
        "read by": ("slide", {"reader": "r 2"}),
        "other weights": ("model", {"sha256": "b"}),
        "another classes": ("model", {"classes": ["b"]}),
        "options differ: normalize": ("recipe", {"normalize": "none"}),
        "that of the slide differs by up to 0.1": (
            "normalizer",
            {"source": {"stains": [[0.1, 0.3]]}},
        ),
        "precision is float16": ("run", {"precision": "float16"}),
        "batch size is 8": ("run", {"batch_size": 8}),
    }
    before = wb.Provenance(kind="run", **facts)
    for said, (field, change) in changes.items():
        now = wb.Provenance(kind="run", **{**facts, field: {**facts[field], **change}})
        (cause,) = causes_of(before, now)
        assert said in cause
    session = facts["sessions"][0]
    for said, change in {
        "device is cuda, not cpu": {"device": "cuda"},
        "torch 2, not 1": {"packages": {"torch": "2"}},
        "compiled network": {"compiled": False},
    }.items():
        sessions = ({**session, **change},)
        now = wb.Provenance(kind="run", **{**facts, "sessions": sessions})
        (cause,) = causes_of(before, now)
        assert said in cause
