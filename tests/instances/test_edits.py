"""Edits of instances: apart from the model's own, signed, and to be undone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from made_instances import CLASSES, made_instances, made_store, write_instances
from workbench.errors import AnnotationError
from workbench.geometry import Box
from workbench.instances.edits import InstanceEdits
from workbench.instances.store import open_instances

SQUARE = [(10, 10), (30, 10), (30, 30), (10, 30)]


@pytest.fixture
def edits(tmp_path):
    return InstanceEdits(made_store(tmp_path, 500))


def test_without_edits_it_is_the_store(edits):
    now, store = edits.current, edits.store
    assert len(now) == len(store)
    np.testing.assert_array_equal(now.columns(["x"])["x"], store.columns(["x"])["x"])
    assert now.rows([3]).drop(columns="edited").equals(store.rows([3]))
    assert not edits.path.exists()


def test_what_is_deleted_is_gone_and_the_store_knows_it_still(edits):
    before = edits.store.path.read_bytes()
    edits.delete([5, 7], by="ann")
    now = edits.current
    assert now.gone.tolist() == [5, 7]
    assert not {5, 7} & set(now.frame().index)
    x, y = now.columns(["x"])["x"][5], now.columns(["y"])["y"][5]
    ids, _ = now.within(Box.around(x, y, 4, 4))
    assert 5 not in ids
    assert edits.store.path.read_bytes() == before


def test_another_class_may_be_a_new_one(edits):
    edits.reclassify([2], CLASSES[2], by="ann")
    edits.reclassify([3], "mitosis", by="ann")
    now = edits.current
    assert now.classes == (*CLASSES, "mitosis")
    assert len(now.palette) == 4
    rows = now.rows([2, 3, 4])
    assert rows["class"].tolist()[:2] == [CLASSES[2], "mitosis"]
    assert rows["edited"].tolist()[0].startswith("ann, 20")
    assert rows["edited"].tolist()[2] == ""
    assert now.take([3]).classes.tolist() == [3]


def test_what_is_added_is_measured_and_found(edits):
    key = edits.add(SQUARE, "tumour", by="ben")
    now = edits.current
    assert key == 500 == len(now) - 1
    row = now.rows([key]).iloc[0]
    assert (row["class"], row["score"], row["x"], row["y"]) == ("tumour", 1.0, 20, 20)
    assert row["area_um2"] == pytest.approx(400 * 0.25**2)
    assert key in now.within(Box.around(20, 20, 2, 2))[0]
    found = now.at(20, 20)
    assert found is not None
    assert now.take([found]).polygons[0].area <= 400
    edits.reclassify([key], "stroma", by="ann")
    assert edits.current.rows([key])["class"].item() == "stroma"
    mixed = edits.current.take([key, 0, 7])
    np.testing.assert_array_equal(mixed.take(np.array([0])).points, SQUARE)


def test_everybody_undoes_only_what_they_did(edits):
    edits.delete([1], by="ann")
    edits.reclassify([2], "stroma", by="ben")
    key = edits.add(SQUARE, "tumour", by="ann")
    assert edits.undo(by="ann")
    assert edits.current.gone.tolist() == [1, key]
    assert edits.undo(by="ann")
    assert not edits.undo(by="ann")
    assert edits.current.gone.tolist() == [key]
    assert edits.current.rows([2])["class"].item() == "stroma"
    assert edits.undo(by="ben")
    assert edits.current.rows([2]).drop(columns="edited").equals(edits.store.rows([2]))
    assert [line["do"] for line in edits.history].count("undo") == 3


def test_edits_are_there_again_and_seen_by_others(edits):
    other = InstanceEdits(open_instances(edits.store.path))
    edits.delete([1], by="ann")
    assert other.refresh()
    assert not other.refresh()
    other.reclassify([2], "stroma", by="ben")
    again = InstanceEdits(open_instances(edits.store.path)).current
    assert again.gone.tolist() == [1]
    assert again.rows([2])["class"].item() == "stroma"
    with edits.path.open("ab") as file:
        file.write(b'{"do": "delete", "ids": [3')  # a kill in the middle of a line
    assert edits.current.gone.tolist() == [1]
    edits.delete([4], by="ann")
    fresh = InstanceEdits(open_instances(edits.store.path))
    assert fresh.current.gone.tolist() == [1, 4]


def test_what_is_no_edit_is_refused_and_changes_nothing(edits):
    for attempt in (
        lambda: edits.delete([500], by="ann"),
        lambda: edits.delete([], by="ann"),
        lambda: edits.reclassify([1], " ", by="ann"),
        lambda: edits.add([(1, 1), (2, 2)], "tumour", by="ann"),
        lambda: edits.add([(1, 1), (2, 2), (np.nan, 3)], "tumour", by="ann"),
    ):
        with pytest.raises(AnnotationError):
            attempt()
    assert edits.history == []


def test_edits_of_other_objects_are_not_applied(edits, tmp_path):
    edits.delete([1], by="ann")
    write_instances(tmp_path / "instances.parquet", made_instances(500, seed=9))
    with pytest.raises(AnnotationError, match="another store"):
        InstanceEdits(open_instances(tmp_path / "instances.parquet"))


SIGNED = {"by": "ann", "at": "2026-01-01T00:00"}


@pytest.mark.parametrize(
    "bad",
    [
        {"do": "delete", "by": "ann"},
        {"do": "delete", "ids": [10**9], **SIGNED},
        {"do": "delete", "ids": [-1], **SIGNED},
        {"do": "delete", "ids": ["1"], **SIGNED},
        {"do": "delete", "ids": [True], **SIGNED},
        {"do": "class", "ids": [1], "class": "", **SIGNED},
        {"do": "add", "outline": [[0, 0], [1, float("nan")], [1, 1]], **SIGNED},
        {"do": "add", "outline": [1, 2, 3], "class": "x", **SIGNED},
        {"do": "add", "outline": SQUARE, "class": "x", "object": 10**12, **SIGNED},
        {"do": "undo", "line": "0", **SIGNED},
        {"do": "fly", **SIGNED},
        [],
        3,
    ],
)
def test_a_damaged_line_is_left_out_and_said(edits, bad):
    live = InstanceEdits(edits.store)
    edits.delete([1], by="ann")
    live.refresh()
    with edits.path.open("ab") as file:
        file.write(json.dumps(bad).encode() + b"\n")
    edits.delete([2], by="ann")
    live.refresh()
    for each in (edits, live, InstanceEdits(edits.store)):
        assert each.current.gone.tolist() == [1, 2]
        assert len(each.current.frame()) == 498
        assert "line 3 is damaged" in each.damaged[0]


def test_what_follows_a_lost_line_is_about_what_it_was_about(edits):
    lost = edits.add(SQUARE, "lost", by="ann")
    kept = edits.add(SQUARE, "kept", by="ann")
    edits.reclassify([kept], "other", by="ann")
    edits.delete([5], by="ben")
    edits.undo(by="ben")
    data = edits.path.read_bytes().splitlines(keepends=True)
    zeros = b"\0" * (len(data[1]) - 1) + b"\n"
    edits.path.write_bytes(b"".join([data[0], zeros, *data[2:]]))
    again = InstanceEdits(open_instances(edits.store.path))
    now = again.current
    assert now.gone.tolist() == [lost]
    assert now.rows([kept])["class"].item() == "other"
    assert again.add(SQUARE, "new", by="ann") == kept + 1


def test_without_a_word_of_whose_they_are_edits_are_not_applied(edits):
    edits.delete([1], by="ann")
    old = {"do": "delete", "ids": [2], **SIGNED}  # as earlier versions wrote them
    header = json.dumps({"store": edits.store.id})
    edits.path.write_text(f"{header}\n{json.dumps(old)}\n")
    assert InstanceEdits(edits.store).current.gone.tolist() == [2]
    edits.path.write_text(f"{header[:9]}\n{json.dumps(old)}\n")
    again = InstanceEdits(edits.store)
    assert again.current.gone.tolist() == []
    assert len(again.damaged) == 2


def test_a_file_that_was_taken_away_is_written_again_as_a_whole(edits):
    edits.delete([1], by="ann")
    key = edits.add(SQUARE, "tumour", by="ann")
    other = InstanceEdits(edits.store)
    edits.path.unlink()
    edits.reclassify([key], "stroma", by="ben")
    again = InstanceEdits(open_instances(edits.store.path))
    assert again.current.gone.tolist() == [1]
    assert again.current.rows([key])["class"].item() == "stroma"
    assert again.damaged == ()
    other.delete([3], by="cat")
    assert other.current.gone.tolist() == [1, 3]
    edits.refresh()
    assert edits.current.gone.tolist() == [1, 3]
    assert other.current.rows([key])["class"].item() == "stroma"


def test_a_file_that_was_cut_is_read_from_its_beginning(edits):
    for number in range(5):
        edits.delete([number], by="ann")
    data = edits.path.read_bytes()
    edits.path.write_bytes(b"".join(data.splitlines(keepends=True)[:3]))
    edits.delete([9], by="ann")
    for each in (edits, InstanceEdits(edits.store)):
        assert each.current.gone.tolist() == [0, 1, 9]
