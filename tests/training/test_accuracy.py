"""Accuracy on held-out slides and blocks, and what to label next."""

from __future__ import annotations

import dataclasses

import numpy as np

import workbench as wb
from embedded_slides import TILE, blob_slide, labels_of
from workbench.training import probe_accuracy
from workbench.training.accuracy import _folds, cross_validate
from workbench.training.probe import Examples
from workbench.training.probe_accuracy import places_of, predictor


def local_slide(side=48, dimensions=16):
    """Return a slide on which only neighbours are alike, with two classes by chance.

    A block of 4 x 4 tiles has one vector (with little noise) and one class. Random
    tiles held out are predicted from their neighbours; places are not.
    """
    random = np.random.default_rng(5)
    rows, columns = np.divmod(np.arange(side * side), side)
    block = (rows // 4) * (side // 4) + columns // 4
    means = random.normal(size=(block.max() + 1, dimensions))
    classes = random.integers(0, 2, block.max() + 1)[block]
    vectors = means[block] + 0.01 * random.normal(size=(side**2, dimensions))
    corners = np.stack([columns, rows], axis=1) * float(TILE)
    features = wb.Features(
        path="local.h5",
        format="made",
        boxes=np.hstack([corners, corners + TILE]),
        vectors=vectors.astype(np.float32),
    )
    return wb.training.EmbeddedSlide.of(features, "local"), classes


def test_neighbours_do_not_flatter():
    slide, classes = local_slide()
    rows = np.arange(len(classes))[np.random.default_rng(0).random(len(classes)) < 0.3]
    found = probe_accuracy(slide, labels_of(classes, rows))
    examples = Examples.of(slide, labels_of(classes, rows))
    random_tiles = np.random.default_rng(1).permutation(len(rows))
    places = dataclasses.replace(places_of(examples), margin=-1.0)
    leaked = cross_validate(places, random_tiles, predictor(examples))
    assert (leaked == examples.codes).mean() > found.share + 0.08
    assert found.held_out == "block"
    assert found.low < 0.5 < found.high


def test_what_lies_beside_a_held_out_block_is_not_learnt():
    slide, classes = blob_slide(side=24)
    seen = []
    examples = Examples.of(slide, labels_of(classes, range(24 * 24)))

    def predict(learnt, judged):
        seen.append(learnt.sum())
        return examples.codes[judged]

    groups = np.where(np.arange(24 * 24) < 24 * 8, 0, 1)
    cross_validate(places_of(examples), groups, predict)
    # 8 rows are held out: of the other 16 two are left out, and the other way round.
    assert sorted(seen) == [24 * 6, 24 * 14]


def test_several_slides_are_held_out_whole():
    slides, labels = [], []
    for seed in range(4):
        slide, classes = blob_slide(name=str(seed), seed=seed)
        slides.append(slide)
        labels.append(labels_of(classes, range(0, 400, 13)))
    found = probe_accuracy(slides, labels)
    assert (found.held_out, found.groups, found.labels) == ("slide", 4, 4 * 31)
    assert found.share > 0.99
    assert found.low < 0.6  # four slides are no proof
    assert str(found).startswith("Accuracy: 100% (95 % interval ")
    assert np.trace(found.confusion) == found.labels


def test_too_little_data_is_said():
    slide, classes = blob_slide()
    few = probe_accuracy(slide, labels_of(classes, [0, 19]))
    assert str(few).startswith("Accuracy: not known. 'fat' has labels on one part of")
    assert few.labels == 0
    one = probe_accuracy(slide, labels_of(classes, [0, 1]))
    assert "Fewer than two classes have labels." in one.notes
    some = probe_accuracy(slide, labels_of(classes, [0, 1, 19, 18, 380, 381, 398, 399]))
    assert some.labels == 8
    assert any("which is few" in note for note in some.notes)


def test_a_class_on_one_slide_only_is_named():
    one, classes = blob_slide(name="a")
    two, others = blob_slide(name="b", seed=1)
    labels = [labels_of(classes, [0, 7, 8, 19]), labels_of(others, [0, 20, 7])]
    notes = probe_accuracy([one, two], labels).notes
    assert "'fat' has labels on one slide only: label it on another." in notes


def test_folds_hold_each_group_once_and_are_of_about_equal_size():
    groups = np.repeat(np.arange(11), np.arange(1, 12))
    folds = _folds(groups)
    assert sorted(np.concatenate(folds).tolist()) == list(range(11))
    sizes = [np.isin(groups, fold).sum() for fold in folds]
    assert len(folds) == 5
    assert max(sizes) - min(sizes) <= 3


def test_suggested_tiles_are_uncertain_unlabelled_and_apart():
    slide, classes = blob_slide(noise=4.0)
    labels = labels_of(classes, [0, 7, 19])
    probe = wb.training.fit_probe(slide, labels)
    rows = wb.training.suggest(slide, labels, probe, count=9)
    assert len(set(rows.tolist())) == 9
    assert not set(rows.tolist()) & {0, 7, 19}
    ordered = np.sort(probe.probabilities(slide), axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    assert margins[rows].max() <= np.sort(margins)[9 * 20 + 3]

    def nearest(chosen):
        places = slide.vectors[chosen]
        steps = np.linalg.norm(places[:, None] - places[None], axis=2)
        return np.min(steps + 1e9 * np.eye(len(chosen)))

    assert nearest(rows) > nearest(np.argsort(margins)[3:12])


def test_without_a_probe_suggestions_reach_all_classes():
    slide, classes = blob_slide(noise=0.3)
    rows = wb.training.suggest(slide, count=3)
    assert set(classes[rows]) == {0, 1, 2}


def test_no_more_is_suggested_than_there_is():
    slide, classes = blob_slide(side=3)
    labels = labels_of(classes, range(7))
    assert sorted(wb.training.suggest(slide, labels, count=9).tolist()) == [7, 8]
    assert len(wb.training.suggest(slide, labels_of(classes, range(9)))) == 0
