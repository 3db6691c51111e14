"""Text prompts as scores of tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vision_language import clip_text, write_tokenizer, write_weights
from workbench.errors import FeaturesError, ModelError
from workbench.features import Features, text_scores
from workbench.models import load_text_encoder

TUMOUR, STROMA = "the tumour", "a stroma of the lung"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plip")
    write_weights(folder / "model.safetensors", clip_text())
    write_tokenizer(folder / "tokenizer.json")
    return load_text_encoder(folder)


@pytest.fixture
def features(encoder):
    """Tiles whose vectors are those of the texts, of other lengths, with noise."""
    rng = np.random.default_rng(0)
    texts = encoder.encode([TUMOUR, STROMA])
    chosen = np.arange(9000) % 2
    noise = rng.normal(scale=0.05, size=(9000, texts.shape[1]))
    vectors = (texts[chosen] + noise) * rng.uniform(0.1, 30, (9000, 1))
    boxes = np.tile([0.0, 0.0, 10.0, 10.0], (9000, 1)) + np.arange(9000)[:, None]
    return made(boxes, vectors.astype(np.float32))


def made(boxes, vectors=None):
    given = {} if vectors is None else {"vectors": vectors}
    return Features(path=Path("made.h5"), format="made", boxes=boxes, **given)


def test_each_tile_gets_the_text_that_it_is_like(features, encoder):
    scores = text_scores(features, encoder, [TUMOUR, STROMA])
    assert scores.names == (TUMOUR, STROMA)
    assert np.array_equal(scores.boxes, features.boxes)
    assert np.allclose(scores.values.sum(1), 1)
    assert (scores.values.argmax(1) == np.arange(9000) % 2).mean() > 0.95


def test_values_are_cosines_and_their_softmax_with_the_learned_factor(
    features, encoder
):
    cosines = text_scores(features, encoder, [TUMOUR, STROMA], kind="cosine").values
    vectors = np.asarray(features.vectors, float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = vectors @ encoder.encode([TUMOUR, STROMA]).T
    assert np.allclose(cosines, expected, atol=1e-5)
    values = np.exp(np.exp(2.0) * expected)
    found = text_scores(features, encoder, [TUMOUR, STROMA]).values
    assert np.allclose(found, values / values.sum(1, keepdims=True), atol=1e-4)


def test_several_texts_of_a_class_are_averaged(features, encoder):
    texts = {"tumour": [TUMOUR, "tumour"], "rest": [STROMA]}
    found = text_scores(features, encoder, texts, kind="cosine")
    mean = encoder.encode(texts["tumour"]).mean(0)
    vectors = np.asarray(features.vectors, float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert found.names == ("tumour", "rest")
    expected = vectors @ mean / np.linalg.norm(mean)
    assert np.allclose(found.column("tumour"), expected, atol=1e-5)


@pytest.mark.parametrize("prompts", ["tumour", [], ["a", " "], {"a": []}])
def test_what_are_no_texts_is_refused(features, encoder, prompts):
    with pytest.raises(FeaturesError, match="no texts"):
        text_scores(features, encoder, prompts)


def test_other_vectors_and_single_classes_are_refused(features, encoder):
    with pytest.raises(FeaturesError, match="there is one prompt"):
        text_scores(features, encoder, [TUMOUR])
    other = made(features.boxes, features.vectors[:, :7])
    with pytest.raises(ModelError, match="same vision-language model"):
        text_scores(other, encoder, [TUMOUR, STROMA])
    none = made(np.zeros((0, 4)))
    with pytest.raises(FeaturesError, match="no vectors"):
        text_scores(none, encoder, [TUMOUR, STROMA])
