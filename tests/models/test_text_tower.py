"""Text towers of CLIP and CoCa, against the arithmetic written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vision_language import (
    DIMENSIONS,
    WIDTH,
    WORDS,
    clip_text,
    random_state,
    write_tokenizer,
    write_weights,
)
from workbench.errors import ModelError, UntrustedModelError
from workbench.models.formats.vision_language_keys import text_tower
from workbench.models.text_tower import load_text_encoder

PROMPTS = ["the tumour", "a stroma of the lung"]


def coca_state(length=12):
    """As CONCH stores it: under open_clip's names, with a class token."""
    text = text_tower(clip_text(length))
    scale = text.pop("logit_scale")
    extra = random_state({"cls_emb": (WIDTH,), "proj": (24, DIMENSIONS)}, 9)
    state = {f"text.{k}": v for k, v in text.items()}
    state["text.cls_emb"] = extra["cls_emb"]
    state["visual.proj_contrast"] = extra["proj"]
    return state | {"logit_scale": scale, "text_decoder.x": torch.zeros(2)}


def attention(values, state, at, allowed):
    """Two heads, one row at a time."""
    weight, bias = state[f"{at}in_proj_weight"], state[f"{at}in_proj_bias"]
    query, key, value = (values @ weight.T + bias).split(WIDTH, dim=1)
    rows = []
    for row in range(len(values)):
        heads = []
        for head in (slice(0, 64), slice(64, 128)):
            likeness = key[:, head] @ query[row, head] / 8
            likeness = torch.where(allowed[row], likeness, torch.tensor(-torch.inf))
            heads.append(likeness.softmax(0) @ value[:, head])
        rows.append(torch.cat(heads))
    out = f"{at}out_proj."
    return torch.stack(rows) @ state[f"{out}weight"].T + state[f"{out}bias"]


def norm(values, state, at):
    return torch.nn.functional.layer_norm(
        values, (WIDTH,), state[f"{at}weight"], state[f"{at}bias"]
    )


def reference(state, tokens, activation, *, classes):
    values = state["token_embedding.weight"][tokens]
    length = len(tokens)
    allowed = torch.ones(length, length, dtype=torch.bool).tril()
    if classes:
        values = torch.cat([values, state["cls_emb"][None]])
        length += 1
        allowed = torch.ones(length, length, dtype=torch.bool).tril()
        allowed[-1] = torch.tensor([True, *[t != 0 for t in tokens]])
    values = values + state["positional_embedding"][:length]
    for block in range(2):
        at = f"transformer.resblocks.{block}."
        values = values + attention(
            norm(values, state, f"{at}ln_1."), state, f"{at}attn.", allowed
        )
        inner = norm(values, state, f"{at}ln_2.")
        inner = inner @ state[f"{at}mlp.c_fc.weight"].T + state[f"{at}mlp.c_fc.bias"]
        inner = activation(inner) @ state[f"{at}mlp.c_proj.weight"].T
        values = values + inner + state[f"{at}mlp.c_proj.bias"]
    end = -1 if classes else tokens.index(WORDS.index("<end>"))
    vector = norm(values, state, "ln_final.")[end] @ state["text_projection"]
    return (vector / vector.norm()).numpy()


def numbers(prompt, length):
    ids = [1, *(WORDS.index(word) for word in prompt.split()), WORDS.index("<end>")]
    return ids + [0] * (length - len(ids))


def test_clip_gives_the_vectors_of_the_written_out_arithmetic(tmp_path):
    write_weights(tmp_path / "model.safetensors", clip_text())
    write_tokenizer(tmp_path / "tokenizer.json")
    encoder = load_text_encoder(tmp_path)
    state = text_tower(clip_text())
    found = encoder.encode(PROMPTS)
    assert found.shape == (2, DIMENSIONS)
    for prompt, vector in zip(PROMPTS, found, strict=True):
        expected = reference(
            state,
            numbers(prompt, 12),
            lambda x: x * torch.sigmoid(1.702 * x),
            classes=False,
        )
        assert np.allclose(vector, expected, atol=2e-6)
    assert np.abs(found[0] - found[1]).max() > 0.05
    assert encoder.scale == pytest.approx(np.exp(2.0))


def test_coca_gives_the_vectors_of_the_written_out_arithmetic(tmp_path):
    write_weights(tmp_path / "model.safetensors", coca_state())
    write_tokenizer(tmp_path / "conch_byte_level_bpe_uncased.json")
    encoder = load_text_encoder(tmp_path / "model.safetensors")
    state = {k.removeprefix("text."): v for k, v in coca_state().items()}
    for prompt, vector in zip(PROMPTS, encoder.encode(PROMPTS), strict=True):
        expected = reference(
            state, numbers(prompt, 11), torch.nn.functional.gelu, classes=True
        )
        assert np.allclose(vector, expected, atol=2e-6)


def test_vectors_of_tiles_are_projected_where_the_model_does(tmp_path):
    write_weights(tmp_path / "model.safetensors", coca_state())
    write_tokenizer(tmp_path / "own.json")
    encoder = load_text_encoder(tmp_path, tokenizer=tmp_path / "own.json")
    vectors = np.random.default_rng(0).normal(size=(5, 24)).astype(np.float16)
    found = encoder.align(vectors)
    expected = vectors.astype(float) @ coca_state()["visual.proj_contrast"].numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(found, expected, atol=1e-6)
    with pytest.raises(ModelError, match="gives 24 numbers"):
        encoder.align(np.zeros((5, 25)))


def test_a_long_text_keeps_its_end(tmp_path):
    write_weights(tmp_path / "model.safetensors", clip_text(length=6))
    write_tokenizer(tmp_path / "tokenizer.json")
    encoder = load_text_encoder(tmp_path)
    long, cut = encoder.encode(["tumour of a lung the the the", "tumour of a lung"])
    assert np.array_equal(long, cut)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ModelError, match="no weights at"):
        load_text_encoder(tmp_path / "nowhere")
    write_weights(tmp_path / "model.safetensors", {"trunk.x": torch.zeros(1)})
    with pytest.raises(ModelError, match="no tokenizer"):
        load_text_encoder(tmp_path)
    write_tokenizer(tmp_path / "tokenizer.json")
    with pytest.raises(ModelError, match="no text tower"):
        load_text_encoder(tmp_path)
    torch.save({"x": print}, tmp_path / "code.bin")
    with pytest.raises(UntrustedModelError):
        load_text_encoder(tmp_path / "code.bin")
