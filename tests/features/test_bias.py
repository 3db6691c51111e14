"""Bias: what vectors say about slides, tested on what a probe has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from feature_files import tiles, write_trident
from workbench.features import measure_bias

SCANNERS = ("A", "A", "A", "B", "B", "B", "C", "C", "C")


@pytest.fixture(scope="module")
def slide_features(tmp_path_factory):
    """Return the features of a slide whose vectors have an own and a shared shift."""
    folder = tmp_path_factory.mktemp("vectors")

    def make(seed, own=0.0, scanner=0, shared=0.0, count=60):
        corners, vectors = tiles(count, 32, seed=seed)
        vectors[:, :8] += own * np.random.default_rng([seed, 1]).normal(size=8)
        vectors[:, 8:16] += shared * np.random.default_rng([scanner, 2]).normal(size=8)
        path = folder / f"{seed}-{own}-{shared}-{count}.h5"
        return wb.open_features(write_trident(path, corners, vectors.astype("f4")))

    return make


def test_a_scanner_that_shifts_the_vectors_is_recognized_on_unseen_slides(
    slide_features,
):
    features = [
        slide_features(seed, own=0.5, scanner=ord(name), shared=2)
        for seed, name in enumerate(SCANNERS)
    ]
    found = measure_bias(features, SCANNERS)
    assert found.accuracy > 0.9
    assert found.low <= found.accuracy <= found.high
    assert (found.chance, found.labels) == (1 / 3, ("A", "B", "C"))
    assert (found.held_out, found.slides, found.tiles) == ("slides", 9, 540)


def test_slides_that_differ_tell_nothing_of_labels_given_at_random(slide_features):
    # A probe that saw tiles of all slides would reach 1: each slide is recognizable.
    features = [slide_features(seed, own=3) for seed in range(12)]
    found = measure_bias(features, ["A", "B"] * 6)
    assert found.low < 0.5 < found.high + 0.15
    assert found.accuracy < 0.75
    each = measure_bias(features, [str(seed) for seed in range(12)])
    assert each.accuracy > 0.95
    assert each.held_out == "parts of slides"


def test_vectors_without_a_trace_of_the_scanner_give_chance(slide_features):
    features = [slide_features(seed) for seed in range(9)]
    found = measure_bias(features, SCANNERS)
    assert found.low < 1 / 3 < found.high
    assert "where chance is 33 %" in str(found)


def test_the_balanced_accuracy_does_not_count_slides(slide_features):
    labels = ["A"] * 10 + ["B"] * 2
    features = [
        slide_features(seed, scanner=ord(label), shared=0.0, own=0.01)
        for seed, label in enumerate(labels)
    ]
    assert measure_bias(features, labels).accuracy < 0.65  # always A: 0.83 unbalanced


def test_tiles_without_finite_vectors_are_left_out(slide_features):
    features = [slide_features(seed) for seed in range(4)]
    broken = np.array(features[0].vectors[:])
    broken[3:40] = np.nan
    features[0] = replace(features[0], vectors=broken)
    found = measure_bias(features, ["A", "A", "B", "B"], tiles=30)
    assert 90 < found.tiles < 120


def test_what_cannot_be_told_apart_is_said(slide_features):
    features = [slide_features(seed) for seed in range(3)]
    refused = pytest.raises(wb.errors.OutOfBoundsError, match="one label per slide")
    with refused:
        measure_bias(features, ["A", "B"])
    with pytest.raises(wb.errors.OutOfBoundsError, match="same label: A"):
        measure_bias(features, ["A"] * 3)
    with pytest.raises(wb.errors.OutOfBoundsError, match="'B' has one slide"):
        measure_bias(features, ["A", "A", "B"])
    few = slide_features(9, count=3)
    with pytest.raises(wb.errors.OutOfBoundsError, match="3 tiles with finite"):
        measure_bias([*features, few], ["A", "A", "B", "B"])
    other = replace(features[0], vectors=np.zeros((60, 5), np.float32))
    with pytest.raises(wb.errors.OutOfBoundsError, match="Vectors of 5, 32"):
        measure_bias([*features, other], ["A", "A", "B", "B"])
