"""What other tools get of the objects of a run: checked by their rules."""

from __future__ import annotations

import gzip
import json
import uuid

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely

from labelled_slides import blobs, reading_model, slide_of
from workbench.errors import RunError
from workbench.export import export_run
from workbench.inference import engine, plan
from workbench.results.instances import LiveInstances
from workbench.results.run import Run

LABELS = blobs((300, 200), 80, (4, 8))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    model = reading_model(classes=("tumör",), colours=((1, 2, 3),))
    out = tmp_path_factory.mktemp("objects") / "run"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plan, "find_model", lambda *_, **__: model)
        patched.setattr("workbench.export.instances._BLOCK", 7)
        return engine.run(slide_of(LABELS), out=out, tissue_only=False, device="cpu")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("workbench.export.instances._BLOCK", 7)


def true_area():
    return np.count_nonzero(LABELS) - LABELS.max() / 2


@pytest.mark.parametrize("suffix", [".geojson", ".geojson.gz"])
def test_qupath_gets_detections_with_measurements(run, tmp_path, suffix):
    path = export_run(run, tmp_path / f"nuclei{suffix}")
    read = gzip.open if suffix.endswith("gz") else open
    with read(path, "rt", encoding="utf-8") as file:
        collection = json.load(file)
    features = collection["features"]
    assert collection["type"] == "FeatureCollection"
    assert len(features) == LABELS.max()
    assert len({uuid.UUID(each["id"]) for each in features}) == LABELS.max()
    for each in features:
        properties = each["properties"]
        assert properties["objectType"] == "detection"
        assert properties["classification"] == {"name": "tumör", "color": [1, 2, 3]}
        kinds = set(map(type, properties["measurements"].values()))
        assert kinds == {float}
        ring = each["geometry"]["coordinates"][0]
        assert ring[0] == ring[-1]
    shapes = [shapely.geometry.shape(each["geometry"]) for each in features]
    assert shapely.area(shapes).sum() == pytest.approx(true_area())


def test_coco(run, tmp_path):
    path = export_run(run, tmp_path / "nuclei.coco.json")
    read = json.loads(path.read_text(encoding="utf-8"))
    (image,), (category,) = read["images"], read["categories"]
    assert (image["width"], image["height"]) == (300, 200)
    assert category["name"] == "tumör"
    assert len(read["annotations"]) == LABELS.max()
    assert sum(each["area"] for each in read["annotations"]) == pytest.approx(
        true_area()
    )
    for each in read["annotations"]:
        (ring,) = each["segmentation"]
        x, y = np.reshape(ring, (-1, 2)).T
        assert each["bbox"] == [x.min(), y.min(), np.ptp(x), np.ptp(y)]
        assert (each["image_id"], each["category_id"]) == (1, category["id"])
    assert len({each["id"] for each in read["annotations"]}) == LABELS.max()


def test_geoparquet(run, tmp_path):
    path = export_run(run, tmp_path / "nuclei.parquet")
    table = pq.read_table(path)
    geo = json.loads(table.schema.metadata[b"geo"])
    assert geo["columns"][geo["primary_column"]]["encoding"] == "WKB"
    shapes = shapely.from_wkb(table["geometry"].to_numpy())
    assert shapely.area(shapes).sum() == pytest.approx(true_area())
    assert set(table["class"].to_pylist()) == {"tumör"}
    areas = table["area_um2"].to_numpy()
    np.testing.assert_allclose(areas, shapely.area(shapes) * 0.25, rtol=1e-5)


def test_a_table(run, tmp_path):
    table = pd.read_csv(export_run(run, tmp_path / "nuclei.csv"))
    assert table["id"].tolist() == list(range(LABELS.max()))
    assert table["area_um2"].sum() == pytest.approx(true_area() * 0.25, rel=1e-4)


def test_the_density_as_a_raster(run, tmp_path):
    assert export_run(run, tmp_path / "density.ome.tiff").is_file()


def test_objects_that_are_not_settled_are_not_exported(run, tmp_path, monkeypatch):
    live = LiveInstances(run.path / "journal", run.grid, run.card)
    monkeypatch.setattr(Run, "instances", live)
    with pytest.raises(RunError, match="not final"):
        export_run(run, tmp_path / "nuclei.geojson")
    assert not list(tmp_path.iterdir())
