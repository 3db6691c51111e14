"""Weights of vision-language models, renamed to those of our and timm's networks.

Known are CLIP of the package transformers (PLIP), CoCa as CONCH has it, and the image
tower of CONCH 1.5.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLIP: Final = "vision_model.embeddings.class_embedding"
_QUERY: Final = "attn_pool_contrast.query"

_BLOCK: Final = (
    (r"layer_norm1", "norm1"),
    (r"layer_norm2", "norm2"),
    (r"self_attn\.out_proj", "attn.proj"),
)
_TEXT_BLOCK: Final = (
    (r"layer_norm", "ln_"),
    (r"self_attn\.out_proj", "attn.out_proj"),
    (r"mlp\.fc1", "mlp.c_fc"),
    (r"mlp\.fc2", "mlp.c_proj"),
)
_TEXT: Final = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
_IMAGE: Final = {
    "embeddings.patch_embedding.weight": "patch_embed.proj.weight",
    "pre_layrnorm.weight": "norm_pre.weight",
    "pre_layrnorm.bias": "norm_pre.bias",
    "post_layernorm.weight": "norm.weight",
    "post_layernorm.bias": "norm.bias",
}
_UNUSED: Final = re.compile(r"(attn_pool_caption|ln_caption|proj_contrast)")


def image_tower(content: Any, network: nn.Module) -> Any:
    """Return the image tower of a vision-language model; other content unchanged."""
    if not isinstance(content, dict):
        return content
    if _CLIP in content:
        return _clip_image(content)
    prefix = next((p for p in ("visual.", "") if p + _QUERY in content), None)
    if prefix is None:
        return content
    own = _without_prefix(content, prefix)
    state = {key: value for key, value in own.items() if not _UNUSED.match(key)}
    return _with_grid(_separate_pooler(state), network)


def text_tower(content: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the text tower under the names of `TextTower`, with "logit_scale" and,
    where there is one, the projection of image vectors as "image_projection".

    Raises
    ------
    KeyError
        If there is none.
    """
    scale = {"logit_scale": content["logit_scale"]}
    if "text_model.embeddings.token_embedding.weight" in content:
        return {**_clip_text(content), **scale}
    state = _without_prefix(content, "text.")
    if (projection := content.get("visual.proj_contrast")) is not None:
        state["image_projection"] = projection
    return {**state, **scale}


def _without_prefix(content: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): value
        for key, value in content.items()
        if key.startswith(prefix) and isinstance(value, Tensor)
    }


def _separate_pooler(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the pooler's `nn.MultiheadAttention` to its three projections."""
    at = "attn_pool_contrast."
    if f"{at}attn.q_proj_weight" not in state:
        return state
    query, key, value, bias, out, out_bias = (
        state.pop(f"{at}attn.{name}")
        for name in (
            *("q_proj_weight", "k_proj_weight", "v_proj_weight"),
            *("in_proj_bias", "out_proj.weight", "out_proj.bias"),
        )
    )
    width = len(query)
    return {
        **state,
        f"{at}to_q.weight": query,
        f"{at}to_q.bias": bias[:width],
        f"{at}to_kv.weight": torch.cat([key, value]),
        f"{at}to_kv.bias": bias[width:],
        f"{at}to_out.weight": out,
        f"{at}to_out.bias": out_bias,
    }


def _with_grid(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Resample the positions to the network's grid, bilinearly as CONCH 1.5 does."""
    wanted = getattr(getattr(network, "trunk", None), "pos_embed", None)
    found = state.get("trunk.pos_embed")
    if wanted is None or found is None or wanted.shape[1] == found.shape[1]:
        return state
    first, rest = found[:, :1], found[:, 1:]
    before, after = (round((n.shape[1] - 1) ** 0.5) for n in (found, wanted))
    grid = rest.reshape(1, before, before, -1).permute(0, 3, 1, 2)
    grid = nn.functional.interpolate(
        grid, (after, after), mode="bilinear", align_corners=False
    )
    rest = grid.permute(0, 2, 3, 1).flatten(1, 2)
    return {**state, "trunk.pos_embed": torch.cat([first, rest], dim=1)}


def _clip_image(content: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own = _without_prefix(content, "vision_model.")
    own.pop("embeddings.position_ids", None)
    projection = content["visual_projection.weight"]
    state = {
        "cls_token": own.pop("embeddings.class_embedding").reshape(1, 1, -1),
        "pos_embed": own.pop("embeddings.position_embedding.weight")[None],
        "head.weight": projection,
        "head.bias": torch.zeros(len(projection)),
    }
    joined = _joined(own, "qkv.{}")
    for key, value in joined.items():
        name = _IMAGE.get(key) or _inside(key, "blocks", _BLOCK)
        state[name] = value
    return state


def _clip_text(content: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own = _without_prefix(content, "text_model.")
    own.pop("embeddings.position_ids", None)
    joined = _joined(own, "in_proj_{}")
    state = {
        _TEXT.get(key) or _inside(key, "transformer.resblocks", _TEXT_BLOCK): value
        for key, value in joined.items()
    }
    return {**state, "text_projection": content["text_projection.weight"].T}


def _inside(key: str, blocks: str, names: tuple[tuple[str, str], ...]) -> str:
    number, _, inner = key.removeprefix("encoder.layers.").partition(".")
    for pattern, name in names:
        inner = re.sub(rf"^{pattern}", name, inner)
    return f"{blocks}.{number}.{inner}"


def _joined(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Join query, key and value of each block."""
    joined = {}
    for key, value in state.items():
        at = re.fullmatch(r"(.+)\.self_attn\.([qkv])_proj\.(weight|bias)", key)
        if at is None:
            joined[key] = value
        elif at[2] == "q":
            parts = [state[f"{at[1]}.self_attn.{p}_proj.{at[3]}"] for p in "qkv"]
            joined[f"{at[1]}.attn.{name.format(at[3])}"] = torch.cat(parts)
    return joined
