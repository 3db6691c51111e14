"""Models of the WSInfer zoo: their `config.json` as a card.

Kaczmarzyk et al., "Open and reusable deep learning for pathology with WSInfer and
QuPath", npj Precision Oncology 8 (2024), and the zoo's published schema, version
1.0. Tiles are read at `patch_size_pixels` and `spacing_um_px`, go through Resize,
ToTensor and Normalize, and the network's output through softmax (sigmoid where
there is one class).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_REQUIRED: Final = (
    "spec_version",
    "architecture",
    "num_classes",
    "patch_size_pixels",
    "spacing_um_px",
    "class_names",
    "transform",
)
_TRANSFORMS: Final = ("Resize", "ToTensor", "Normalize")

_RESNETS: Final = tuple(f"resnet{depth}" for depth in (18, 34, 50, 101, 152))
"""Whose weights in the zoo have torchvision's names."""


def is_config(fields: Mapping[str, Any]) -> bool:
    """Tell whether a JSON object is a WSInfer-zoo configuration, not a card."""
    return "patch_size_pixels" in fields or "spec_version" in fields


def card_fields(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the fields of the card of a WSInfer-zoo model.

    Parameters
    ----------
    config : Mapping
        The content of `config.json`. Fields of a card under an additional key
        "workbench" (such as colours) come through as they are.
    folder : Path
        Where its weights lie: `torchscript_model.pt`, or `model.safetensors` for
        the ResNets that torchvision builds, which needs no trust and is preferred.

    Raises
    ------
    ValueError
        If a key is missing, or a value is none that the schema allows.
    """
    if missing := [key for key in _REQUIRED if key not in config]:
        message = f"missing {', '.join(missing)}"
        raise ValueError(message)
    names, count = config["class_names"], config["num_classes"]
    if not isinstance(names, list) or len(names) != count:
        message = f"class_names must be a list of num_classes = {count} names"
        raise ValueError(message)
    return {
        "name": folder.name,
        "task": "classification",
        "classes": names,
        "mpp": config["spacing_um_px"],
        "tile_px": config["patch_size_pixels"],
        "activation": "softmax" if count > 1 else "sigmoid",
        "source": "WSInfer zoo",
        **_weights(str(config["architecture"]), folder),
        **_transform(config["transform"]),
        **config.get("workbench", {}),
    }


def _weights(architecture: str, folder: Path) -> dict[str, str]:
    if architecture in _RESNETS and (folder / "model.safetensors").is_file():
        return {
            "weights": "model.safetensors",
            "architecture": f"torchvision:{architecture}",
        }
    return {"weights": "torchscript_model.pt"}


def _transform(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the card's fields for [Resize], ToTensor, [Normalize]."""
    names = [step.get("name") for step in steps]
    if "ToTensor" not in names or names != [n for n in _TRANSFORMS if n in names]:
        message = f"transform must be [Resize], ToTensor, [Normalize], not {names}"
        raise ValueError(message)
    fields: dict[str, Any] = {}
    for step in steps:
        arguments = step.get("arguments") or {}
        if step["name"] == "Resize":
            fields["input_px"] = _side(arguments.get("size"))
        elif step["name"] == "Normalize":
            fields |= {key: arguments.get(key) for key in ("mean", "std")}
    return fields


def _side(size: Any) -> Any:
    if isinstance(size, list) and len(set(size)) == 1:
        return size[0]
    if isinstance(size, int):
        return size
    message = f"transform's Resize must be to a square, not size = {size}"
    raise ValueError(message)
