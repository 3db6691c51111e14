"""Index of the tiles of many slides: exact or by codes, and what is refused."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from feature_files import tiles, write_trident

ROWS = 9_000
DIMENSIONS = 64


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """Return the features of three slides; together they need codes."""
    folder = tmp_path_factory.mktemp("features")
    rng = np.random.default_rng(0)
    spread = np.arange(1, DIMENSIONS + 1) ** -0.6
    found = []
    for name in ("a", "b", "c"):
        corners, _ = tiles(ROWS, seed=ord(name))
        vectors = (rng.normal(size=(ROWS, DIMENSIONS)) * spread).astype(np.float32)
        found.append(
            wb.open_features(write_trident(folder / f"{name}.h5", corners, vectors))
        )
    return found


@pytest.fixture(scope="module")
def index(slides, tmp_path_factory):
    return wb.build_index(slides, tmp_path_factory.mktemp("index") / "all")


def nearest(slides, vector, count):
    """Return the rows, over all slides, of the nearest vectors by float64 cosines."""
    vectors = np.concatenate([np.asarray(each.vectors[:], float) for each in slides])
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.argsort(-(units @ vector / np.linalg.norm(vector)))[:count]


@pytest.mark.slow
def test_the_nearest_of_all_slides_are_found_by_codes(slides, index):
    assert index.codes is not None
    recall = []
    for row in range(0, ROWS, 300):
        vector = np.asarray(slides[0].vectors[row : row + 1], float)[0]
        found = index.search(vector, 10)
        numbers = [
            index.rows_of(slide).start + number
            for slide, number in zip(found["slide"], found["row"], strict=True)
        ]
        recall.append(np.isin(nearest(slides, vector, 10), numbers).mean())
        assert (found["slide"][0], found["row"][0]) == ("a", row)
        assert found["similarity"][0] == pytest.approx(1, abs=2e-3)
        assert found["similarity"].is_monotonic_decreasing
        each = dict(zip(index.slides, slides, strict=True))[found["slide"][5]]
        box = found.loc[5, ["x0", "y0", "x1", "y1"]].to_numpy(float)
        np.testing.assert_array_equal(box, each.boxes[found["row"][5]])
    assert np.mean(recall) >= 0.99


def test_few_tiles_are_compared_exactly(slides, tmp_path):
    few = wb.build_index(slides[:2], tmp_path / "few")
    assert few.codes is None
    vector = np.asarray(slides[1].vectors[7:8], float)[0]
    found = few.search(vector, 20)
    expected = nearest(slides[:2], vector, 20)
    starts = [few.rows_of(name).start for name in found["slide"]]
    assert set(expected) == set(starts + found["row"])


def test_tiles_of_a_slide_are_limited_or_left_out(index, slides):
    vector = index.vector_at("b", *(slides[1].boxes[5, :2] + 256))
    limited = index.search(vector, 6, per_slide=2)
    assert limited["slide"].value_counts().tolist() == [2, 2, 2]
    others = index.search(vector, 6, leave_out="b")
    assert "b" not in set(others["slide"])
    assert len(others) == 6


def test_an_index_is_opened_again(index):
    again = wb.open_index(index.path)
    assert again.slides == ("a", "b", "c")
    assert len(again) == 3 * ROWS
    vector = np.asarray(again.vectors[3])
    assert again.search(vector, 3).equals(index.search(vector, 3))
    assert repr(again).endswith("27,000 tiles of 3 slides, uni_v2>")


def test_vectors_that_are_not_finite_are_like_no_other(slides, tmp_path):
    broken = np.array(slides[0].vectors[:100])
    broken[:50] = np.nan
    features = replace(slides[0], vectors=broken, boxes=slides[0].boxes[:100])
    found = wb.build_index([features], tmp_path / "i").search(broken[60], 60)
    assert found["row"][0] == 60
    assert (found["similarity"][found["row"] < 50] == 0).all()


def test_slides_of_one_name_are_named_by_their_folders_or_as_one_says(slides, tmp_path):
    paths = [tmp_path / name / "uni" / "x.h5" for name in ("left", "right")]
    same = [replace(e, path=p) for e, p in zip(slides, paths, strict=False)]
    index = wb.build_index([*same, slides[2]], tmp_path / "i")
    assert index.slides == ("left/uni/x", "right/uni/x", "c")
    index = wb.build_index(same, tmp_path / "i", names=["one", "two"])
    assert index.slides == ("one", "two")
    with pytest.raises(wb.errors.OutOfBoundsError, match="1 names are given for 2"):
        wb.build_index(same, tmp_path / "i", names=["one"])


def test_what_cannot_be_indexed_is_said(slides, tmp_path):
    with pytest.raises(wb.errors.OutOfBoundsError, match="no features"):
        wb.build_index([], tmp_path / "i")
    with pytest.raises(wb.errors.OutOfBoundsError, match="2 files of the slide 'a'"):
        wb.build_index([slides[0], slides[0]], tmp_path / "i")
    other = replace(slides[1], encoder="conch")
    with pytest.raises(wb.errors.OutOfBoundsError, match=r"uni_v2 \(64\) and conch"):
        wb.build_index([slides[0], other], tmp_path / "i")
    none = replace(slides[1], vectors=np.empty((0, 0), np.float32))
    with pytest.raises(wb.errors.OutOfBoundsError, match="no vector for each"):
        wb.build_index([slides[0], none], tmp_path / "i")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("kept")
    with pytest.raises(wb.errors.FeaturesError, match="it is no index"):
        wb.build_index(slides[:1], tmp_path / "mine")
    assert (tmp_path / "mine" / "work.txt").read_text() == "kept"


def test_what_cannot_be_looked_for_is_said(index):
    for wrong in (np.zeros(5), np.full(DIMENSIONS, np.nan)):
        with pytest.raises(wb.errors.OutOfBoundsError, match="64 finite numbers"):
            index.search(wrong)
    with pytest.raises(wb.errors.OutOfBoundsError, match="It has: a, b, c"):
        index.rows_of("d")


@pytest.mark.parametrize("name", ["index.json", "vectors.npy", "boxes.npy"])
def test_a_damaged_index_is_said(slides, tmp_path, name):
    few = wb.build_index(slides[:1], tmp_path / "i")
    content = (few.path / name).read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"[]" + content):
        (few.path / name).write_bytes(damaged)
        with pytest.raises(wb.errors.FeaturesError, match="no index or damaged"):
            wb.open_index(few.path)
    (few.path / name).write_bytes(content)
    record = json.loads((few.path / "index.json").read_text())
    (few.path / "index.json").write_text(json.dumps({**record, "starts": [0, 5]}))
    with pytest.raises(wb.errors.FeaturesError, match="damaged"):
        wb.open_index(few.path)


def test_damaged_codes_are_said(index, tmp_path):
    copy = tmp_path / "i"
    copy.mkdir()
    for file in index.path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    codes = (copy / "codes.faiss").read_bytes()
    (copy / "codes.faiss").write_bytes(codes[:1000])
    with pytest.raises(wb.errors.FeaturesError, match="damaged"):
        wb.open_index(copy)


def test_many_tiles_need_the_extra(slides, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(wb.errors.MissingPackageError, match="retrieval"):
        wb.build_index(slides, tmp_path / "i")
