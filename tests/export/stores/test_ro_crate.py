"""A run as an RO-Crate: what Process Run Crate 0.5 requires, and computed again."""

from __future__ import annotations

import hashlib
import json

import pytest

import workbench as wb
from exported_runs import score_run
from fakes import FakeSlide, fake_model
from made_slides import write_tiff
from workbench.errors import RunError
from workbench.export.formats import FORMATS
from workbench.inference import plan


def graph_of(crate):
    content = json.loads((crate / "ro-crate-metadata.json").read_text())
    first, *terms = content["@context"]
    assert first == "https://w3id.org/ro/crate/1.1/context"
    assert terms == [{"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]
    entities = {each["@id"]: each for each in content["@graph"]}
    assert len(entities) == len(content["@graph"])
    return entities


def references(value):
    """Yield the ids that a value refers to."""
    if isinstance(value, dict):
        yield from [value["@id"]] if set(value) == {"@id"} else ()
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from references(each)


def test_a_crate_has_what_the_profile_requires(tmp_path):
    run = score_run(tmp_path / "run")
    crate = wb.export_run(run, tmp_path / "crate", to="ro-crate")
    entities = graph_of(crate)
    about = entities["ro-crate-metadata.json"]
    assert about["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert about["about"] == {"@id": "./"}
    root = entities["./"]
    assert root["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    assert all(root[name] for name in ("name", "description", "datePublished"))
    known = entities.keys() | {"https://w3id.org/ro/crate/1.1"}
    for each in entities.values():
        assert set(references(list(each.values()))) <= known
    (action,) = (e for e in entities.values() if e["@type"] == "CreateAction")
    assert root["mentions"] == {"@id": action["@id"]}
    assert entities[action["instrument"]["@id"]]["@type"] == "SoftwareApplication"
    assert action["actionStatus"] == "http://schema.org/CompletedActionStatus"
    assert {"#slide", "#model"} <= {each["@id"] for each in action["object"]}
    assert action["result"] == root["hasPart"]
    files = {str(p.relative_to(crate)) for p in crate.rglob("*") if p.is_file()}
    listed = {each["@id"] for each in root["hasPart"]}
    inside = {name for name in files if name.startswith("run/scores.zarr/")}
    assert files - inside - {"ro-crate-metadata.json"} == listed - {"run/scores.zarr/"}
    for name in listed:
        entity = entities[name]
        assert entity["@type"] == ("Dataset" if name.endswith("/") else "File")
        if entity["@type"] == "File":
            data = (crate / name).read_bytes()
            assert entity["contentSize"] == str(len(data))
            assert entity["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_crate_is_opened_and_computed_again(tmp_path, monkeypatch):
    slide = write_tiff(
        tmp_path / "a.tif", FakeSlide((300, 200)).pixels, levels=1, compression="lzw"
    )
    monkeypatch.setattr(plan, "find_model", lambda *_, **__: fake_model())
    with wb.open_slide(slide) as opened:
        options = {"tissue_only": False, "device": "cpu"}
        run = wb.run(opened, out=tmp_path / "private" / "run", **options)
    crate = wb.export_run(run, tmp_path / "crate", to="ro-crate")
    for file in crate.rglob("*"):
        if file.is_file():
            assert str(tmp_path).encode() not in file.read_bytes()
    again = wb.open_run(crate / "run")
    assert (again.heatmap.values == run.heatmap.values).all()
    assert wb.read_provenance(crate).parents[0]["name"] == "run"
    assert wb.replay(crate / "run", slide=slide).identical
    slide.rename(crate / "a.tif")
    assert wb.replay(crate / "run").identical


def test_a_run_without_results_is_refused(tmp_path):
    run = score_run(tmp_path / "run")
    (run.path / "scores.zarr").rename(tmp_path / "away")
    with pytest.raises(RunError, match="has no results yet"):
        wb.export_run(run, tmp_path / "crate", to="ro-crate")
    assert not (tmp_path / "crate").exists()


def test_the_table_has_the_crate_for_all_runs():
    (crate,) = (each for each in FORMATS if each.name == "ro-crate")
    assert set(crate.writers) == {"scores", "instances", "vectors"}
