"""Weights of transformers under other names, renamed to those of timm.

Known are ViT and DINOv2 of the package transformers, with or without registers, and the
Swin of timm before 0.9, in which CTransPath was published.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROJECTION: Final = "embeddings.patch_embeddings.projection.weight"
_OLD_SWIN: Final = "layers.0.downsample.reduction.weight"

_OUTSIDE: Final = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.register_tokens": "reg_token",
    "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
}
_INSIDE: Final = (
    (r"attention\.output\.dense", "attn.proj"),
    (r"intermediate\.dense", "mlp.fc1"),
    (r"output\.dense", "mlp.fc2"),
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"mlp\.weights_in", "mlp.fc1"),
    (r"mlp\.weights_out", "mlp.fc2"),
    (r"layer_scale([12])\.lambda1", r"ls\1.gamma"),
)
"""Pattern and name of what lies in a block, except query, key and value."""

_BLOCK: Final = re.compile(r"encoder\.layer\.(\d+)\.(.+)")
_ATTENTION: Final = re.compile(r"attention\.attention\.(query|key|value)\.(.+)")
_UNUSED: Final = re.compile(r"^(pooler\.|embeddings\.mask_token$)")


def to_timm(content: Any, network: nn.Module) -> Any:
    """Return weights under the names of timm; content of other kinds unchanged.

    Parameters
    ----------
    content : Any
        What a file of weights holds.
    network : nn.Module
        The network that shall take them.
    """
    if not isinstance(content, dict):
        return content
    for state in (content, *(v for v in content.values() if isinstance(v, dict))):
        names = [key for key in state if isinstance(key, str)]
        if found := next((n for n in names if n.endswith(_PROJECTION)), None):
            return _from_transformers(state, found.removesuffix(_PROJECTION), network)
        if _OLD_SWIN in names:
            return _from_old_swin(state)
    return content


def _from_transformers(
    state: Mapping[str, Tensor], prefix: str, network: nn.Module
) -> dict[str, Tensor]:
    own = {
        key.removeprefix(prefix): value
        for key, value in state.items()
        if key.startswith(prefix) and not _UNUSED.match(key.removeprefix(prefix))
    }
    renamed: dict[str, Tensor] = {}
    for key, value in own.items():
        block = _BLOCK.fullmatch(key)
        if block is None:
            renamed[_OUTSIDE.get(key, key)] = value
            continue
        number, inner = block.groups()
        attention = _ATTENTION.fullmatch(inner)
        if attention is None:
            renamed[f"blocks.{number}.{_renamed(inner)}"] = value
        elif attention[1] == "query":
            parts = [own[key.replace(".query.", f".{p}.")] for p in ("key", "value")]
            renamed[f"blocks.{number}.attn.qkv.{attention[2]}"] = torch.cat(
                [value, *parts]
            )
    return _with_positions(renamed, network)


def _renamed(inner: str) -> str:
    for pattern, name in _INSIDE:
        changed, times = re.subn(rf"^{pattern}", name, inner)
        if times:
            return changed
    return inner


def _with_positions(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Resample the positions to the network's grid, as transformers does, and add that
    of the class token to the token where the network has none for it.
    """
    wanted = getattr(network, "pos_embed", None)
    found = state.get("pos_embed")
    if wanted is None or found is None or found.shape[-1] != wanted.shape[-1]:
        return state
    first, rest = found[:, :1], found[:, 1:]
    alone = bool(getattr(network, "no_embed_class", False))
    tokens = wanted.shape[1] - (0 if alone else 1)
    if rest.shape[1] != tokens:
        before, after = (round(n**0.5) for n in (rest.shape[1], tokens))
        grid = rest.reshape(1, before, before, -1).permute(0, 3, 1, 2).float()
        grid = interpolate(grid, (after, after), mode="bicubic", align_corners=False)
        rest = grid.permute(0, 2, 3, 1).flatten(1, 2).to(found.dtype)
    if alone:
        state["cls_token"] = state["cls_token"] + first
        state["pos_embed"] = rest
    else:
        state["pos_embed"] = torch.cat([first, rest], dim=1)
    return state


def _from_old_swin(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Move each downsampling to the stage after it; leave out what timm computes."""
    renamed = {}
    for key, value in state.items():
        if key.endswith(("attn_mask", "relative_position_index")):
            continue
        if key.startswith("head."):
            continue
        at = re.fullmatch(r"layers\.(\d+)\.downsample\.(.+)", key)
        name = f"layers.{int(at[1]) + 1}.downsample.{at[2]}" if at else key
        renamed[name] = value
    return renamed
