"""What other programs write as GeoJSON, and what an import makes and says of it."""

from __future__ import annotations

import gzip
import io
import json
import time
import zipfile

import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from made_slides import tissue_like, write_tiff
from workbench.annotations import geojson
from workbench.annotations.annotation import Annotation
from workbench.annotations.geojson import read_geojson, to_geojson
from workbench.app.widgets.upload import Upload
from workbench.cli import main as cli
from workbench.errors import AnnotationError, WorkbenchError
from workbench.geometry import FileFrame

RING = [[100, 100], [300, 100], [300, 300], [100, 300], [100, 100]]
SMALL = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
UUID = "3f9c2f4e-1111-4a6c-9a51-0123456789ab"


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry, key=None, **properties):
    return {
        "type": "Feature",
        "id": key,
        "geometry": geometry,
        "properties": properties,
    }


def read(content, **more):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_geojson(data, name="file.geojson", **more)


GOOD = [feature(polygon([[x + a, b] for a, b in SMALL])) for x in range(0, 60, 20)]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (feature(polygon([[0, 0], [5, 5], [0, 0]])), "encloses nothing"),
        (feature(polygon([[0, 0]])), "encloses nothing"),
        (feature(polygon([[0, 0], [5, 0], [10, 0], [0, 0]])), "encloses nothing"),
        (
            feature(polygon([[0, 0], [5, 0], [5, 0], [0, 0], [0, 0]])),
            "encloses nothing",
        ),
        (feature(polygon()), "encloses nothing"),
        (feature({"type": "Polygon"}), "coordinates"),
        (feature({"type": "Polygon", "coordinates": None}), "not GeoJSON"),
        (feature({"type": "Polygon", "coordinates": "abc"}), "could not convert"),
        (feature({"coordinates": []}), "type"),
        (feature({"type": "Circle", "coordinates": [0, 0]}), "Circle"),
        (feature(polygon([[0, 0], [1e9, 0], [1e9, 1e9], [0, 0]])), "outside any slide"),
        (feature(polygon([[0, 0], [10**400, 0], [9, 9], [0, 0]])), "too large"),
        (feature(polygon([[0, 0], [float("inf"), 0], [9, 9], [0, 0]])), "not finite"),
        (feature(polygon([[0, 0], [None, 0], [9, 9], [0, 0]])), "not finite"),
        (feature({"type": "Point", "coordinates": [float("nan"), 0]}), "not finite"),
        (feature({"type": "Point", "coordinates": []}), "no points"),
        (feature({"type": "LineString", "coordinates": [[1, 1], [1, 1]]}), "one place"),
        (feature({"type": "LineString", "coordinates": [[1, 1]]}), "one place"),
        (feature({"type": "GeometryCollection", "geometries": []}), "0 annotations"),
        ({"type": "Feature", "properties": {}, "geometry": None}, "no geometry"),
        (feature(polygon(SMALL), name={"a": 1}) | {"properties": [1]}, "not GeoJSON"),
        (3, "is not an object"),
        (None, "is not an object"),
    ],
)
@pytest.mark.parametrize("place", [0, 2, 3])
def test_one_bad_feature_costs_no_other_and_is_said(bad, why, place):
    content = [*GOOD[:place], bad, *GOOD[place:]]
    found = read(content)
    assert len(found) == 3
    assert [each.geometry.area for each in found] == [100] * 3
    [note] = found.notes
    assert note.where.startswith(f"feature {place + 1}")
    assert note.kind in ("left out", "empty")
    assert why in str(note)
    assert str(note) in found.report()


def test_what_is_not_a_feature_at_all_is_refused_with_the_reason():
    with pytest.raises(AnnotationError, match=r"file\.geojson.*feature 1 .*encloses"):
        read([feature(polygon([[0, 0]]))])


@pytest.mark.parametrize(
    ("rings", "area"),
    [
        ([RING[:-1]], 40_000),  # not closed
        ([RING[::-1]], 40_000),  # the other way round
        ([[RING[0], *RING]], 40_000),  # a point twice
        ([[*RING[:2], [300, 100], *RING[2:]]], 40_000),
        ([[*RING[:2], [900, 100], [300, 100], *RING[2:]]], 40_000),  # a spike
        ([[[0, 0], [100, 100], [100, 0], [0, 100], [0, 0]]], 5_000),  # a bow-tie
        ([RING, [[250, 250], [350, 250], [350, 350], [250, 350], [250, 250]]], 45_000),
        ([RING, [[150, 150], [150, 150]]], 40_000),  # a hole of nothing
        ([RING, RING], 0),
        ([[[*p, 7] for p in RING]], 40_000),  # with height
        ([[[*RING[0], 7], *RING[1:]]], 40_000),  # with height here and there
    ],
)
def test_what_can_be_mended_in_one_way_is(rings, area):
    content = [feature(polygon(*rings)), *GOOD]
    found = read(content)
    if not area:
        assert len(found) == 3
        return
    assert found[0].geometry.is_valid
    assert found[0].geometry.area == area
    plain = shapely.Polygon(np.array(RING)[:, :2])
    if area == 40_000:
        assert found[0].geometry.equals(plain)


def test_of_several_parts_the_good_ones_are_kept():
    parts = {"type": "MultiPolygon", "coordinates": [[RING], [[[0, 0]]], [SMALL]]}
    points = {"type": "MultiPoint", "coordinates": [[1, 2], [float("nan"), 1], [3, 4]]}
    lines = {"type": "MultiLineString", "coordinates": [[[0, 0], [9, 9]], [[1, 1]]]}
    overlapping = {"type": "MultiPolygon", "coordinates": [[RING], [RING]]}
    found = read([feature(each) for each in (parts, points, lines, overlapping)])
    assert [each.geometry.area for each in found] == [40_100, 0, 0, 40_000]
    assert len(found[1].geometry.geoms) == 2
    assert len(found.notes) == 4
    assert all(note.kind == "changed" for note in found.notes)


def test_a_collection_becomes_one_annotation_of_each_kind():
    mixed = {
        "type": "GeometryCollection",
        "geometries": [
            polygon(RING),
            {"type": "LineString", "coordinates": [[0, 0], [9, 9]]},
            {"type": "GeometryCollection", "geometries": [polygon(SMALL)]},
        ],
    }
    found = read([feature(mixed, UUID, name="x", classification="Tumor")])
    assert [each.kind for each in found] == ["area", "line"]
    assert found[0].geometry.area == 40_100
    assert {each.classification for each in found} == {"Tumor"}
    assert found[0].id == UUID != found[1].id
    assert [a.id for a in read([feature(mixed, UUID)])] == [a.id for a in found]
    assert "GeometryCollection" in found.report()


@pytest.mark.parametrize("inside", [True, False])
def test_children_stand_beside_their_parents(inside):
    inner = feature(polygon(SMALL), name="grandchild")
    child = feature(polygon(SMALL), name="child", childObjects=[inner, inner])
    parent = feature(polygon(RING), name="parent")
    holder = parent["properties"] if inside else parent
    holder["childObjects"] = [child, feature(polygon([[0, 0]]), name="flat")]
    found = read([parent, *GOOD])
    assert [each.name for each in found[:3]] == ["parent", "child", "grandchild"]
    assert len(found) == 6
    assert "childObjects" not in found[0].properties
    said = found.report()
    assert "holds 2 others" in said
    assert "child 2 ('flat') was left out" in said


def test_one_id_twice_loses_nothing():
    one = feature(polygon(RING), UUID)
    two = feature(polygon(SMALL), UUID)
    found = read([one, two, one])
    assert [each.geometry.area for each in found] == [40_000, 100]
    assert found[0].id == UUID
    assert len({each.id for each in found}) == 2
    assert [each.id for each in read([one, two])] == [each.id for each in found]
    assert "new one" in str(found.notes[0])
    assert "duplicate" in str(found.notes[1])


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]
)
@pytest.mark.parametrize("packed", ["plain", "gz", "zip", "lines"])
def test_the_same_in_any_wrapping(encoding, packed):
    content = [feature(polygon(RING), name="Müller, µ"), *GOOD]
    text = (
        "\n".join(json.dumps(each, ensure_ascii=False) for each in content)
        if packed == "lines"
        else json.dumps(content, ensure_ascii=False)
    )
    data = text.encode(encoding)
    if packed == "gz":
        data = gzip.compress(data)
    if packed == "zip":
        data = zipped({"a.geojson": data, "__MACOSX/._a.geojson": b"\0", "b.txt": b"x"})
    found = read(data)
    assert len(found) == 4
    assert found[0].name == "Müller, µ"
    assert found.notes == ()


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_several_files_of_a_zip_follow_each_other():
    one = json.dumps({"type": "FeatureCollection", "features": GOOD}).encode()
    two = json.dumps(feature(polygon(RING))).encode()
    assert len(read(zipped({"a.geojson": one, "b.json": two}))) == 4


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 40])
def test_a_bomb_is_not_unpacked(monkeypatch, parts):
    monkeypatch.setattr(geojson, "MAX_BYTES", 100_000)
    bomb = {f"{n}.json": b" " * 20_000_000 for n in range(parts)}
    with pytest.raises(AnnotationError, match="larger than"):
        read(zipped(bomb))
    with pytest.raises(AnnotationError, match="larger than"):
        read(gzip.compress(b" " * 20_000_000) * parts)


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 and no zip",
        zipped({"a.txt": b"{}"}),
        zipped({"a.json": b"{}"})[:-30],
        gzip.compress(b"[]")[:-3],
        b"\x1f\x8b",
        b'{"a":' * 200_000,
        b"\xef\xbb\xbf",
        b'{"type":"FeatureCollection","features":[' + b"[" * 50_000,
        json.dumps(GOOD).encode()[:-40],
        json.dumps(GOOD[0]).encode() + b"\n{",
        "Müller".encode("latin-1"),
    ],
    ids=range(11),  # zips hold the time, and names must be the same in each process
)
def test_what_is_no_such_file_is_a_sentence(data):
    with pytest.raises(AnnotationError, match=r"file\.geojson"):
        read(data)


def test_names_of_half_letters_and_deep_properties_can_be_written():
    text = json.dumps([feature(polygon(RING), name="a\ud800b", x="\ud83d")])
    [one] = read(text.encode())
    assert one.name == "a\ufffdb"
    assert read(to_geojson([one])) == [one]
    deep = json.dumps(feature(polygon(RING), x=0)).replace(
        "0}", "[" * 400 + "]" * 400 + "}"
    )
    with pytest.raises(AnnotationError, match="deep"):
        read(f"[{deep}]".encode())


def test_what_is_not_read_of_a_feature_is_kept_or_said():
    cell = feature(
        polygon(RING),
        UUID,
        objectType="cell",
        measurements={"Nucleus: DAB OD mean": 0.25, "Area µm^2": 3.0},
        metadata={"author": "Ada", "ANNOTATION_DESCRIPTION": "x"},
        custom=[1, {"a": None}],
    )
    [one] = read([cell | {"nucleusGeometry": polygon(SMALL)}])
    assert one.author == "Ada"
    kept = {"objectType": "cell", "custom": [1, {"a": None}]}
    kept["measurements"] = {"Nucleus: DAB OD mean": 0.25}
    kept["metadata"] = {"ANNOTATION_DESCRIPTION": "x"}
    assert one.properties == kept
    again = read(to_geojson([one], mpp=0.5))
    assert again == [one]
    written = json.loads(to_geojson([one], mpp=0.5))["features"][0]["properties"]
    assert written["measurements"]["Area µm^2"] == 10_000
    assert written["objectType"] == "cell"
    assert "nucleusGeometry" in read([cell | {"nucleusGeometry": 1}]).report()


NUMBERS = st.floats(-1e5, 1e5).map(lambda x: round(x, 2) + 0.0)
POSITIONS = st.tuples(NUMBERS, NUMBERS)
TEXTS = st.text(max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=6,
)
OUTLINES = st.lists(POSITIONS, min_size=3, max_size=12, unique=True).map(
    shapely.Polygon
)
SHAPES = st.one_of(
    POSITIONS.map(shapely.Point),
    st.lists(POSITIONS, min_size=2, max_size=9, unique=True).map(shapely.MultiPoint),
    st.lists(POSITIONS, min_size=2, max_size=9, unique=True).map(shapely.LineString),
    st.lists(
        st.lists(POSITIONS, min_size=2, max_size=4, unique=True), min_size=2, max_size=3
    ).map(shapely.MultiLineString),
    OUTLINES,
    st.tuples(OUTLINES, OUTLINES).map(lambda two: two[0].buffer(0) ^ two[1].buffer(0)),
)
BYTES = st.integers(0, 255)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    SHAPES,
    st.builds(
        dict,
        name=TEXTS,
        classification=TEXTS,
        colour=st.none() | st.tuples(BYTES, BYTES, BYTES),
        locked=st.booleans(),
        author=TEXTS,
        created=TEXTS,
        properties=st.dictionaries(st.sampled_from(["a", "µ", "measurements"]), JSON),
    ),
    st.sampled_from([None, 0.25]),
    st.sampled_from([FileFrame(), FileFrame((1.0, 2.0), (300, -20))]),
)
def test_reading_is_the_inverse_of_writing(shape, values, mpp, frame):
    properties = values.pop("properties")
    properties.pop("measurements", None)
    try:
        one = Annotation(geometry=shape, properties=properties, **values)
    except AnnotationError:
        return
    [again] = read(to_geojson([one], mpp=mpp, frame=frame), frame=frame)
    assert again == one


def squares(count):
    part = (
        '{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[%d,%d],[%d,%d],'
        '[%d,%d],[%d,%d],[%d,%d]]]},"properties":{"objectType":"detection"}}'
    )
    for n in range(count):
        x, y = 20 * (n % 1000), 20 * (n // 1000)
        yield part % (x, y, x + 9, y, x + 9, y + 9, x, y + 9, x, y)


def seconds_of(data):
    """Return processor time, which others on the machine do not lengthen."""
    begun = time.process_time()
    found = read(data)
    return found, time.process_time() - begun


@pytest.mark.slow
def test_time_grows_with_the_number_of_features_and_of_points():
    few, many = (f"[{','.join(squares(n))}]" for n in (4_000, 32_000))
    seconds_of(few.encode())
    _, short = seconds_of(few.encode())
    found, long = seconds_of(many.encode())
    assert len(found) == 32_000
    assert found.notes == ()
    assert long < 24 * short + 0.5
    angle = np.linspace(0, 2 * np.pi, 200_000, endpoint=False)
    ring = 50_000 + 40_000 * np.stack([np.cos(angle), np.sin(angle)], 1)
    found, long = seconds_of(json.dumps(polygon(ring.round(2).tolist())).encode())
    assert found[0].geometry.area == pytest.approx(np.pi * 40_000**2, rel=1e-4)


@pytest.mark.parametrize("points", [20_001, 401])
def test_an_outline_that_crosses_itself_too_often_is_left_out_and_said(points):
    angle = np.arange(points) * (points // 2) % points * 2 * np.pi / points
    star = 5000 + 4000 * np.stack([np.cos(angle), np.sin(angle)], 1)
    found = read([feature(polygon(star.tolist())), *GOOD])
    assert len(found) == 3
    assert "crosses itself more than 10,000 times" in found.report()


def test_the_command_line_says_what_was_left_out(tmp_path):
    slide, file = tmp_path / "a.tif", tmp_path / "b.geojson"
    write_tiff(slide, tissue_like(), mpp=0.5)
    flat = feature(polygon([[0, 0]]), name="flat")
    file.write_text(json.dumps([*GOOD, flat]))
    folder = ["--annotations", str(tmp_path / "marks")]
    command = ["annotations", "import", str(slide), str(file), *folder]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    assert "3 annotations added" in done.output
    assert "feature 4 ('flat') was left out: its outline encloses" in done.output


def test_an_upload_that_is_too_large_is_refused_with_its_limit():
    field = Upload(max_file_size=2_000_000)
    with pytest.raises(WorkbenchError, match="at most 2 MB"):
        field._handle_msg({"status": "error", "error": "'x' exceeds maximum file size"})
    with pytest.raises(WorkbenchError, match="not uploaded: gone"):
        field._handle_msg({"status": "error", "error": "gone"})
    part = {"status": "upload_event", "name": "x", "mime_type": "", "total_chunks": 3}
    field._handle_msg({**part, "chunk": 1, "data": b"0" * 1_500_000})
    with pytest.raises(WorkbenchError, match="at most 2 MB"):
        field._handle_msg({**part, "chunk": 2, "data": b"0" * 600_000})
    small = {**part, "total_chunks": 1, "chunk": 1, "data": b"[]"}
    field._handle_msg(small)
    field._handle_msg({"status": "finished"})
    assert field.value == b"[]"
