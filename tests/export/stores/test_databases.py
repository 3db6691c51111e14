"""SQLite files for TIAToolbox and geographic programs, read by their own rules."""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib

import numpy as np
import pytest
import shapely

from exported_runs import instance_run, score_run
from workbench.errors import RunError
from workbench.export import export_run
from workbench.export.cells import Cells


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return instance_run(tmp_path_factory.mktemp("databases") / "run")


def outlines(run):
    return run.final_instances.take(np.arange(len(run.final_instances)))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("workbench.export.instances._BLOCK", 70)


def test_a_store_has_the_rows_of_tiatoolbox(run, tmp_path):
    path = export_run(run, tmp_path / "s.db")
    found = outlines(run)
    with sqlite3.connect(path) as file:
        facts = dict(file.execute("SELECT key, value FROM metadata"))
        rows = file.execute("SELECT * FROM annotations ORDER BY id").fetchall()
        boxes = file.execute("SELECT * FROM rtree ORDER BY id").fetchall()
    assert json.loads(facts["version"]) == "1.0.1"
    assert json.loads(facts["compression"]) == "zlib"
    assert len(rows) == len(boxes) == len(found)
    assert len({row[1] for row in rows}) == len(rows)
    names = run.final_instances.classes
    for i, (number, _, kind, cx, cy, blob, text, area) in enumerate(rows):
        shape = shapely.from_wkb(zlib.decompress(blob))
        assert kind == shape.geom_type == "Polygon"
        assert (number, area) == (i + 1, shape.area)
        assert (cx, cy) == (shape.centroid.x, shape.centroid.y)
        assert shape.equals_exact(found.polygons[i])
        values = json.loads(text)
        assert values["type"] == names[found.classes[i]]
        assert values["prob"] == pytest.approx(float(found.scores[i]), abs=1e-4)
        np.testing.assert_allclose(
            boxes[i][1:], np.array(shape.bounds)[[0, 2, 1, 3]], atol=1e-2
        )


def test_a_query_of_a_class_uses_the_index(run, tmp_path):
    path = export_run(run, tmp_path / "s.db")
    query = (
        "SELECT id FROM annotations WHERE json_extract(properties, '$.\"type\"') = ?"
    )
    with sqlite3.connect(path) as file:
        plan = file.execute(f"EXPLAIN QUERY PLAN {query}", ("tumour",)).fetchall()
        found = file.execute(query, ("tumour",)).fetchall()
    assert "USING INDEX class" in str(plan) or "USING COVERING INDEX" in str(plan)
    kinds = run.final_instances.columns(["class"])["class"]
    assert len(found) == np.count_nonzero(kinds == 0)


def test_cells_have_their_class_and_all_values(tmp_path):
    run = score_run(tmp_path / "run")
    path = export_run(run, tmp_path / "s.db")
    cells = Cells.of(run)
    with sqlite3.connect(path) as file:
        texts = file.execute("SELECT properties FROM annotations").fetchall()
    assert len(texts) == len(cells.values) == 19
    for (text,), values in zip(texts, cells.values, strict=True):
        read = json.loads(text)
        assert read["type"] == ("tumör", "stroma")[int(values.argmax())]
        assert read["prob_stroma"] == pytest.approx(float(values[1]), abs=1e-4)


def geometry_of(blob):
    """Read a geometry of a GeoPackage: its header by the standard, then WKB."""
    magic, version, flags, srs = struct.unpack_from("<2sBBi", blob)
    assert (magic, version, flags & 1, (flags >> 1) & 7, srs) == (b"GP", 0, 1, 1, -1)
    envelope = struct.unpack_from("<4d", blob, 8)
    shape = shapely.from_wkb(blob[40:])
    assert envelope == tuple(np.array(shape.bounds)[[0, 2, 1, 3]])
    return shape


def test_a_geopackage_describes_itself_and_holds_all(run, tmp_path):
    path = export_run(run, tmp_path / "s.gpkg")
    found = outlines(run)
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA application_id").fetchone()[0] == 0x47504B47
        assert file.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        (layer, kind, *box) = file.execute(
            "SELECT table_name, data_type, min_x, min_y, max_x, max_y"
            " FROM gpkg_contents"
        ).fetchone()
        rows = file.execute("SELECT * FROM instances ORDER BY fid").fetchall()
        tree = file.execute("SELECT count(*) FROM rtree_instances_geom").fetchone()[0]
    assert (layer, kind, tree) == ("instances", "features", len(rows))
    assert box == list(shapely.total_bounds(found.polygons))
    names = run.final_instances.classes
    for i, (number, blob, name, score, area) in enumerate(rows):
        assert geometry_of(blob).equals_exact(found.polygons[i])
        assert (number, name) == (i + 1, names[found.classes[i]])
        assert score == float(found.scores[i])
        assert area == float(found.measures["area_um2"][i])


def test_stored_pixels_that_are_not_square_are_those_of_the_file(tmp_path):
    run = instance_run(tmp_path / "run", 20, scale=(1.0, 2.0))
    path = export_run(run, tmp_path / "s.db")
    with sqlite3.connect(path) as file:
        ys = [y for (y,) in file.execute("SELECT cy FROM annotations ORDER BY id")]
    centres = shapely.get_coordinates(shapely.centroid(outlines(run).polygons))
    np.testing.assert_allclose(ys, centres[:, 1] / 2)


def test_a_disk_that_refuses_is_an_error_that_names_the_file(run, tmp_path):
    with pytest.raises(RunError, match=r"s\.db.*cannot be written"):
        export_run(run, tmp_path / "none" / "s.db")
