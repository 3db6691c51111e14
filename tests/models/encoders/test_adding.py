"""Encoders added from local folders give the vectors of the reference preprocessing."""

from __future__ import annotations

import importlib
import json
import re

import numpy as np
import pytest
import torch
import torchvision
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file
from torchvision.transforms import v2

import workbench as wb
from hub_folders import (
    SMALL,
    random_network,
    transformers_state,
    write_timm,
    write_transformers,
)
from vision_language import DIMENSIONS, conch_state, write_plip
from workbench.cli import main
from workbench.errors import (
    InvalidCardError,
    MissingPackageError,
    ModelError,
    UntrustedModelError,
)
from workbench.models.encoders import hub
from workbench.models.encoders.adding import add_encoder
from workbench.models.encoders.preset import find_preset
from workbench.models.formats.transformer_keys import to_timm

SIMILAR = 1e-4
"""Largest difference, as a share of that between two pictures: rounding of float32."""


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def tiles(preset, count=3):
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (count, 20, 20, 3), np.uint8)
    side = preset.tile_px
    return [
        np.asarray(Image.fromarray(c).resize((side, side), Image.Resampling.BICUBIC))
        for c in coarse
    ]


def reference(preset, pictures):
    """Prepare pictures as the authors do, from PIL images by torchvision."""
    steps = []
    if preset.input_px:
        modes = torchvision.transforms.InterpolationMode
        mode = modes.BICUBIC if preset.interpolation == "bicubic" else modes.BILINEAR
        steps.append(v2.Resize(preset.input_px, mode))
    if preset.crop_px:
        steps.append(v2.CenterCrop(preset.crop_px))
    steps += [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    steps.append(v2.Normalize(preset.mean, preset.std))
    prepare = v2.Compose(steps)
    return torch.stack([prepare(Image.fromarray(each)) for each in pictures])


@torch.inference_mode()
def assert_equal_vectors(preset, model, network, pool):
    pictures = tiles(preset)
    expected = pool(network, reference(preset, pictures))
    given = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    found = model(given)
    assert found.shape == expected.shape == (3, model.card.dimensions)
    apart = float((expected[0] - expected[1]).abs().max())
    assert apart > 0.005 * float(expected.abs().max())
    assert float((found - expected).abs().max()) <= SIMILAR * apart


def cls(network, inputs):
    return network.forward_features(inputs)[:, 0]


def whole(network, inputs):
    return network(inputs)


def both(network, inputs):
    tokens = network.forward_features(inputs)
    registers = network.num_prefix_tokens
    return torch.cat([tokens[:, 0], tokens[:, registers:].mean(1)], 1)


CASES = [
    ("uni", SMALL, cls, "pytorch_model.bin"),
    ("uni2-h", {**SMALL, "mlp_ratio": 4.0}, cls, "model.safetensors"),
    ("virchow", {**SMALL, "mlp_ratio": 4.0}, both, "pytorch_model.bin"),
    ("virchow2", {**SMALL, "mlp_ratio": 4.0}, both, "model.safetensors"),
    ("h-optimus-1", SMALL, cls, "model.safetensors"),
    ("h0-mini", {**SMALL, "mlp_ratio": 4.0}, both, "model.safetensors"),
    ("prov-gigapath", {**SMALL, "mlp_ratio": 4.0}, cls, "pytorch_model.bin"),
    ("kaiko-vits16", SMALL, cls, "model.safetensors"),
    ("kaiko-vitl14", SMALL, cls, "model.safetensors"),
    ("lunit-vits8", SMALL, cls, "model.safetensors"),
    (
        "efficientnet-b0-imagenet",
        {},
        whole,
        "model.safetensors",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "small", "pool", "file"), CASES, ids=[case[0] for case in CASES]
)
def test_a_folder_of_timm_gives_the_vectors_of_the_reference(
    tmp_path, name, small, pool, file
):
    preset = find_preset(name)
    network = random_network(preset, **small)
    folder = write_timm(tmp_path / "hub", preset, network, file, **small)
    card = add_encoder(name, folder)
    assert name in wb.model_names()
    model = wb.find_model(name)
    assert model.card == card
    assert_equal_vectors(preset, model, network, pool)


VIT = {
    "model_type": "vit",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "patch_size": 16,
}
DINO = {
    "model_type": "dinov2",
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "mlp_ratio": 4,
    "layerscale_value": 1.0,
    "patch_size": 14,
    "use_swiglu_ffn": False,
}
WIDE = {"embed_dim": 48, "depth": 2, "num_heads": 2, "init_values": 1.0}
SWIGLU = {"mlp_layer": "SwiGLUPacked", "act_layer": "silu"}
PACKED = {**WIDE, **SWIGLU, "mlp_ratio": 16 / 3}


@pytest.mark.parametrize(
    ("name", "config", "built", "prefix"),
    [
        ("phikon", VIT, (SMALL, cls), ""),
        ("phikon", VIT, (SMALL, cls), "vit."),
        ("phikon-v2", DINO | {"patch_size": 16}, (WIDE, cls), ""),
        ("midnight", DINO | {"use_swiglu_ffn": True}, (PACKED, both), ""),
        ("hibou-b", DINO, (WIDE, cls), ""),
        ("hibou-l", DINO | {"use_swiglu_ffn": True}, (PACKED, cls), ""),
    ],
)
def test_a_folder_of_transformers_gives_the_vectors_of_the_reference(
    tmp_path, name, config, built, prefix
):
    preset = find_preset(name)
    options, pool = built
    network = random_network(preset, **options)
    folder = write_transformers(tmp_path / "hub", network, prefix, **config)
    add_encoder(name, folder)
    assert_equal_vectors(preset, wb.find_model(name), network, pool)


def test_positions_of_another_grid_are_resampled_as_transformers_does():
    preset = find_preset("midnight")
    large = random_network(preset, **WIDE, img_size=518)
    small = random_network(preset, **WIDE, img_size=224)
    state = transformers_state(large)
    found = to_timm(state, small)["pos_embed"]
    positions = state["embeddings.position_embeddings"]
    grid = positions[:, 1:].reshape(1, 37, 37, 48).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(
        grid, size=(16, 16), mode="bicubic", align_corners=False
    )
    assert torch.equal(found[:, 1:], expected.permute(0, 2, 3, 1).reshape(1, 256, 48))
    assert torch.equal(found[:, :1], positions[:, :1])


@pytest.mark.slow
def test_ctranspath_as_published_gives_the_vectors_of_the_reference(tmp_path):
    preset = find_preset("ctranspath")
    network = random_network(preset)
    state = {}
    for key, value in network.state_dict().items():
        at = re.fullmatch(r"layers\.(\d)\.downsample\.(.+)", key)
        name = f"layers.{int(at[1]) - 1}.downsample.{at[2]}" if at else key
        state[name] = value
    state["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    state["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(49, 49)
    torch.save({"model": state}, tmp_path / "ctranspath.pth")
    add_encoder("ctranspath", tmp_path / "ctranspath.pth")
    model = wb.find_model("ctranspath")
    assert_equal_vectors(preset, model, network, whole)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50-imagenet", "retccl"])
def test_a_resnet_gives_the_vectors_before_its_last_layer(tmp_path, name):
    preset = find_preset(name)
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(1)
        network = torchvision.models.resnet50(num_classes=128).eval()
    torch.save(network.state_dict(), tmp_path / "best_ckpt.pth")
    add_encoder(name, tmp_path / "best_ckpt.pth")
    network.fc = torch.nn.Identity()
    model = wb.find_model(name)
    assert_equal_vectors(preset, model, network, whole)


def test_plip_gives_the_vectors_of_the_reference(tmp_path):
    preset = find_preset("plip")
    network = write_plip(tmp_path / "plip", preset)
    config = {"architectures": ["CLIPModel"], "vision_config": {}}
    (tmp_path / "plip" / "config.json").write_text(json.dumps(config))
    fields = {"embed_dim": 64, "depth": 2, "num_heads": 2, "num_classes": DIMENSIONS}
    model = loaded(preset, tmp_path / "plip" / "pytorch_model.bin", fields, DIMENSIONS)
    assert_equal_vectors(preset, model, network, whole)


@pytest.mark.parametrize("name", ["conch", "conch-v1.5"])
def test_conch_gives_the_vectors_of_the_reference(tmp_path, name):
    preset = find_preset(name)
    separate = name == "conch"
    trunk, state = conch_state(separate=separate)
    surplus = {"attn_pool_caption.query": torch.zeros(3, 4)} if separate else {}
    at = "visual." if separate else ""
    stored = {at + key: value for key, value in {**state, **surplus}.items()}
    torch.save(stored, tmp_path / "pytorch_model.bin")
    fields = {"embed_dim": 32, "depth": 2, "num_heads": 2}
    model = loaded(preset, tmp_path / "pytorch_model.bin", fields, 16)

    def pool(network, inputs):
        tokens = network.forward_features(inputs)
        return attention_pooled(tokens, state, separate=separate)

    assert_equal_vectors(preset, model, trunk, pool)


def loaded(preset, weights, options, dimensions):
    """The model of a preset with a network of small width."""
    options = {**preset.options, **options}
    card = preset.card(weights=weights.name, options=options, dimensions=dimensions)
    path = weights.with_name("card.json")
    path.write_text(card.model_dump_json(exclude_defaults=True))
    return wb.find_model(path)


def attention_pooled(tokens, state, *, separate):
    """One query to eight heads of two channels, written out."""
    at = "attn_pool_contrast."
    norm = torch.nn.functional.layer_norm
    keys = norm(tokens, (32,), state[f"{at}ln_k.weight"], state[f"{at}ln_k.bias"])
    query = state[f"{at}query"][0]
    query = norm(query, (16,), state[f"{at}ln_q.weight"], state[f"{at}ln_q.bias"])
    bias = torch.zeros(48)
    if separate:
        names = (f"{at}attn.{part}_proj_weight" for part in "qkv")
        to_query, to_key, to_value = (state[name] for name in names)
        bias = state[f"{at}attn.in_proj_bias"]
    else:
        to_query = state[f"{at}to_q.weight"]
        to_key, to_value = state[f"{at}to_kv.weight"].chunk(2)
    query = to_query @ query + bias[:16]
    key, value = keys @ to_key.T + bias[16:32], keys @ to_value.T + bias[32:]
    parts = []
    for head in range(8):
        of = slice(2 * head, 2 * head + 2)
        weights = (key[..., of] @ query[of] / 2**0.5).softmax(1)
        parts.append((weights[..., None] * value[..., of]).sum(1))
    joined = torch.cat(parts, 1)
    out, shift = f"{at}to_out.weight", torch.zeros(16)
    if separate:
        out, shift = f"{at}attn.out_proj.weight", state[f"{at}attn.out_proj.bias"]
    answer = joined @ state[out].T + shift
    last = "ln_contrast."
    return norm(answer, (16,), state[f"{last}weight"], state[f"{last}bias"])


@pytest.fixture
def small(tmp_path):
    preset = find_preset("virchow2")
    options = {**SMALL, "mlp_ratio": 4.0}
    network = random_network(preset, **options)
    return write_timm(tmp_path / "hub", preset, network, **options)


def test_another_pooling_is_the_card_s(small):
    card = add_encoder("virchow2", small, pooling="cls")
    assert (card.pooling, card.dimensions) == ("cls", 32)
    assert wb.find_model("virchow2").card.dimensions == 32


def test_weights_are_linked_or_copied(small, models):
    add_encoder("virchow2", small)
    kept = models / "virchow2" / "weights.safetensors"
    assert kept.resolve() == (small / "model.safetensors").resolve()
    add_encoder("virchow2", small, copy=True)
    assert not kept.is_symlink()
    assert kept.read_bytes() == (small / "model.safetensors").read_bytes()
    assert [p.name for p in models.iterdir()] == ["virchow2"]


def test_weights_that_changed_are_refused(small):
    add_encoder("virchow2", small)
    save_file({"x": torch.zeros(1)}, small / "model.safetensors")
    with pytest.raises(ModelError, match="SHA-256"):
        wb.find_model("virchow2")


def test_weights_that_do_not_fit_leave_nothing(small, models):
    with pytest.raises(InvalidCardError, match="does not fit"):
        add_encoder("lunit-vits8", small / "model.safetensors")
    assert not list(models.iterdir())
    assert "lunit-vits8" not in wb.model_names()


@pytest.mark.slow
def test_pickled_code_is_refused(tmp_path, models):
    torch.save({"x": print}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UntrustedModelError):
        add_encoder("lunit-vits8", tmp_path)
    assert not list(models.iterdir())


def test_a_folder_without_or_with_several_weights_is_asked_about(tmp_path):
    with pytest.raises(ModelError, match="holds none"):
        add_encoder("uni", tmp_path)
    for name in ("a.pth", "b.pth"):
        torch.save({}, tmp_path / name)
    with pytest.raises(ModelError, match=r"'a\.pth', 'b\.pth'"):
        add_encoder("uni", tmp_path)
    with pytest.raises(ModelError, match="no weights at"):
        add_encoder("uni", tmp_path / "nowhere")


def test_a_folder_that_is_no_model_is_not_replaced(small, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("mine")
    with pytest.raises(ModelError, match="holds no model"):
        add_encoder("virchow2", small, folder=tmp_path / "mine")
    assert (tmp_path / "mine" / "work.txt").read_text() == "mine"


def test_timm_that_is_missing_is_named(small, monkeypatch):
    def missing(name):
        if name == "timm":
            raise ImportError(name)
        return importlib.import_module(name)

    module = "workbench.models.networks.timm_networks.importlib.import_module"
    monkeypatch.setattr(module, missing)
    with pytest.raises(MissingPackageError, match=r"slide-workbench\[encoders\]"):
        add_encoder("virchow2", small)


class Hub:
    """Stands for the hub's client: counts what is asked of it."""

    def __init__(self, folder):
        self.folder, self.asked = folder, []

    def snapshot_download(self, repository, **options):
        self.asked.append((repository, sorted(options)))
        if self.folder is None:
            message = "401 Client Error\nmore"
            raise OSError(message)
        return str(self.folder)


def test_the_hub_is_asked_only_on_the_word(small, monkeypatch):
    client = Hub(small)
    monkeypatch.setattr(hub, "_import_hub", lambda: client)
    runner = CliRunner()
    for wrong in ([], ["--weights", str(small), "--from-hub"]):
        assert runner.invoke(main, ["models", "add", "virchow2", *wrong]).exit_code == 2
    done = runner.invoke(main, ["models", "add", "virchow2", "--weights", str(small)])
    assert done.exit_code == 0, done.output
    assert not client.asked
    done = runner.invoke(main, ["models", "add", "virchow2", "--from-hub"])
    assert done.exit_code == 0, done.output
    assert client.asked == [("paige-ai/Virchow2", ["allow_patterns"])]
    assert "virchow2: 64 dimensions" in done.output


def test_a_refusal_of_the_hub_is_one_sentence(monkeypatch):
    monkeypatch.setattr(hub, "_import_hub", lambda: Hub(None))
    with pytest.raises(ModelError, match="401 Client Error") as caught:
        hub.download_encoder("uni")
    assert "hf auth login" in str(caught.value)
    with pytest.raises(ModelError, match="not at the hub"):
        hub.download_encoder("ctranspath")


def test_the_client_of_the_hub_has_the_function_that_is_called():
    client = importlib.import_module("huggingface_hub")
    assert callable(client.snapshot_download)


def test_the_list_says_what_is_added(small):
    runner = CliRunner()
    before = json.loads(runner.invoke(main, ["models", "encoders", "--json"]).output)
    add_encoder("virchow2", small)
    after = json.loads(runner.invoke(main, ["models", "encoders", "--json"]).output)
    assert {row["name"] for row in after if row["added"]} == {"virchow2"}
    assert not any(row["added"] for row in before)
    text = runner.invoke(main, ["models", "encoders"]).output
    assert "virchow2  (Virchow2)  [added]" in text
    assert "gated; licence: CC-BY-NC-ND-4.0" in text
