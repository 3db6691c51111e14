"""Exports read by what lives beside the workbench, and mistakes known from others.

`make conformance` reads them with the programs themselves.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

import generated_pages
from qupath_rules import RefusedError, read_objects

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conformance") / "files"
    module(HERE / "made_files.py").make(folder)
    return folder


def checks():
    sys.path.insert(0, str(HERE / "receivers"))
    try:
        module(HERE / "receivers" / "readers.py")
        return sys.modules["receiving"].CHECKS
    finally:
        sys.path.remove(str(HERE / "receivers"))


@pytest.mark.parametrize(
    "read", [function for *_, function in checks()], ids=lambda f: f.__name__
)
@pytest.mark.slow
def test_readers_find_what_was_written(files, read):
    read(files, json.loads((files / "expected.json").read_text(encoding="utf-8")))


def test_every_format_is_on_the_page_of_conformance():
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    names = [each.name for each in generated_pages.FORMATS]
    elsewhere = ("csv", "trident", "dicom")  # have tests of their own
    missing = [n for n in names if f"| `{n}` |" not in page]
    assert [n for n in missing if not n.startswith(elsewhere)] == []
    assert "**failed**" not in page


GEOMETRY = {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}
KEY = "5a1f2ad4-94ad-4c0a-8f2c-3d4ce1f0b7a1"
MISTAKES = {
    "objectType beside properties": (
        {"objectType": "detection", "properties": {}},
        "an annotation is made",
    ),
    "a class as type": ({"properties": {"type": "Tumour"}}, "an annotation is made"),
    "an id that is no UUID": (
        {"id": "object_12", "properties": {"objectType": "tile"}},
        "id 'object_12'",
    ),
    "loose probabilities": (
        {"properties": {"objectType": "tile", "prob_tumour": 0.5}},
        "property 'prob_tumour'",
    ),
    "text as a measurement": (
        {"properties": {"objectType": "tile", "measurements": {"a": "b"}}},
        "measurement 'a'",
    ),
}
"""What other programs write, and what QuPath then loses."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_rules_find_the_mistakes_of_others(tmp_path, mistake):
    change, lost = MISTAKES[mistake]
    feature = {"type": "Feature", "id": KEY, "geometry": GEOMETRY, **change}
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    (found,) = read_objects(path)
    assert any(lost in each for each in found.lost)


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("a.geojson", {"objectType": "tile", "classification": {"name": "Tumour"}}),
        ("a.txt", {"objectType": "tile"}),
    ],
)
def test_the_rules_refuse_what_qupath_refuses(tmp_path, name, properties):
    feature = {"type": "Feature", "geometry": GEOMETRY, "properties": properties}
    (tmp_path / name).write_text(json.dumps([feature]))
    with pytest.raises(RefusedError):
        read_objects(tmp_path / name)


@pytest.mark.parametrize("name", ["a.json", "a.geojson"])
def test_qupath_takes_both_suffixes(tmp_path, name):
    feature = {"type": "Feature", "geometry": GEOMETRY, "properties": {}}
    (tmp_path / name).write_text(json.dumps([feature]))
    assert len(read_objects(tmp_path / name)) == 1
