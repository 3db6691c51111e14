"""Annotations: as values, on disk, undone, exchanged and summarised."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import uuid

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from made_slides import tissue_like, write_tiff
from workbench.annotations import geojson
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import open_annotations
from workbench.annotations.edits import Edits
from workbench.annotations.geojson import (
    annotation_of,
    feature_of,
    read_geojson,
    to_geojson,
    write_geojson,
)
from workbench.annotations.summary import summarize
from workbench.errors import AnnotationError, OutOfBoundsError
from workbench.geometry import FileFrame
from workbench.results.heatmap import Heatmap
from workbench.slide.slide import open_slide

SQUARE = shapely.box(100, 200, 300, 400)
DONUT = shapely.Polygon(
    [(0, 0), (90, 0), (90, 90), (0, 90)], [[(30, 30), (60, 30), (60, 60), (30, 60)]]
)
SHAPES = {
    "box": SQUARE,
    "hole": DONUT,
    "islands": shapely.MultiPolygon([SQUARE, DONUT]),
    "point": shapely.Point(5.25, 7),
    "points": shapely.MultiPoint([(1, 2), (3, 4)]),
    "line": shapely.LineString([(0, 0), (30, 40), (30, 100)]),
}


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slide") / "a.tif"
    write_tiff(path, tissue_like(), mpp=0.5)
    with open_slide(path) as opened:
        yield opened


def marked(geometry=SQUARE, **more):
    return Annotation(geometry=geometry, **more)


def test_what_is_measured_is_in_micrometres_where_they_are_known():
    assert marked().measures(0.5) == {"Area µm^2": 10_000, "Perimeter µm": 400}
    assert marked().measures() == {"Area px^2": 40_000, "Perimeter px": 800}
    assert marked(DONUT).measures()["Area px^2"] == 8100 - 900
    assert marked(SHAPES["line"]).measures(0.25) == {"Length µm": 27.5}
    assert marked(SHAPES["points"]).measures(0.25) == {"Points": 2}


def test_an_outline_that_crosses_itself_is_repaired():
    bow = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    fixed = marked(bow)
    assert fixed.geometry.is_valid
    assert fixed.geometry.geom_type == "MultiPolygon"
    assert fixed.area.px == pytest.approx(50)


@pytest.mark.parametrize(
    "bad",
    [
        shapely.Polygon(),
        shapely.Polygon([(0, 0), (1, 1), (2, 2)]),
        shapely.Point(float("nan"), 0),
        shapely.Point(1e9, 0),
        shapely.GeometryCollection([shapely.Point(1, 1), SQUARE]),
    ],
    ids=["empty", "flat", "nan", "far", "mixed"],
)
def test_what_cannot_be_seen_is_no_annotation(bad):
    with pytest.raises(AnnotationError):
        marked(bad)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("suffix", [".geojson", ".geojson.gz"])
def test_what_is_written_is_read_as_it_was(tmp_path, shape, suffix):
    one = marked(
        SHAPES[shape],
        name="Größe 1",
        classification="Tumour",
        colour=(1, 2, 3),
        locked=True,
        author="a",
        editor="b",
        created="2026-01-01T00:00:00+00:00",
        modified="2026-01-02T00:00:00+00:00",
    )
    two = marked()
    path = tmp_path / f"x{suffix}"
    write_geojson([one, two], path, frame=FileFrame(origin=(50, 60)), mpp=0.5)
    assert read_geojson(path, frame=FileFrame(origin=(50, 60))) == [one, two]


def test_a_feature_is_what_qupath_reads():
    one = feature_of(
        marked(name="n", classification="Tumour"),
        frame=FileFrame(origin=(100, 200)),
        mpp=1,
    )
    properties = one["properties"]
    assert str(uuid.UUID(one["id"])) == one["id"]
    assert properties["objectType"] == "annotation"
    assert properties["name"] == "n"
    # Without a colour QuPath refuses the whole file; a "type" would be an objectType.
    assert properties["classification"] == {"name": "Tumour", "color": [200, 30, 45]}
    assert "type" not in properties
    assert all(isinstance(v, float) for v in properties["measurements"].values())
    assert one["geometry"]["type"] == "Polygon"
    xs, ys = np.array(one["geometry"]["coordinates"][0]).T
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == (0, 0, 200, 200)


def test_what_other_versions_and_programs_write_is_understood():
    ring = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
    geometry = {"type": "Polygon", "coordinates": [ring], "plane": {"c": -1, "z": 0}}
    old = {
        "type": "Feature",
        "id": "PathAnnotationObject",
        "geometry": geometry,
        "properties": {"classification": {"name": "Tumor", "colorRGB": -3670016}},
    }
    found = annotation_of(old)
    assert (found.classification, found.colour) == ("Tumor", (200, 0, 0))
    assert annotation_of(old).id == found.id  # the same whenever it is read
    derived = {"classification": {"names": ["Tumor", "Positive"], "color": [1, 2, 3]}}
    assert (
        annotation_of({**old, "properties": derived}).classification
        == "Tumor: Positive"
    )
    plain = {"classification": "Stroma"}
    assert annotation_of({**old, "properties": plain}).classification == "Stroma"
    assert annotation_of({"geometry": geometry, "properties": None}).name == ""
    for content in (
        {"type": "FeatureCollection", "features": [old, old]},
        [old],
        old,
        geometry,
    ):
        data = b"\xef\xbb\xbf" + json.dumps(content).encode()
        assert [each.geometry for each in read_geojson(data)] == [found.geometry]


@pytest.mark.slow
@given(st.lists(st.floats(0, 1e5), min_size=6, max_size=40))
def test_any_outline_survives_the_way_out_and_in(numbers):
    points = np.reshape(numbers[: len(numbers) // 2 * 2], (-1, 2))
    try:
        one = marked(shapely.Polygon(points))
    except AnnotationError:
        return
    [again] = read_geojson(to_geojson([one]))
    assert again == one
    assert again.geometry.is_valid


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\x1f\x8b and no gzip", "not JSON"),
        (b"3", "no list of features"),
        (b'{"type": "FeatureCollection"}', "no list of features"),
        (b"[1]", "feature 1 is not an object"),
        (b'{"type": "Topology"}', "feature 1"),
        (b'[{"type": "Feature", "geometry": {"type": "Polygon"}}]', "feature 1"),
        (
            b'{"type":"Polygon","coordinates":[[[0,0],[1,"x"],[2,2],[0,0]]]}',
            "feature 1",
        ),
        (b'{"type":"Point","coordinates":[NaN,1]}', "feature 1"),
        (b'{"type":"Point","coordinates":[1e400,1]}', "feature 1"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_place(data, said, tmp_path):
    path = tmp_path / "bad.geojson"
    path.write_bytes(data)
    with pytest.raises(AnnotationError, match=said) as caught:
        read_geojson(path)
    assert "bad.geojson" in str(caught.value)


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(geojson, "MAX_BYTES", 10_000)
    monkeypatch.setattr(geojson, "MAX_FEATURES", 3)
    bomb = gzip.compress(b" " * 1_000_000)
    with pytest.raises(AnnotationError, match="larger than"):
        read_geojson(bomb, name="bomb.gz")
    with pytest.raises(AnnotationError, match="more than 3 features"):
        read_geojson(to_geojson([marked() for _ in range(4)]))


def test_what_is_put_is_saved_with_author_and_time(slide, tmp_path):
    here = open_annotations(slide, folder=tmp_path)
    [saved] = here.put(marked(name="one"), by="Ada")
    assert (saved.author, saved.editor) == ("Ada", "Ada")
    assert saved.created == saved.modified != ""
    [changed] = here.put(saved.replace(classification="Stroma"), by="Ben")
    assert (changed.author, changed.editor) == ("Ada", "Ben")
    assert changed.created == saved.created <= changed.modified
    again = open_annotations(slide, folder=tmp_path)
    assert list(again) == [changed]
    assert again["one"] == again[changed.id] == changed
    assert again.select(classification="Stroma") == [changed]
    assert again.to_frame().loc[0, "Area µm^2"] == 10_000
    here.delete(changed.id, by="Ben")
    assert again.refresh() == {changed.id}
    assert not again


def test_two_who_edit_the_same_slide_lose_nothing(slide, tmp_path):
    ada, ben = (open_annotations(slide, folder=tmp_path) for _ in range(2))
    ada.put(marked(name="a"), by="Ada")
    ben.put(marked(name="b"), by="Ben")
    ada.put(marked(name="c"), by="Ada")
    ben.refresh()
    assert {each.name for each in ada} == {each.name for each in ben} == set("abc")


def _annotate(path, folder, who):
    with open_slide(path) as slide:
        here = open_annotations(slide, folder=folder)
        for number in range(40):
            here.put(marked(name=f"{who}{number}"), by=who)


@pytest.mark.slow
def test_many_processes_lose_nothing(slide, tmp_path):
    spawn = multiprocessing.get_context("spawn")
    people = [
        spawn.Process(target=_annotate, args=(slide.path, tmp_path, who))
        for who in ("Ada", "Ben")
    ]
    for each in people:
        each.start()
    for each in people:
        each.join(120)
    found = open_annotations(slide, folder=tmp_path)
    assert {each.name for each in found} == {
        f"{who}{number}" for who in ("Ada", "Ben") for number in range(40)
    }


def test_a_line_that_a_kill_cut_off_is_left_out(slide, tmp_path):
    here = open_annotations(slide, folder=tmp_path)
    here.put(marked(name="whole"), marked(name="cut"), by="Ada")
    here.path.write_bytes(here.path.read_bytes()[:-20])
    again = open_annotations(slide, folder=tmp_path)
    assert [each.name for each in again] == ["whole"]
    again.put(marked(name="next"), by="Ada")
    assert [each.name for each in open_annotations(slide, folder=tmp_path)] == [
        "whole",
        "next",
    ]


@pytest.mark.parametrize(
    "bad",
    [
        b"what is this\n",
        b"\0" * 4096,  # a power cut, in the middle of what was written later
        b"\0" * 4096 + b"\n",
        b"[" * 100_000 + b"\n",
        b'{"put": {"type": "Feature"}}\n',
        b'{"put": 3}\n{"delete": [1]}\nnull\n',
        b"\xff\xfe\n",
        b'{"put": {"geometry": {"type": "Point", "coordinates": [1e999, 0]}}}\n',
    ],
)
def test_a_damaged_line_is_left_out_and_said(slide, tmp_path, bad):
    here = open_annotations(slide, folder=tmp_path)
    one, two = here.put(marked(name="one"), marked(name="two"), by="Ada")
    live = open_annotations(slide, folder=tmp_path)
    assert len(live) == 2
    whole = here.path.read_bytes()
    more = whole.replace(b"one", b"six").replace(one.id.encode(), b"6" * 36)
    here.path.write_bytes(whole + bad + more)
    live.refresh()
    for each in (live, open_annotations(slide, folder=tmp_path)):
        assert [a.name for a in each] == ["one", "two", "six"]
        assert each.damaged
        assert "line 3" in each.damaged[0]
    live.put(marked(name="next"), by="Ada")
    live.delete(two.id, by="Ada")
    names = ["one", "six", "next"]
    assert [a.name for a in open_annotations(slide, folder=tmp_path)] == names


def test_a_disk_that_refuses_is_a_sentence(slide, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AnnotationError, match="could not be written or read"):
        open_annotations(slide, folder=tmp_path / "file").put(marked(), by="Ada")


def test_edits_are_undone_and_done_again(slide, tmp_path):
    here = open_annotations(slide, folder=tmp_path)
    edits = Edits(here, lambda: "Ada")
    one = marked(name="one")
    edits.put(one)
    edits.put(here[one.id].replace(geometry=DONUT))
    edits.delete(one.id)
    assert not here
    assert edits.undo() == {one.id}
    assert here[one.id].geometry == marked(DONUT).geometry
    edits.undo()
    assert here[one.id].geometry == marked().geometry
    edits.undo()
    assert not here
    assert not edits.can_undo
    assert edits.undo() == set()
    for _ in range(2):
        edits.redo()
    assert here[one.id].geometry == marked(DONUT).geometry
    edits.put(marked(name="two"))
    assert not edits.can_redo


def test_what_somebody_else_has_changed_is_not_undone(slide, tmp_path):
    here, there = (open_annotations(slide, folder=tmp_path) for _ in range(2))
    edits = Edits(here, lambda: "Ada")
    one = marked(name="one")
    edits.put(one)
    there.refresh()
    there.put(there[one.id].replace(classification="Stroma"), by="Ben")
    with pytest.raises(AnnotationError, match="Ben has changed it"):
        edits.undo()
    assert here[one.id].classification == "Stroma"


def test_a_file_is_exchanged_in_the_frame_of_qupath(slide, tmp_path):
    here = open_annotations(slide, folder=tmp_path / "a")
    here.put(marked(name="x"), marked(classification="Stroma"), by="Ada")
    path = tmp_path / "out.geojson"
    assert len(here.write(path, classification="Stroma")) == 1
    assert len(here.write(path)) == 2
    other = open_annotations(slide, folder=tmp_path / "b")
    assert other.read(path, by="Ben") == 2
    assert [each.geometry for each in other] == [each.geometry for each in here]
    assert {each.author for each in other} == {"Ada"}
    assert other.read(path, by="Ben") == 2
    assert len(other) == 2


def test_a_heatmap_is_summarised_in_each_annotation():
    values = np.full((1, 6, 8), np.nan, np.float32)
    values[0, :4] = np.linspace(0, 1, 8)
    heatmap = Heatmap(values=values, classes=("tumour",), cell=10.0)
    left = marked(shapely.box(0, 0, 20, 60), name="left", classification="A")
    tiny = marked(shapely.box(71, 1, 73, 3), name="tiny")
    away = marked(shapely.box(1000, 0, 1100, 60), name="away")
    table = summarize(
        heatmap, [left, tiny, away, marked(shapely.Point(1, 1))], threshold=0.1, mpp=0.5
    ).set_index("name")
    assert list(table.index) == ["left", "tiny", "away"]
    assert table.cells.to_list() == [8, 1, 0]
    assert table.loc["left", "mean"] == pytest.approx(1 / 14)
    assert table.loc["left", "above"] == 0.5
    assert table.loc["left", "area_um2"] == 1200 * 0.25
    assert table.loc["left", "area_above_um2"] == 4 * 25
    assert table.loc["left", "computed"] == pytest.approx(8 / 12)
    assert table.loc["left", "area_computed_um2"] == pytest.approx(200)
    assert table.loc["tiny", "area_above_um2"] == table.loc["tiny", "area_um2"] == 1
    assert table.loc["away", "computed"] == table.loc["away", "area_computed_um2"] == 0
    assert table.loc["tiny", "mean"] == 1
    assert np.isnan(table.loc["away", "mean"])


def test_what_lies_beyond_the_slide_is_not_computed():
    values = np.ones((1, 6, 8), np.float32)
    heatmap = Heatmap(values=values, classes=("tumour",), cell=10.0)
    half = marked(shapely.box(40, 20, 120, 40), name="half")
    row = summarize(heatmap, [half], threshold=0.5, mpp=0.5).iloc[0]
    assert row["cells"] == 8
    assert row["computed"] == pytest.approx(0.5)
    assert row["area_above_um2"] == row["area_computed_um2"] == 200


@pytest.mark.thorough
def test_real_outlines_at_scale(slide, tmp_path, shared_data):
    table = pd.read_parquet(shared_data / "wsi_polygons" / "hgsc_tissue_wsi.parquet")
    shapes = shapely.from_wkb(table.geometry.to_numpy())
    here = open_annotations(slide, folder=tmp_path)
    here.put(
        *(
            Annotation(geometry=shape, classification=name)
            for shape, name in zip(shapes, table.class_name, strict=True)
        ),
        by="histolytics",
    )
    assert len(here) == len(table) == 3712
    path = tmp_path / "all.geojson.gz"
    here.write(path)
    again = read_geojson(path)
    assert again == list(here)
    total = sum(each.geometry.area for each in again)
    assert total == pytest.approx(shapely.area(shapes).sum(), rel=1e-5)
    tumour = here.select(classification="tumor")
    assert 0 < len(tumour) < len(here)


def test_points_and_lines_enclose_nothing(slide, tmp_path):
    here = open_annotations(slide, folder=tmp_path)
    here.put(marked(SHAPES["line"]), by="Ada")
    with pytest.raises(OutOfBoundsError):
        here.area()
