"""Local copies of hub repositories: which file holds the weights, which network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import InvalidCardError, ModelError
from workbench.system.paths import exists, is_file

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.models.encoders.preset import EncoderPreset

_NAMES: Final = (
    "model.safetensors",
    "pytorch_model.bin",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model_vision.bin",
)
"""Names of weights in repositories, best first."""

TOKENIZERS: Final = ("tokenizer.json", "conch_byte_level_bpe_uncased.json")
"""Names of tokenizers in repositories of vision-language models."""

_SUFFIXES: Final = (".safetensors", ".bin", ".pth", ".pt", ".ckpt")
_LARGEST_CONFIG: Final = 1 << 20
_SCALARS: Final = (bool, int, float, str)


def weights_in(path: Path) -> Path:
    """Return the file of weights that a path names or a folder holds.

    Raises
    ------
    ModelError
        If there is no such path, or not exactly one file of weights in the folder.
    """
    if is_file(path):
        return path
    if not exists(path):
        message = f"There are no weights at '{path}'."
        remedy = "Give the file of weights, or a copy of the encoder's hub repository."
        raise ModelError(message, remedy)
    named = [path / name for name in _NAMES if is_file(path / name)]
    others = [p for p in sorted(path.iterdir()) if p.suffix in _SUFFIXES]
    if named or len(others) == 1:
        return (named or others)[0]
    found = ", ".join(f"'{p.name}'" for p in others[:10]) or "none"
    message = f"'{path}' must hold one file of weights, but it holds {found}."
    remedy = f"Name the file itself. Looked for: {', '.join(_NAMES)}."
    raise ModelError(message, remedy)


def network_of(preset: EncoderPreset, weights: Path) -> dict[str, Any]:
    """Return fields of the card that the `config.json` beside the weights changes.

    Known are the configurations of timm ("architecture", "model_args") and, for ViT and
    DINOv2, of transformers ("hidden_size" ...).

    Raises
    ------
    InvalidCardError
        If the configuration cannot be read.
    """
    path = weights.parent / "config.json"
    if not is_file(path) or path.stat().st_size > _LARGEST_CONFIG:
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidCardError(path, f"it cannot be read ({error})") from error
    if not isinstance(config, dict) or not preset.architecture.startswith("timm:"):
        return {}
    if "hidden_size" in config:
        return {"options": {**preset.options, **_from_transformers(config)}}
    return _from_timm(preset, config)


def _from_timm(preset: EncoderPreset, config: dict[str, Any]) -> dict[str, Any]:
    given = config.get("model_args")
    arguments = given if isinstance(given, dict) else {}
    options = {k: v for k, v in arguments.items() if isinstance(v, _SCALARS)}
    fields: dict[str, Any] = {"options": {**preset.options, **options}}
    if isinstance(name := config.get("architecture"), str):
        fields["architecture"] = f"timm:{name.partition('.')[0]}"
    return fields


def _from_transformers(config: dict[str, Any]) -> dict[str, Any]:
    """Return the options of timm for a ViT or DINOv2 of transformers."""
    width, ratio = config["hidden_size"], float(config.get("mlp_ratio", 4))
    if "intermediate_size" in config and "mlp_ratio" not in config:
        ratio = config["intermediate_size"] / width
    options: dict[str, Any] = {
        "embed_dim": width,
        "depth": config["num_hidden_layers"],
        "num_heads": config["num_attention_heads"],
        "patch_size": config["patch_size"],
        "mlp_ratio": ratio,
    }
    if config.get("use_swiglu_ffn"):
        hidden = (int(width * ratio * 2 / 3) + 7) // 8 * 8
        options["mlp_ratio"] = (2 * hidden + 0.5) / width  # timm rounds down
        options["mlp_layer"], options["act_layer"] = "SwiGLUPacked", "silu"
    if "layerscale_value" in config:
        options["init_values"] = float(config["layerscale_value"])
    return options
