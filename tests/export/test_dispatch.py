"""What other tools get: checked by their rules."""

from __future__ import annotations

import csv
import gzip
import json
import uuid

import numpy as np
import pytest
import tifffile

from fakes import fake_card
from workbench.errors import RunError
from workbench.export import FORMATS, export_run, formats_of
from workbench.results.run import open_run
from workbench.results.run_writer import RunWriter
from workbench.results.tile_results import TileResults

SIZE = (100, 70)
BOUNDS = [10, 5, 90, 60]


def a_run(path, *, bounds=(0, 0, *SIZE), **card):
    """Make a run whose tiles 0 to 9 of 20 are answered, tile 3 without success."""
    fields = {"tile_px": 20, "mpp": 0.5, "classes": ("tumör", "stroma"), **card}
    model = fake_card(**fields)
    facts = {
        "slide": {
            "id": "abc",
            "name": "s.tiff",
            "size": list(SIZE),
            "mpp": 0.5,
            "bounds": list(bounds),
        },
        "recipe": {"model": "m"},
        "model": model.model_dump(mode="json"),
        "grid": {
            "slide_size": list(SIZE),
            "downsample": 1.0,
            "tile_px": 20,
            "margin_px": 0,
        },
    }
    shape = (10, len(model.classes), model.cells, model.cells)
    values = np.random.default_rng(0).random(shape, np.float32)
    values[3] = np.nan
    with RunWriter(path) as recorder:
        recorder.create(facts, np.arange(20), {})
        recorder.append(TileResults(0, np.arange(10), values, {3: "damaged"}))
        recorder.close("cancelled", {})
    return open_run(path)


@pytest.fixture
def run(tmp_path):
    return a_run(tmp_path / "run")


def check_qupath(collection):
    """Apply the rules of QuPath's parser; what it drops or refuses is an error."""
    assert collection["type"] == "FeatureCollection"
    ids = set()
    for feature in collection["features"]:
        assert set(feature) == {"type", "id", "geometry", "properties"}
        assert feature["type"] == "Feature"
        ids.add(uuid.UUID(feature["id"]))
        properties = feature["properties"]
        assert set(properties) <= {"objectType", "measurements", "classification"}
        assert properties["objectType"] == "tile"
        for name, value in properties["measurements"].items():
            assert isinstance(name, str)
            assert isinstance(value, float)
            assert np.isfinite(value)
        if "classification" in properties:
            assert set(properties["classification"]) == {"name", "color"}
            colour = properties["classification"]["color"]
            assert len(colour) == 3
            assert all(isinstance(c, int) and 0 <= c <= 255 for c in colour)
        geometry = feature["geometry"]
        assert geometry["type"] == "Polygon"
        (ring,) = geometry["coordinates"]
        assert ring[0] == ring[-1]
        assert len(ring) == 5
    assert len(ids) == len(collection["features"])
    return collection["features"]


def load(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return json.load(file)


@pytest.mark.parametrize("name", ["a.geojson", "a.geojson.gz", "A.GeoJSON"])
def test_qupath_reads_tiles(run, tmp_path, name):
    features = check_qupath(load(export_run(run, tmp_path / name)))
    assert len(features) == 9
    for feature in features:
        (x0, y0), _, (x1, y1), *_ = feature["geometry"]["coordinates"][0]
        values = run.heatmap.at((x0 + x1) / 2, (y0 + y1) / 2)
        found = feature["properties"]["measurements"]
        assert list(found) == ["prob_tumör", "prob_stroma"]
        assert [np.float32(v) for v in found.values()] == list(values.values())
        best = max(values, key=values.get)
        assert feature["properties"]["classification"]["name"] == best
    assert not any(f["geometry"]["coordinates"][0][0] == [60, 0] for f in features), (
        "the tile that failed"
    )


def test_qupaths_frame_begins_at_the_scanned_part(tmp_path):
    run = a_run(tmp_path / "run", bounds=BOUNDS)
    first, *_ = load(export_run(run, tmp_path / "a.geojson"))["features"]
    assert first["geometry"]["coordinates"][0][0] == [-10, -5]


def test_the_same_run_gives_the_same_ids(run, tmp_path):
    once = load(export_run(run, tmp_path / "a.geojson"))
    assert load(export_run(open_run(run.path), tmp_path / "b.geojson")) == once


@pytest.mark.parametrize(
    ("card", "name"),
    [
        (
            {"task": "measurement", "classes": ("nuclei",), "unit": "1/mm²"},
            "nuclei 1/mm²",
        ),
        ({"classes": ("tumour",)}, "prob_tumour"),
    ],
)
def test_where_the_highest_value_means_nothing_there_is_no_class(tmp_path, card, name):
    run = a_run(tmp_path / "run", **card)
    features = check_qupath(load(export_run(run, tmp_path / "a.geojson")))
    assert not any("classification" in f["properties"] for f in features)
    assert list(features[0]["properties"]["measurements"]) == [name]


def test_a_table_has_the_columns_of_wsinfer(run, tmp_path):
    path = export_run(run, tmp_path / "a.csv")
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert list(rows[0]) == [
        "minx",
        "miny",
        "width",
        "height",
        "prob_tumör",
        "prob_stroma",
    ]
    assert len(rows) == 9
    for row in rows:
        x, y, width, height = (int(row[k]) for k in list(row)[:4])
        assert (x % 20, y % 20, width, height) == (0, 0, 20, 20)
        value = run.heatmap.at(x + 1, y + 1)["stroma"]
        assert np.float32(row["prob_stroma"]) == value


def test_cells_end_where_the_slide_ends(tmp_path):
    run = a_run(tmp_path / "run", task="segmentation", cells=4)
    rows = list(csv.DictReader(export_run(run, tmp_path / "a.csv").open()))
    assert len(rows) == 9 * 16
    right = max(int(r["minx"]) + int(r["width"]) for r in rows)
    assert (right, {r["width"] for r in rows}) == (100, {"5"})


def test_an_ome_tiff_holds_values_channels_and_the_size_of_a_cell(run, tmp_path):
    path = export_run(run, tmp_path / "a.ome.tiff")
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert file.series[0].axes == "CYX"
        values = file.asarray()
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert np.array_equal(values, run.heatmap.values, equal_nan=True)
    assert values.dtype == np.float32
    assert pixels["PhysicalSizeX"] == pixels["PhysicalSizeY"] == 10
    assert pixels["PhysicalSizeXUnit"] == "µm"
    assert [c["Name"] for c in pixels["Channel"]] == ["prob_tumör", "prob_stroma"]


def test_an_unknown_suffix_is_refused_with_those_there_are(run, tmp_path):
    with pytest.raises(RunError, match=r"\.ome\.tiff"):
        export_run(run, tmp_path / "a.docx")


OF_SCORES = [each for each in FORMATS if "scores" in each.writers]


@pytest.mark.parametrize(
    "to", [f for f in OF_SCORES if not f.reads_slide], ids=lambda f: f.name
)
def test_an_export_that_fails_leaves_nothing(run, tmp_path, to):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        export_run(run, tmp_path / "file" / f"a{suffix_of(to)}", to=to.name)
    assert {p.name for p in tmp_path.iterdir()} == {"run", "file"}


def suffix_of(to):
    return to.suffixes[0] if to.suffixes else ""


def test_a_name_selects_the_format_and_the_suffix_must_fit(run, tmp_path):
    path = export_run(run, tmp_path / "a.csv", to="csv")
    assert path.read_text() == export_run(run, tmp_path / "b.csv").read_text()
    with pytest.raises(RunError, match=r"end in \.geojson\.gz or \.geojson"):
        export_run(run, tmp_path / "a.json", to="geojson")
    with pytest.raises(RunError, match="no export format 'docx'"):
        export_run(run, tmp_path / "a.docx", to="docx")
    with pytest.raises(RunError, match="cannot hold the results"):
        export_run(run, tmp_path / "a.coco.json", to="coco")


def test_every_format_says_what_it_holds_and_has_a_writer_for_it():
    assert len({each.name for each in FORMATS}) == len(FORMATS)
    for each in FORMATS:
        assert set(each.holds) == set(each.writers), each.name
        assert each.receiver, each.name
        assert each.tested, each.name
        for task in ("classification", "instances", "embedding"):
            if each.takes(task):
                assert callable(each.writer(task))


@pytest.mark.parametrize("task", ["classification", "instances", "embedding"])
def test_a_suffix_names_one_format_of_a_task(task):
    own = [s for each in formats_of(task) if each.takes(task) for s in each.suffixes]
    assert len(own) == len(set(own))
