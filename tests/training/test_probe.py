"""Probes: logistic regression on vectors of tiles."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import workbench as wb
from embedded_slides import NAMES, blob_slide, labels_of
from workbench.training.embedded import pooled_scale
from workbench.training.logistic import PENALTY, fit_logistic


@pytest.mark.parametrize(("number", "dimensions"), [(300, 12), (40, 100)])
def test_the_fit_is_that_of_scikit_learn(number, dimensions):
    """With more and with fewer examples than dimensions."""
    slide, classes = blob_slide(dimensions=dimensions, noise=6.0)
    rows = np.random.default_rng(3).permutation(len(slide))[:number]
    scale = pooled_scale([slide])
    ours = fit_logistic(slide.vectors[rows], classes[rows], scale, classes=3)
    standard = (slide.vectors - scale[0]) / scale[1]
    theirs = LogisticRegression(
        C=1 / (PENALTY * dimensions * number),
        class_weight="balanced",
        tol=1e-8,
        max_iter=2000,
    ).fit(standard[rows], classes[rows])
    found = ours.probabilities(slide.vectors)
    np.testing.assert_allclose(found, theirs.predict_proba(standard), atol=1e-3)


def test_a_handful_of_labels_is_enough_for_clear_classes():
    slide, classes = blob_slide()
    labels = labels_of(classes, [0, 7, 19, 40, 47, 59])
    probe = wb.training.fit_probe(slide, labels)
    scores = probe.scores(slide)
    order = [scores.names.index(name) for name in NAMES]
    assert (scores.values[:, order].argmax(axis=1) == classes).mean() > 0.99
    np.testing.assert_allclose(scores.values.sum(axis=1), 1)
    assert probe.counts == {"stroma": 2, "tumour": 2, "fat": 2}
    assert repr(probe) == "<Probe on 'made': fat 2, stroma 2, tumour 2>"


def test_the_same_labels_give_the_same_probe_and_a_warm_start_nearly_so():
    slide, classes = blob_slide(noise=5.0)
    rows = list(range(0, 400, 9))
    before = wb.training.fit_probe(slide, labels_of(classes, rows[:-1]))
    labels = labels_of(classes, rows)
    one, two = (wb.training.fit_probe(slide, labels) for _ in range(2))
    assert np.array_equal(one.head.weight, two.head.weight)
    warm = wb.training.fit_probe(slide, labels, start=before)
    difference = warm.probabilities(slide) - one.probabilities(slide)
    assert np.abs(difference).max() < 1e-3


def test_a_warm_start_of_other_classes_is_left_out():
    slide, classes = blob_slide()
    two = wb.training.fit_probe(slide, labels_of(classes, [0, 7]))
    labels = labels_of(classes, [0, 7, 19])
    warm = wb.training.fit_probe(slide, labels, start=two)
    cold = wb.training.fit_probe(slide, labels)
    assert np.array_equal(warm.head.weight, cold.head.weight)


def test_provenance_has_each_label_with_box_source_and_author():
    slide, classes = blob_slide()
    probe = wb.training.fit_probe(slide, labels_of(classes, [0, 19]))
    (one,) = probe.provenance
    assert one["slide"] == "one"
    assert one["labels"][1] == {
        "box": slide.boxes[19].tolist(),
        "class": "fat",
        "source": "click",
        "author": "me",
    }


def test_vectors_that_are_not_finite_are_not_learnt_and_get_no_score():
    slide, classes = blob_slide()
    vectors = slide.vectors.copy()
    vectors[[0, 5]] = np.nan
    features = wb.Features(
        path="x", format="made", boxes=slide.boxes, vectors=vectors, encoder="made"
    )
    holed = wb.training.EmbeddedSlide.of(features, "holed")
    labels = labels_of(classes, [0, 1, 7, 19])
    probe = wb.training.fit_probe(holed, labels)
    assert sum(probe.counts.values()) == 3
    found = probe.scores(holed).values
    assert np.isnan(found[[0, 5]]).all()
    assert np.isfinite(np.delete(found, [0, 5], axis=0)).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "no class has a label"), ([0, 1], "only 'stroma' has a label")],
)
def test_fewer_than_two_classes_are_refused(rows, message):
    slide, classes = blob_slide()
    with pytest.raises(wb.errors.TrainingError, match=message):
        wb.training.fit_probe(slide, labels_of(classes, rows))


def test_slides_that_do_not_belong_together_are_refused():
    slide, classes = blob_slide()
    labels = labels_of(classes, [0, 19])
    other = dataclasses.replace(blob_slide(name="two")[0], encoder="another")
    longer, _ = blob_slide(dimensions=13, name="long")
    refused = wb.errors.TrainingError
    with pytest.raises(refused, match="'two' has 12 dimensions of 'another'"):
        wb.training.fit_probe([slide, other], [labels, labels])
    with pytest.raises(refused, match="2 slides, but labels of 1"):
        wb.training.fit_probe([slide, other], [labels])
    with pytest.raises(refused, match="'one' has no tile 400"):
        wb.training.fit_probe(slide, labels.with_click(400, "fat"))
    with pytest.raises(refused, match="'long' has vectors of 13 dimensions"):
        wb.training.fit_probe(slide, labels).scores(longer)
    empty = wb.Features(path="e.h5", format="made", boxes=slide.boxes)
    with pytest.raises(refused, match=r"'e\.h5' holds no vectors"):
        wb.training.EmbeddedSlide.of(empty)


def test_the_scale_of_several_slides_is_that_of_all_their_tiles():
    one, two = blob_slide()[0], blob_slide(side=9, seed=4, shift=2.0)[0]
    both = np.concatenate([one.vectors, two.vectors]).astype(np.float64)
    mean, deviation = pooled_scale([one, two])
    np.testing.assert_allclose(mean, both.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(deviation, both.std(axis=0), rtol=1e-4)
