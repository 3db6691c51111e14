"""From uint8 tiles to answers: the same numbers as by hand, whatever the way."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torchvision import transforms

from workbench.models.card import ModelCard
from workbench.models.preprocessing import eosin_hematoxylin_density
from workbench.models.registry import find_model
from workbench.models.tile_model import TileModel, resolve_precision
from workbench.stain.optical_density import optical_density, separation
from workbench.stain.references import REFERENCES

CARD = ModelCard(
    name="m", task="segmentation", classes=("r", "g", "b"), mpp=0.5, tile_px=32
)


def card(**change):
    return ModelCard.model_validate({**CARD.model_dump(), **change})


def pixels(n=2, side=32, seed=0):
    array = np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), np.uint8)
    return array, torch.from_numpy(array).permute(0, 3, 1, 2)


unit = st.floats(0, 1)
spread = st.floats(0.05, 2)


@settings(max_examples=30, deadline=None)
@given(
    mean=st.tuples(unit, unit, unit),
    std=st.tuples(spread, spread, spread),
    seed=st.integers(0, 9),
)
def test_folding_is_to_tensor_and_normalize(mean, std, seed):
    array, tiles = pixels(seed=seed)
    by_hand = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(mean, std)]
    )
    expected = torch.stack([by_hand(Image.fromarray(tile)) for tile in array])
    answer = TileModel(card(mean=mean, std=std), nn.Identity())(tiles)
    torch.testing.assert_close(answer, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("side", "input_px"), [(350, 224), (224, 224), (100, 224)])
def test_resizing_is_that_of_pictures(side, input_px):
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 256, (side // 5, side // 5, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((side, side))
    tiles = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    expected = transforms.ToTensor()(transforms.Resize(input_px)(picture))[None]
    answer = TileModel(card(tile_px=side, input_px=input_px), nn.Identity())(tiles)
    levels = (answer - expected).abs() * 255
    assert levels.max() < 1.01, "one grey level, by the rounding"
    assert (levels > 0.5).float().mean() < 0.01


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.random.default_generator.manual_seed(1)
            self.conv = nn.Conv2d(3, 2, 7, stride=7)

    def forward(self, x):
        return self.conv(x).mean(dim=(2, 3))


def test_a_wsinfer_folder_answers_as_its_transform_and_softmax_by_hand(tmp_path):
    network = Tiny().eval()
    torch.jit.script(network).save(tmp_path / "torchscript_model.pt")
    mean, std = [0.7238, 0.5716, 0.6779], [0.112, 0.1459, 0.1089]
    config = {
        "spec_version": "1.0",
        "architecture": "tiny",
        "num_classes": 2,
        "patch_size_pixels": 350,
        "spacing_um_px": 0.25,
        "class_names": ["notumor", "tumor"],
        "transform": [
            {"name": "Resize", "arguments": {"size": 224}},
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": mean, "std": std}},
        ],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    by_hand = transforms.Compose(
        [
            transforms.Resize(224),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )
    array, _ = pixels(4, 350)
    array //= np.arange(1, 5, dtype=np.uint8)[:, None, None, None]
    tiles = torch.from_numpy(array).permute(0, 3, 1, 2)
    inputs = torch.stack([by_hand(Image.fromarray(tile)) for tile in array])
    with torch.no_grad():
        expected = network(inputs).softmax(1)
    answer = find_model(tmp_path, trust=True)(tiles)
    assert expected.std(0).max() > 0.05, "a parity of constants says nothing"
    torch.testing.assert_close(answer, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("none", lambda x: x),
        ("softmax", lambda x: x.softmax(1)),
        ("sigmoid", lambda x: x.sigmoid()),
    ],
)
def test_the_activation_is_over_the_classes(activation, function):
    _, tiles = pixels()
    answer = TileModel(card(activation=activation), nn.Identity())(tiles)
    torch.testing.assert_close(answer, function(tiles / 255))


def test_stain_channels_are_those_of_the_references_definition():
    array, tiles = pixels()
    reference = REFERENCES["he-standard"]
    density = optical_density(array)
    amounts = np.maximum(density @ separation(np.array(reference.stains)), 0)
    eosin = amounts[..., 1] / reference.max_concentrations[1]
    hematoxylin = amounts[..., 0] / reference.max_concentrations[0]
    expected = np.stack([eosin, hematoxylin, density.mean(-1) / 1.5], axis=1).clip(0, 1)
    answer = eosin_hematoxylin_density(tiles / 255).numpy()
    np.testing.assert_allclose(answer, expected, atol=2e-5)


def test_the_tiles_are_not_changed():
    _, tiles = pixels()
    for kind in ("rgb", "eosin-hematoxylin-density"):
        before = tiles.clone()
        TileModel(card(input=kind), nn.Identity())(tiles)
        assert torch.equal(tiles, before)


def test_a_measurement_is_always_made_in_float32():
    _, tiles = pixels()
    network = nn.Conv2d(3, 3, 3)
    answers = {}
    for task in ("measurement", "segmentation"):
        model = TileModel(card(task=task), network)
        exact = model(tiles)
        model.precision = "bfloat16"
        answers[task] = torch.equal(model(tiles), exact)
    assert answers == {"measurement": True, "segmentation": False}


def test_it_keeps_no_gradients_and_is_not_training():
    model = TileModel(card(), nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout(0.9)))
    _, tiles = pixels()
    assert torch.equal(model(tiles), model(tiles))
    assert not any(p.requires_grad for p in model.parameters())


def test_auto_is_what_the_cpu_calculates_fast(monkeypatch):
    for able, expected in ((False, "float32"), (True, "bfloat16")):
        can = {"avx512_bf16": able}
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda c=can: c, raising=False
        )
        assert resolve_precision("auto", torch.device("cpu")) == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # as in older versions
    assert resolve_precision("auto", torch.device("cpu")) == "float32"
    assert resolve_precision("bfloat16", torch.device("cpu")) == "bfloat16"


@pytest.mark.parametrize(("major", "expected"), [(7, "float16"), (8, "bfloat16")])
def test_auto_follows_the_gpu(monkeypatch, major, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (major, 0))
    assert resolve_precision("auto", torch.device("cuda")) == expected
