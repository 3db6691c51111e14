"""Folders and stores for WSInfer, TissUUmaps, xOpat, OME-Zarr and SpatialData."""

from __future__ import annotations

import csv
import json

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
import tifffile
import zarr

from exported_runs import instance_run, score_run
from workbench.export import export_run
from workbench.export.polygon_fill import fill_outlines

BOUNDS = [10, 5, 90, 60]


@pytest.fixture(scope="module")
def instances(tmp_path_factory):
    return instance_run(tmp_path_factory.mktemp("folders") / "run")


@pytest.fixture
def scores(tmp_path):
    return score_run(tmp_path / "run")


def test_wsinfers_folder_is_whole(scores, tmp_path):
    path = export_run(scores, tmp_path / "out", to="wsinfer")
    rows = pd.read_csv(path / "model-outputs-csv" / "s.csv")
    assert len(rows) == 19
    features = json.loads((path / "model-outputs-geojson" / "s.geojson").read_text())
    assert len(features["features"]) == 19
    with h5py.File(path / "patches" / "s.h5") as file:
        coords = file["coords"]
        assert np.array_equal(coords[:], rows[["minx", "miny"]].to_numpy())
        assert dict(coords.attrs) == {
            "patch_size": 20,
            "patch_level": 0,
            "patch_spacing_um_px": 0.5,
        }
    assert (path / "masks" / "s.jpg").stat().st_size
    (file,) = path.glob("run_metadata_*.json")
    record = json.loads(file.read_text(encoding="utf-8"))
    assert set(record) == {"model", "runtime", "timestamp"}
    assert record["model"]["config"]["class_names"] == ["tumör", "stroma"]


def test_a_project_of_tissuumaps_begins_at_the_scanned_part(tmp_path):
    run = score_run(tmp_path / "run", slide={"bounds": BOUNDS})
    path = export_run(run, tmp_path / "out", to="tissuumaps")
    project = json.loads((path / "s.tmap").read_text(encoding="utf-8"))
    (markers,) = project["markerFiles"]
    with (path / markers["path"]).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    header = markers["expectedHeader"]
    assert {header["X"], header["Y"], header["gb_col"]} <= set(rows[0])
    assert (float(rows[0]["x"]), float(rows[0]["y"])) == (0.0, 5.0)
    assert project["boundingBox"] == {"x": 0, "y": 0, "width": 80, "height": 55}
    assert project["layers"][0]["tileSource"] == "s.tiff.dzi"


def test_a_project_has_the_outlines_while_the_viewer_can_draw_them(
    instances, tmp_path, monkeypatch
):
    path = export_run(instances, tmp_path / "out", to="tissuumaps")
    features = json.loads((path / "outlines.geojson").read_text())["features"]
    assert len(features) == 500
    monkeypatch.setattr("workbench.export.stores.tissuumaps.MAX_OUTLINES", 499)
    path = export_run(instances, tmp_path / "many", to="tissuumaps")
    assert not (path / "outlines.geojson").exists()
    assert len((path / "markers.csv").read_text().splitlines()) == 501


def test_a_session_of_xopat_shows_values_at_their_place(scores, tmp_path):
    path = export_run(scores, tmp_path / "out", to="xopat")
    session = json.loads((path / "session.json").read_text(encoding="utf-8"))
    assert session["background"][0]["dataReference"] == 0
    shaders = session["visualizations"][0]["shaders"].values()
    assert [s["dataReferences"] for s in shaders] == [[1], [2]]
    for number, file in enumerate(session["data"][1:]):
        grey = tifffile.imread(path / file)
        height, width = grey.shape
        assert width / height == pytest.approx(100 / 70, rel=0.02)
        values = scores.heatmap.channel(scores.card.classes[number])
        for y, x in ((0, 0), (height // 2, width // 2), (height - 1, width - 1)):
            row = int((y + 0.5) * 70 / height // 20)
            column = int((x + 0.5) * 100 / width // 20)
            value = values[row, column]
            wanted = 0 if np.isnan(value) else 1 + round(float(value) * 254)
            assert abs(int(grey[y, x]) - wanted) <= 1
    assert (tifffile.imread(path / session["data"][1]) == 0).any(), "the failed tile"


def test_labels_of_instances_are_their_pixels(instances, tmp_path):
    path = export_run(instances, tmp_path / "s.ome.zarr")
    root = zarr.open_group(path, mode="r")
    assert root["labels"].attrs["labels"] == ["instances"]
    group = root["labels/instances"]
    levels = group.attrs["multiscales"][0]["datasets"]
    scales = [d["coordinateTransformations"][0]["scale"] for d in levels]
    assert scales == [[0.5, 0.5], [1.0, 1.0]]
    fine, coarse = (group[d["path"]][:] for d in levels)
    assert np.array_equal(coarse, fine[::2, ::2])
    found = instances.final_instances.take(np.arange(500))
    wanted = np.zeros((700, 900), np.int32)
    numbers = np.arange(1, 501, dtype=np.int32)
    fill_outlines(found.points.astype(float), found.ends, numbers, wanted)
    assert np.array_equal(fine, wanted)
    label = group.attrs["image-label"]
    kinds = [instances.final_instances.classes[k] for k in found.classes]
    assert [p["class"] for p in label["properties"]] == kinds
    assert len(label["colors"]) == 500


def test_values_and_classes_of_scores_are_an_image_and_labels(scores, tmp_path):
    path = export_run(scores, tmp_path / "s.ome.zarr")
    root = zarr.open_group(path, mode="r")
    values = root["0"][:]
    assert np.array_equal(values, scores.heatmap.values, equal_nan=True)
    (pyramid,) = root.attrs["multiscales"]
    scale = pyramid["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale == [1.0, 10.0, 10.0]
    classes = root["labels/classes/0"][:]
    best = np.where(np.isnan(values[0]), 0, values.argmax(0) + 1)
    assert np.array_equal(classes, best)


def test_spatialdata_of_instances_has_shapes_and_measures(instances, tmp_path):
    path = export_run(instances, tmp_path / "s.zarr")
    table = pq.read_table(path / "shapes" / "cells" / "shapes.parquet")
    found = instances.final_instances.take(np.arange(500))
    shapes = shapely.from_wkb(table["geometry"].to_numpy())
    assert shapely.equals_exact(shapes, found.polygons).all()
    assert table["cell_id"].to_pylist() == list(range(500))
    root = zarr.open_group(path, mode="r")
    (name,) = root["tables"]
    values = root[f"tables/{name}/X"][:]
    columns = list(root[f"tables/{name}/var/_index"][:])
    assert columns == ["score", "area_um2"]
    assert np.array_equal(values[:, 1], found.measures["area_um2"])
    codes = root[f"tables/{name}/obs/class/codes"][:]
    assert np.array_equal(codes, found.classes)
    facts = root.attrs["workbench"]
    assert (facts["slide"], facts["slide_id"]) == ("s.tiff", "abc")


def test_spatialdata_of_scores_has_a_variable_for_each_class(scores, tmp_path):
    path = export_run(scores, tmp_path / "s.zarr")
    root = zarr.open_group(path, mode="r")
    assert list(root["tables/scores_tiles/var/_index"][:]) == ["tumör", "stroma"]
