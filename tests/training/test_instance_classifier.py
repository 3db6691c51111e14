"""Classes of instances from their measures: fit, file, edits."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.ensemble import RandomForestClassifier

import workbench as wb
from made_instances import made_instances, write_instances
from workbench.instances import InstanceEdits
from workbench.training import (
    apply_classifier,
    fit_instance_classifier,
    instance_accuracy,
    open_instance_classifier,
    reclassified,
)
from workbench.training.forest import DEPTH, TREES, Forest

MEASURES = ("area_um2", "hematoxylin_od", "eosin_od")
REFUSED = wb.errors.TrainingError


@pytest.fixture
def store(tmp_path):
    return nuclei(tmp_path)


def nuclei(folder, number=1500, *, seed=3):
    """Return a store with measures; the dark ones are immune, others large or small."""
    made = made_instances(number, seed=seed)
    random = np.random.default_rng(seed)
    values = {
        "area_um2": random.uniform(10, 90, number),
        "hematoxylin_od": random.uniform(0, 1, number),
        "eosin_od": random.uniform(0, 1, number),
    }
    measures = {name: column.astype(np.float32) for name, column in values.items()}
    folder.mkdir(exist_ok=True)
    path = folder / "instances.parquet"
    return write_instances(path, dataclasses.replace(made, measures=measures))


def truth(store):
    columns = store.columns(MEASURES)
    dark, large = columns["hematoxylin_od"] > 0.6, columns["area_um2"] > 50
    return np.where(dark, "immune", np.where(large, "tumour cell", "stroma cell"))


def labels_of(store, ids):
    names = truth(store)
    return {int(key): str(names[key]) for key in ids}


@pytest.fixture
def classifier(store):
    return fit_instance_classifier(store, labels_of(store, range(120)))


@pytest.mark.slow
def test_the_arrays_answer_as_scikit_learn_does():
    random = np.random.default_rng(0)
    values = random.normal(size=(300, 6)).astype(np.float32)
    codes = (values[:, 0] + values[:, 1] * values[:, 2] > 0).astype(int) + (
        values[:, 3] > 1
    )
    theirs = RandomForestClassifier(
        TREES,
        max_depth=DEPTH,
        min_samples_leaf=2,
        class_weight="balanced",
        random_state=0,
    ).fit(values, codes)
    others = random.normal(size=(5000, 6)).astype(np.float32)
    found = Forest.fit(values, codes).probabilities(others)
    np.testing.assert_allclose(found, theirs.predict_proba(others), atol=1e-5)


def test_a_hundred_labels_classify_the_rest(store, classifier):
    found = classifier.classify(store)
    assert found.classes == ("immune", "stroma cell", "tumour cell")
    named = np.array(found.classes)[found.codes]
    assert (named == truth(store))[120:].mean() > 0.93
    assert found.scores.min() > 1 / 3 - 1e-6
    sure = found.ids("immune", min_score=0.9)
    assert set(sure) < set(found.ids("immune"))
    assert repr(classifier).startswith("<InstanceClassifier on 3 measures: immune 4")


def test_the_number_of_threads_changes_nothing(store, classifier):
    values = np.tile(classifier._values(store), (90, 1))
    one, four = (classifier.forest.probabilities(values, threads=n) for n in (1, 4))
    assert np.array_equal(one, four)


def test_a_measure_that_an_instance_lacks_is_filled(tmp_path, classifier):
    made = made_instances(10)
    holes = dict.fromkeys(MEASURES, np.full(10, np.nan, np.float32))
    path = tmp_path / "holes"
    path.mkdir()
    other = write_instances(
        path / "instances.parquet", dataclasses.replace(made, measures=holes)
    )
    found = classifier.classify(other)
    assert len(set(found.codes.tolist())) == 1
    assert np.isfinite(found.scores).all()


def test_a_file_gives_the_same_classifier(tmp_path, store, classifier):
    path = classifier.save(tmp_path / "mine")
    assert path.name == "mine.safetensors"
    again = open_instance_classifier(path)
    one, two = classifier.classify(store), again.classify(store)
    assert np.array_equal(one.scores, two.scores)
    assert again.provenance == classifier.provenance
    assert again.measures == MEASURES
    with pytest.raises(REFUSED, match=r"does not end in \.safetensors"):
        classifier.save(tmp_path / "mine.pkl")


def damage(path, *, arrays=None, facts=None):
    """Write the file again with other arrays or facts."""
    from safetensors import safe_open  # noqa: PLC0415 - not from the top of torch

    with safe_open(path, framework="numpy") as stored:
        known = json.loads(stored.metadata()["workbench"])
    content = {**load_file(path), **(arrays or {})}
    save_file(content, path, {"workbench": json.dumps({**known, **(facts or {})})})


@pytest.mark.parametrize("node", [0, 1 << 30, -5])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_file_whose_nodes_lead_back_or_out_is_refused(
    tmp_path, classifier, side, node
):
    path = classifier.save(tmp_path / "mine")
    children = getattr(classifier.forest, side).copy()
    inner = np.flatnonzero(classifier.forest.feature >= 0)
    children[inner[1]] = node
    damage(path, arrays={side: children})
    with pytest.raises(REFUSED, match="its nodes lead nowhere"):
        open_instance_classifier(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"facts": {"format": 9}}, "format 9"),
        ({"facts": {"classes": ["a"]}}, "do not fit each other"),
        ({"facts": {"measures": ["area_um2"]}}, "lead nowhere"),
        ({"arrays": {"roots": np.zeros(3, np.float64)}}, "no 'roots' of type int32"),
        ({"arrays": {"fill": np.zeros(2, np.float32)}}, "do not fit each other"),
        ({"arrays": {"shares": np.zeros(3, np.float32)}}, "'shares' has the shape"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, classifier, change, message):
    path = classifier.save(tmp_path / "mine")
    damage(path, **change)
    with pytest.raises(REFUSED, match=message):
        open_instance_classifier(path)


def test_what_is_no_classifier_is_refused(tmp_path):
    with pytest.raises(REFUSED, match="There is no classifier"):
        open_instance_classifier(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(REFUSED, match="is no classifier of instances"):
        open_instance_classifier(tmp_path / "text.safetensors")


def test_what_cannot_be_learnt_is_said(store):
    with pytest.raises(REFUSED, match="no class has a label"):
        fit_instance_classifier(store, {})
    with pytest.raises(REFUSED, match="only 'a' has a label"):
        fit_instance_classifier(store, {1: "a", 2: "a"})
    with pytest.raises(REFUSED, match="There is no instance 1500"):
        fit_instance_classifier(store, {1500: "a"})
    with pytest.raises(REFUSED, match="no measure 'dab_od'"):
        fit_instance_classifier(store, {1: "a", 2: "b"}, measures=["dab_od"])
    with pytest.raises(REFUSED, match="2 runs, but labels of 1"):
        fit_instance_classifier([store, store], [{1: "a"}])


def test_classes_of_users_are_labels_and_stay(store):
    edits = InstanceEdits(store)
    for name in ("immune", "stroma cell", "tumour cell"):
        ids = np.flatnonzero(truth(store) == name)[:40]
        edits.reclassify(ids, name, by="me")
    odd = int(np.flatnonzero(truth(store) == "immune")[100])
    edits.reclassify([odd], "stroma cell", by="me")
    edits.delete([7], by="me")
    edits.add([(0, 0), (10, 0), (10, 10)], "immune", by="me")
    labels = reclassified(edits.current)
    assert 7 not in labels
    assert len(store) not in labels
    classifier = fit_instance_classifier(edits.current, labels)
    before = len(edits.history)
    changed = apply_classifier(edits, classifier, by="you", name="mine")
    assert len(edits.history) == before + sum(n > 0 for n in changed.values())
    assert edits.history[-1]["classifier"] == "mine"
    now = edits.current
    names = np.array(now.classes)[now.columns(["class"])["class"]]
    assert names[odd] == "stroma cell"
    assert (names[: len(store)] == truth(store)).mean() > 0.9
    # What the classifier gave is no label of a user, also for another who reads it.
    assert reclassified(now) == labels
    assert reclassified(InstanceEdits(store).current) == labels
    again = apply_classifier(edits, classifier, by="you", name="mine")
    assert sum(again.values()) == 0


def test_a_user_overrules_a_classifier_and_undo_takes_its_edits_back(store, classifier):
    edits = InstanceEdits(store)
    apply_classifier(edits, classifier, by="you")
    assert reclassified(edits.current) == {}
    edits.reclassify([3], "another", by="me")
    assert reclassified(edits.current) == {3: "another"}
    edits.take_back(edits.history[-1]["edit"], by="me")
    while edits.undo(by="you"):
        pass
    assert edits.current.changes.classes == {}


def test_unsure_instances_keep_their_class(store, classifier):
    edits = InstanceEdits(store)
    scores = classifier.classify(store).scores
    apply_classifier(edits, classifier, by="you", min_score=0.9)
    changed = edits.current.changes.classes
    assert changed.keys() == set(np.flatnonzero(scores >= np.float32(0.9)).tolist())


def test_another_run_takes_the_classifier(tmp_path, classifier):
    other = nuclei(tmp_path / "other", seed=8)
    edits = InstanceEdits(other)
    changed = apply_classifier(edits, classifier, by="you")
    assert sum(changed.values()) == len(other)
    names = np.array(edits.current.classes)[edits.current.columns(["class"])["class"]]
    assert (names == truth(other)).mean() > 0.9


@pytest.mark.slow
def test_accuracy_is_that_of_held_out_blocks_or_runs(tmp_path, store):
    labels = labels_of(store, range(0, 1500, 3))
    one = instance_accuracy(store, labels, mpp=0.25)
    assert (one.held_out, one.groups) == ("block", 16)
    assert one.share > 0.9
    others = [store, nuclei(tmp_path / "b", seed=8), nuclei(tmp_path / "c", seed=9)]
    each = [labels_of(other, range(0, 1500, 9)) for other in others]
    several = instance_accuracy(others, each, mpp=0.25)
    assert (several.held_out, several.groups) == ("slide", 3)
    with pytest.raises(REFUSED, match="mpp = 0 is no pixel size"):
        instance_accuracy(store, labels, mpp=0)
