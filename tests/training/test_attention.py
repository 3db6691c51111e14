"""Attention: classes of slides, and the tiles from which they follow."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import workbench as wb
from feature_files import tiles, write_trident
from workbench.errors import TrainingError
from workbench.training import (
    EmbeddedSlide,
    attention_accuracy,
    concordance,
    fit_attention,
    open_attention,
)
from workbench.training.attention_network import GatedAttention, cox_loss

TELLING = 6
"""Number of tiles of a slide that tell its class."""


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """Return 16 slides; in those of class b a few tiles are shifted."""
    folder = tmp_path_factory.mktemp("slides")
    found = []
    for seed in range(16):
        corners, vectors = tiles(120, 24, seed=seed)
        if seed % 2:
            vectors[:TELLING, :4] += 4
        path = write_trident(folder / f"case-{seed}.h5", corners, vectors)
        found.append(EmbeddedSlide.of(wb.open_features(path), f"case-{seed}"))
    return found


LABELS = ["a", "b"] * 8


@pytest.fixture(scope="module")
def model(slides):
    return fit_attention(slides, LABELS)


@pytest.mark.slow
def test_slides_never_seen_are_told_apart(slides):
    found = attention_accuracy(slides, LABELS)
    assert found.share >= 0.9
    assert found.held_out == "slide"
    assert np.sum(found.confusion) == 16
    assert "16 patients" in str(found)


@pytest.mark.slow
def test_labels_that_mean_nothing_are_not_told_apart(slides):
    found = attention_accuracy(slides[::2], ["a", "b"] * 4)
    assert found.share < 0.9


@pytest.mark.slow
def test_attention_lies_on_the_tiles_that_tell(slides, model):
    scores = model.attention(slides[1])
    shares = scores.column("attention")
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert set(scores.ranking("attention")[:TELLING]) == set(range(TELLING))
    np.testing.assert_array_equal(scores.boxes, slides[1].boxes)
    assert model.predict(slides[1])["b"] > 0.9


@pytest.mark.slow
def test_the_formula_in_numpy_is_the_network(slides, model):
    network = GatedAttention(24, 2).eval()
    arrays = {name: torch.from_numpy(a.copy()) for name, a in model.arrays.items()}
    mean, deviation = arrays.pop("mean"), arrays.pop("deviation")
    network.load_state_dict(arrays)
    vectors = (torch.from_numpy(slides[3].vectors) - mean) / deviation
    with torch.inference_mode():
        expected = network(vectors).softmax(0).numpy()
    np.testing.assert_allclose(list(model.predict(slides[3]).values()), expected, 1e-4)


def test_the_same_seed_gives_the_same_model(slides):
    first, again = (fit_attention(slides[:4], LABELS[:4], epochs=2) for _ in range(2))
    other = fit_attention(slides[:4], LABELS[:4], epochs=2, seed=1)
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])
    assert not np.array_equal(first.arrays["head.weight"], other.arrays["head.weight"])


@pytest.mark.slow
def test_slides_of_a_patient_are_held_out_together(slides):
    # Slides of a patient are the same: seen once, they would be known.
    twins = [each for each in slides[::2][:4] for _ in range(2)]
    patients = [f"patient-{index // 2}" for index in range(8)]
    labels = ["a", "a", "b", "b", "a", "a", "b", "b"]
    found = attention_accuracy(twins, labels, groups=patients, epochs=60)
    assert found.share <= 0.75
    with pytest.raises(TrainingError, match="'a' has slides of one patient"):
        attention_accuracy(twins[:4], labels[:4], groups=patients[:4])


def test_a_saved_model_gives_the_same(slides, model, tmp_path):
    file = model.save(tmp_path / "deeper" / "mine")
    again = open_attention(file)
    assert again.classes == ("a", "b")
    assert again.predict(slides[5]) == model.predict(slides[5])
    assert again.provenance["slides"][1]["class"] == "b"
    assert repr(again) == "<AttentionModel on 'uni_v2': a, b>"


def test_damaged_files_are_said(model, tmp_path):
    file = model.save(tmp_path / "mine.safetensors")
    content = file.read_bytes()
    for damaged in (b"", content[:100], b"x" + content):
        file.write_bytes(damaged)
        with pytest.raises(TrainingError, match="no model of attention"):
            open_attention(file)
    file.write_bytes(content)
    arrays = load_file(file)
    facts = {"format": 1, "kind": "attention", "classes": ["a", "b"], "encoder": ""}
    for wrong in (
        {"head.bias": np.zeros(3, np.float32)},
        {"mean": np.full(24, np.nan, np.float32)},
        {"more": np.zeros(3, np.float32)},
    ):
        save_file({**arrays, **wrong}, file, {"workbench": json.dumps(facts)})
        with pytest.raises(TrainingError, match="no model of attention"):
            open_attention(file)
    with pytest.raises(TrainingError, match=r"does not end in \.safetensors"):
        model.save(tmp_path / "mine.pt")


def test_what_cannot_be_learnt_is_said(slides, model):
    with pytest.raises(TrainingError, match="2 slides and 1 labels"):
        fit_attention(slides[:2], ["a"])
    with pytest.raises(TrainingError, match="one class: a"):
        fit_attention(slides[:2], ["a", "a"])
    other = replace(slides[0], encoder="conch")
    with pytest.raises(TrainingError, match="conch"):
        fit_attention([slides[1], other], ["a", "b"])
    none = replace(slides[0], finite=np.zeros(120, bool))
    with pytest.raises(TrainingError, match="no finite vector"):
        fit_attention([slides[1], none], ["a", "b"])
    with pytest.raises(TrainingError, match="the model needs 24"):
        model.predict(replace(slides[0], vectors=np.zeros((120, 5), np.float32)))


def test_a_tile_without_a_finite_vector_has_no_attention(slides, model):
    vectors = slides[1].vectors.copy()
    vectors[3] = np.nan
    broken = replace(slides[1], vectors=vectors, finite=np.isfinite(vectors).all(1))
    shares = model.attention(broken).column("attention")
    assert np.isnan(shares[3])
    assert np.nansum(shares) == pytest.approx(1, abs=1e-5)


def shifted(slides):
    """Return slides whose telling tiles are shifted by an amount, and the amounts."""
    amounts = np.random.default_rng(5).uniform(0, 4, len(slides))
    found = []
    for slide, amount in zip(slides, amounts, strict=True):
        vectors = slide.vectors.copy()
        vectors[:, :4] += np.float32(amount)
        found.append(replace(slide, vectors=vectors))
    return found, amounts


@pytest.mark.slow
def test_numbers_of_slides_are_learnt(slides, tmp_path):
    given, amounts = shifted(slides[::2] * 2)
    numbers = (10 * amounts + 100).tolist()
    model = fit_attention(given, numbers, outcome="number", epochs=60)
    found = [model.predict(slide)["number"] for slide in given]
    assert np.corrcoef(found, numbers)[0, 1] > 0.9
    assert np.abs(np.subtract(found, numbers)).mean() < 6
    again = open_attention(model.save(tmp_path / "number.safetensors"))
    assert again.predict(given[0]) == model.predict(given[0])
    assert again.outcome == "number"
    assert again.attention(given[0]).names == ("attention",)


@pytest.mark.slow
def test_survival_is_learnt_from_events_and_censored_times(slides):
    given, amounts = shifted(slides[::2] * 2)
    random = np.random.default_rng(3)
    times = np.exp(-amounts) * random.uniform(0.9, 1.1, len(amounts))
    events = random.random(len(amounts)) < 0.8
    labels = list(zip(times.tolist(), events.tolist(), strict=True))
    options = {"outcome": "survival", "epochs": 60}
    model = fit_attention(given, labels, **options)
    risks = np.array([model.predict(slide)["risk"] for slide in given])
    assert concordance(risks, times, events) > 0.9
    found = attention_accuracy(given, labels, outcome="survival", epochs=20)
    assert found.figure == "c-index"
    assert found.value > 0.75
    assert found.low <= found.value <= found.high
    assert "c-index" in str(found)
    assert json.dumps(found.to_dict())


def test_the_partial_likelihood_is_that_of_the_formula():
    random = np.random.default_rng(0)
    risks, times = random.normal(size=6), np.array([3.0, 1, 4, 1, 5, 9])
    events = np.array([True, True, False, True, True, False])
    expected = -np.mean(
        [
            risks[i] - np.log(np.exp(risks[times >= times[i]]).sum())
            for i in np.flatnonzero(events)
        ]
    )
    given = map(torch.from_numpy, (risks, times, events))
    assert float(cox_loss(*given)) == pytest.approx(expected)
    given = map(torch.from_numpy, (risks, times, np.zeros(6, bool)))
    assert cox_loss(*given) is None


def test_concordance_counts_comparable_pairs():
    times = np.array([1.0, 2, 3])
    events = np.array([True, False, True])
    assert concordance(np.array([3.0, 2, 1]), times, events) == 1
    assert concordance(np.array([1.0, 2, 3]), times, events) == 0
    assert concordance(np.zeros(3), times, events) == 0.5
    assert np.isnan(concordance(np.zeros(3), times, np.zeros(3, bool)))


@pytest.mark.parametrize(
    ("outcome", "labels", "message"),
    [
        ("number", ["a", "b"], "are not of the outcome 'number'"),
        ("number", [1, 1], "the same number"),
        ("number", [1, np.nan], "not a finite number"),
        ("survival", [(1, 0), (2, 0)], "There is no event"),
        ("survival", [(-1, 1), (2, 0)], "A time is below 0"),
        ("survival", [(1, "dead"), (2, 0)], "are not of the outcome 'survival'"),
    ],
)
def test_outcomes_that_cannot_be_learnt_are_said(slides, outcome, labels, message):
    with pytest.raises(TrainingError, match=message):
        fit_attention(slides[:2], labels, outcome=outcome)
