"""Copies of hub repositories, as they lie on disk: small random networks in the layouts
of timm and of transformers.
"""

from __future__ import annotations

import json

import timm
import torch
from safetensors.torch import save_file

from workbench.models.networks.timm_networks import _resolved

SMALL = {"embed_dim": 32, "depth": 2, "num_heads": 2}


def random_network(preset, **changes):
    """A network of the architecture of a preset with random weights."""
    options = {"num_classes": 0, **preset.options, **changes}
    name = preset.architecture.partition(":")[2]
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(7)
        network = timm.create_model(
            name,
            pretrained=False,
            **{key: _resolved(key, value) for key, value in options.items()},
        )
        for name, parameter in network.named_parameters():
            _fill(name, parameter)
    return network.eval()


@torch.no_grad()
def _fill(name, parameter):
    """Random values with which the vector depends on the whole picture."""
    if parameter.ndim > 1 and "token" not in name and "pos_embed" not in name:
        parameter.normal_(std=1.5 * parameter[0].numel() ** -0.5)
    elif parameter.ndim > 1:
        parameter.normal_(std=0.2)
    else:
        parameter.normal_(std=0.1).add_(0 if name.endswith("bias") else 1)


def write_timm(folder, preset, network, file="model.safetensors", **changes):
    """As timm writes it to the hub."""
    folder.mkdir(parents=True)
    state = {k: v.contiguous() for k, v in network.state_dict().items()}
    if file.endswith(".safetensors"):
        save_file(state, folder / file)
    else:
        torch.save(state, folder / file)
    config = {
        "architecture": preset.architecture.partition(":")[2],
        "num_classes": 0,
        "num_features": network.num_features,
        "model_args": changes,
        "pretrained_cfg": {"tag": "", "first_conv": "patch_embed.proj"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def write_transformers(folder, network, prefix="", **config):
    """As transformers writes a ViT or DINOv2 to the hub."""
    folder.mkdir(parents=True)
    state = {prefix + k: v for k, v in transformers_state(network).items()}
    save_file(
        {k: v.contiguous() for k, v in state.items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def transformers_state(network):
    state, own = {}, network.state_dict()
    width = own["pos_embed"].shape[-1]
    scaled = "blocks.0.ls1.gamma" in own
    norms = ("norm1", "norm2") if scaled else ("layernorm_before", "layernorm_after")
    packed = (
        own["blocks.0.mlp.fc1.weight"].shape[0]
        != (own["blocks.0.mlp.fc2.weight"].shape[1])
    )
    first, second = ("weights_in", "weights_out") if packed else ("fc1", "fc2")
    for key, value in own.items():
        parts = key.split(".")
        if parts[0] != "blocks":
            state |= _outside(key, value, network)
            continue
        block, inner = f"encoder.layer.{parts[1]}.", ".".join(parts[2:])
        kind = parts[-1]
        if inner.startswith("attn.qkv"):
            for name, part in zip(
                ("query", "key", "value"), value.split(width), strict=True
            ):
                state[f"{block}attention.attention.{name}.{kind}"] = part
        elif inner.startswith("attn.proj"):
            state[f"{block}attention.output.dense.{kind}"] = value
        elif inner.startswith("norm"):
            state[f"{block}{norms[int(inner[4]) - 1]}.{kind}"] = value
        elif inner.startswith("ls"):
            state[f"{block}layer_scale{inner[2]}.lambda1"] = value
        elif scaled:
            name = first if inner.startswith("mlp.fc1") else second
            state[f"{block}mlp.{name}.{kind}"] = value
        else:
            name = "intermediate" if inner.startswith("mlp.fc1") else "output"
            state[f"{block}{name}.dense.{kind}"] = value
    return state


def _outside(key, value, network):
    if key == "cls_token" and network.no_embed_class:
        return {"embeddings.cls_token": value - 0.25}
    if key == "pos_embed" and network.no_embed_class:
        first = torch.full_like(value[:, :1], 0.25)
        return {"embeddings.position_embeddings": torch.cat([first, value], dim=1)}
    names = {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "reg_token": "embeddings.register_tokens",
        "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
        "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
        "norm.weight": "layernorm.weight",
        "norm.bias": "layernorm.bias",
    }
    return {names[key]: value}
