"""COCO and HistomicsUI files, read by their rules, and COCO brought back."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import shapely
from PIL import Image

import workbench as wb
from exported_runs import instance_run, score_run
from labelled_slides import blobs
from made_slides import tissue_like, write_tiff
from workbench.annotations import coco
from workbench.annotations.geojson import read_geojson
from workbench.errors import AnnotationError, RunError
from workbench.export import export_run
from workbench.export.cells import Cells
from workbench.export.polygon_fill import fill_outlines, run_lengths
from workbench.instances.tracing import trace


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return instance_run(tmp_path_factory.mktemp("documents") / "run")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("workbench.export.instances._BLOCK", 70)


def test_filling_traced_outlines_gives_the_labels_back():
    labels = blobs((300, 200), 80, (4, 8))
    outlines = trace(labels)
    numbers = np.arange(1, labels.max() + 1, dtype=np.int32)
    filled = np.zeros_like(labels)
    fill_outlines(outlines.points.astype(float), outlines.ends, numbers, filled)
    assert np.array_equal(filled, labels)


def reference_runs(points, width, height):
    """Rasterize one outline by testing each pixel's centre."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return shapely.contains_xy(shapely.Polygon(points), x, y)


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_are_the_pixels_whose_centres_lie_inside(seed):
    rng = np.random.default_rng(seed)
    width, height = 40, 30
    rings = [rng.uniform(-8, 48, (number, 2)) for number in (3, 3, 4)]
    rings.append(np.array([[10, -5], [14, -5], [14, 60], [10, 60]], float))  # wraps
    shapes = [shapely.convex_hull(shapely.MultiPoint(ring)) for ring in rings]
    rings = [np.array(shape.exterior.coords[:-1]) for shape in shapes]
    ends = np.cumsum([len(ring) for ring in rings])
    text, text_ends, areas = run_lengths(np.concatenate(rings), ends, width, height)
    start = 0
    for ring, end, area in zip(rings, text_ends, areas, strict=True):
        lengths = coco._decoded(text[start:end].tobytes().decode())
        start = end
        values = np.arange(len(lengths)) % 2
        mask = np.repeat(values, lengths).reshape(width, height).T.astype(bool)
        assert np.array_equal(mask, reference_runs(ring, width, height))
        assert area == mask.sum()


def masks_of(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    return content, {each["id"]: each for each in content["annotations"]}


def test_masks_have_the_pixels_of_the_outlines(run, tmp_path):
    content, found = masks_of(export_run(run, tmp_path / "s.rle.json"))
    outlines = run.final_instances.take(np.arange(500))
    assert len(found) == 500
    assert (content["images"][0]["width"], content["images"][0]["height"]) == (900, 700)
    for number in (1, 17, 500):
        mask = found[number]["segmentation"]
        assert mask["size"] == [700, 900]
        lengths = coco._decoded(mask["counts"])
        assert lengths.sum() == 700 * 900
        polygon = outlines.polygons[number - 1]
        clipped = polygon.intersection(shapely.box(0, 0, 900, 700))
        assert found[number]["area"] == pytest.approx(clipped.area, rel=0.1, abs=8)


def test_a_slide_that_run_lengths_cannot_count_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.export.stores.coco.MAX_PIXELS", 900 * 700)
    with pytest.raises(RunError, match="--to cvat"):
        export_run(run, tmp_path / "s.rle.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".coco.json", ".rle.json"])
def test_coco_comes_back_as_annotations(run, tmp_path, suffix):
    read = read_geojson(export_run(run, tmp_path / f"s{suffix}"))
    outlines = run.final_instances.take(np.arange(500))
    inside = shapely.within(outlines.polygons, shapely.box(0, 0, 900, 700))
    found = {each.geometry.representative_point().wkt for each in read}
    assert len(found) >= 450  # some masks are empty, or equal
    assert {each.classification for each in read} == set(run.final_instances.classes)
    areas = sorted(each.geometry.area for each in read)
    assert np.median(areas) == pytest.approx(
        np.median(shapely.area(outlines.polygons[inside])), rel=0.05
    )


@pytest.fixture(scope="module")
def sliced(tmp_path_factory):
    """Return a slide, and a run of instances on it."""
    folder = tmp_path_factory.mktemp("tiles")
    path = write_tiff(folder / "s.tiff", tissue_like())
    slide = wb.open_slide(path)
    about = {"id": slide.id, "path": str(path)}
    yield slide, instance_run(folder / "run", 200, slide=about)
    slide.close()


def test_tiles_hold_the_pixels_and_the_outlines_of_their_place(
    sliced, tmp_path, monkeypatch
):
    monkeypatch.setattr("workbench.export.stores.cvat.TILE_PX", 256)
    slide, run = sliced
    path = export_run(run, tmp_path / "tiles", to="cvat")
    content, found = masks_of(path / "annotations" / "instances_default.json")
    names = {each["id"]: each["file_name"] for each in content["images"]}
    assert sorted(names.values()) == sorted(p.name for p in path.glob("images/*"))
    for name in list(names.values())[::4]:
        x, y = map(int, re.search(r"_x(\d+)_y(\d+)\.png$", name).groups())
        pixels = np.array(Image.open(path / "images" / name))
        assert np.array_equal(pixels, slide.read((x, y, x + 256, y + 256)).pixels)
    assert 190 <= len(found) <= 200  # the centres of some lie outside of the slide
    back = read_geojson(path / "annotations" / "instances_default.json")
    whole = run.final_instances.take(np.arange(200)).polygons
    tree = shapely.STRtree(whole)
    for each in back[:50]:
        near = tree.query(each.geometry, predicate="intersects")
        covered = (
            each.geometry.area
            - shapely.union_all(whole[near]).intersection(each.geometry).area
        )
        assert covered < 1


def test_another_slide_is_refused(sliced, tmp_path):
    _, run = sliced
    other = write_tiff(tmp_path / "other.tiff", tissue_like(seed=5))
    with pytest.raises(RunError, match="not the slide"):
        export_run(run, tmp_path / "tiles", to="cvat", slide=other)
    assert [p.name for p in tmp_path.iterdir()] == ["other.tiff"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"images": [{"id": 1}, {"id": 2}]}, "has no place"),
        ({"annotations": [{"image_id": 9}]}, "no image"),
        ({"annotations": [{"image_id": 1, "segmentation": [[1, 2]]}]}, "three points"),
        (
            {
                "annotations": [
                    {
                        "image_id": 1,
                        "segmentation": {"size": [9, 9], "counts": [80, 3]},
                    }
                ]
            },
            "do not fill",
        ),
        (
            {
                "annotations": [
                    {"image_id": 1, "segmentation": {"size": [9, 9], "counts": "é"}}
                ]
            },
            "is damaged",
        ),
    ],
)
def test_a_damaged_coco_file_is_refused_with_the_annotation(change, reason):
    content = {"images": [{"id": 1}], "annotations": [], "categories": []} | change
    with pytest.raises(AnnotationError, match=reason):
        read_geojson(json.dumps(content).encode())


COLOUR = re.compile(
    r"^(#[0-9a-f]{6}|rgb\(\d+, \d+, \d+\)|rgba\(\d+, \d+, \d+, [\d.]+\))$"
)


def test_histomicsui_gets_closed_polylines(run, tmp_path):
    path = export_run(run, tmp_path / "s.histomicsui.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    outlines = run.final_instances.take(np.arange(500))
    assert set(document) == {"name", "description", "attributes", "elements"}
    assert len(document["elements"]) == 500
    for i, element in enumerate(document["elements"]):
        assert (element["type"], element["closed"]) == ("polyline", True)
        points = np.array(element["points"])
        assert points.shape[1] == 3
        assert not points[:, 2].any()
        ring = shapely.Polygon(points[:, :2])
        assert ring.equals(outlines.polygons[i]) or ring.area == pytest.approx(
            outlines.polygons[i].area
        )
        name = run.final_instances.classes[outlines.classes[i]]
        assert element["group"] == element["label"]["value"] == name
        assert COLOUR.match(element["lineColor"])
        assert COLOUR.match(element["fillColor"])
        assert set(element["user"]) == {"score", "area_um2"}


def test_histomicsui_gets_values_not_colours(tmp_path):
    run = score_run(tmp_path / "run")
    path = export_run(run, tmp_path / "s.histomicsui.json")
    elements = json.loads(path.read_text(encoding="utf-8"))["elements"]
    cells = Cells.of(run)
    assert [e["group"] for e in elements] == list(run.card.classes)
    for column, element in enumerate(elements):
        assert element["type"] == "heatmap"
        x, y, z, value = np.array(element["points"]).T
        assert np.array_equal(value.astype(np.float32), cells.values[:, column])
        assert np.array_equal(x, cells.boxes[:, [0, 2]].mean(1))
        assert np.array_equal(y, cells.boxes[:, [1, 3]].mean(1))
        assert not z.any()
        assert len(element["colorRange"]) == len(element["rangeValues"])
