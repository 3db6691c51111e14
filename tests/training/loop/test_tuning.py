"""Fine-tuning of an encoder: what learns, what stays, and the model that is saved."""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import workbench as wb
from studies import write_study
from workbench.errors import TrainingError
from workbench.models.architectures import build_network
from workbench.training.loop.recipe import TrainingRecipe

QUICK = {
    "epochs": 2,
    "batch_size": 16,
    "mpp": 1.0,
    "tile_px": 32,
    "precision": "float32",
    "learning_rate": 0.02,
    "average": 0,
    "weight_decay": 0,
}
TINY = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 2}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), 3, size=256)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """Write a tiny vision transformer of random weights as a model; return it."""
    pytest.importorskip("timm")
    folder = tmp_path_factory.mktemp("encoder") / "tiny"
    folder.mkdir()
    fields = {
        "name": "tiny",
        "task": "embedding",
        "classes": ("length of the vector",),
        "dimensions": 24,
        "mpp": 1.0,
        "tile_px": 32,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "architecture": "timm:vit_tiny_patch16_224",
        "options": TINY,
        "pooling": "mean",
        "weights": "weights.safetensors",
    }
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        network = build_network(wb.ModelCard.model_validate(fields), trust=False)
    weights = folder / "weights.safetensors"
    save_file(network.weighted.state_dict(), weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    (folder / "card.json").write_text(json.dumps({**fields, "sha256": digest}))
    return folder


def recipe_of(study, model, **options):
    given = {**QUICK, "labels": str(study), "encoder": str(model), **options}
    return TrainingRecipe(**given)


def changed(encoder, training):
    """Return the names of the layers of the encoder that are others now."""
    before = load_file(encoder / "weights.safetensors")
    after = load_file(training.path / "weights.safetensors")
    names = {name: f"encoder.weighted.{name}" for name in before}
    assert set(after) == {*names.values(), "head.weight", "head.bias"}
    return {n for n, new in names.items() if not torch.equal(before[n], after[new])}


def test_a_head_learns_on_a_frozen_encoder_and_runs(tmp_path, study, encoder):
    training = wb.train(recipe_of(study, encoder, epochs=4), out=tmp_path / "mine")
    assert not changed(encoder, training)
    judged = training.metrics.dropna(subset=["epoch"])
    assert judged["balanced_accuracy"].max() > 0.9
    model = wb.find_model(training.path)
    assert model.card.classes == ("blue", "pink")
    tiles = torch.zeros((2, 3, 32, 32), dtype=torch.uint8)
    tiles[1] = 255
    np.testing.assert_allclose(model(tiles).sum(dim=1).flatten(), 1, atol=1e-4)


def test_last_blocks_learn_with_the_head(tmp_path, study, encoder):
    recipe = recipe_of(study, encoder, unfrozen=1, epochs=1)
    names = changed(encoder, wb.train(recipe, out=tmp_path / "mine"))
    assert any(name.startswith("blocks.2.") for name in names)
    assert not any(name.startswith(("blocks.0", "blocks.1", "patch")) for name in names)


def test_lora_changes_attention_alone_and_is_merged(tmp_path, study, encoder):
    recipe = recipe_of(study, encoder, lora=2, epochs=1)
    training = wb.train(recipe, out=tmp_path / "mine")
    names = changed(encoder, training)
    assert "blocks.0.attn.qkv.weight" in names
    assert all(".attn." in name and name.endswith("weight") for name in names)
    before = load_file(encoder / "weights.safetensors")["blocks.0.attn.qkv.weight"]
    after = load_file(training.path / "weights.safetensors")
    change = after["encoder.weighted.blocks.0.attn.qkv.weight"] - before
    assert torch.linalg.matrix_rank(change, rtol=1e-3) <= 2
    wb.find_model(training.path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile_px": 64}, "takes tiles of 32 px at 1 µm"),
        ({"encoder": "tissue-classes"}, "is no encoder of weights"),
        ({"unfrozen": 9}, "has 3 blocks"),
        ({"task": "segmentation"}, "is for a classification"),
    ],
)
def test_encoders_that_do_not_fit_are_said(tmp_path, study, encoder, options, message):
    with pytest.raises(TrainingError, match=message):
        wb.train(recipe_of(study, encoder, **options), out=tmp_path / "mine")


def test_metrics_are_a_table_and_curves_of_tensorboard(
    tmp_path, study, encoder, monkeypatch
):
    written = []

    class Writer:
        def __init__(self, folder, purge_step):
            written.append((folder, purge_step))

        def add_scalar(self, *given):
            written.append(given)

        def flush(self):
            pass

        def close(self):
            written.append("closed")

    module = type("module", (), {"SummaryWriter": Writer})
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    recipe = recipe_of(study, encoder, epochs=1, tensorboard=True)
    training = wb.train(recipe, out=tmp_path / "mine")
    assert written[0] == (str(tmp_path / "mine" / "tensorboard"), 1)
    assert written[-1] == "closed"
    assert {"loss", "balanced_accuracy"} <= {each[0] for each in written[1:-1]}
    lines = (training.path / "metrics.csv").read_text().splitlines()
    assert lines[0].startswith("step,loss,epoch,mean_loss")
    assert len(lines) == 1 + len(training.metrics)


def test_tensorboard_that_is_missing_is_said(tmp_path, study, encoder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    recipe = recipe_of(study, encoder, tensorboard=True)
    with pytest.raises(wb.errors.MissingPackageError, match="'tensorboard'"):
        wb.train(recipe, out=tmp_path / "mine")
