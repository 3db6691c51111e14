"""Models of the WSInfer zoo: their `config.json` as a card.

Kaczmarzyk et al., "Open and reusable deep learning for pathology with WSInfer and
QuPath", npj Precision Oncology 8 (2024), and the zoo's published schema, version
1.0. Tiles are read at `patch_size_pixels` and `spacing_um_px`, go through Resize,
ToTensor and Normalize, and the network's output through softmax (sigmoid where
there is one class).
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads annotations when run
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, Field, model_validator

_Numbers = tuple[float, float, float]
_Side = Annotated[int, Field(ge=1)]
_ORDER: Final = ("Resize", "ToTensor", "Normalize")
_RESNETS: Final = tuple(f"resnet{depth}" for depth in (18, 34, 50, 101, 152))
"""Architectures whose weights in the zoo have torchvision's names."""


class Resize(BaseModel):
    """Resizing to a square."""

    class Arguments(BaseModel):
        """Arguments of `torchvision.transforms.Resize`."""

        size: _Side | Annotated[tuple[_Side, ...], Field(min_length=1, max_length=2)]

    name: Literal["Resize"]
    arguments: Arguments

    def fields(self) -> dict[str, Any]:
        """Return what it says of a card."""
        size = self.arguments.size
        sides = {size} if isinstance(size, int) else set(size)
        if len(sides) > 1:
            message = f"Resize must be to a square, not to {size}"
            raise ValueError(message)
        return {"input_px": sides.pop()}


class ToTensor(BaseModel):
    """Conversion of 0 to 255 into 0 to 1."""

    name: Literal["ToTensor"]

    def fields(self) -> dict[str, Any]:
        """Return what it says of a card."""
        return {}


class Normalize(BaseModel):
    """Normalization to zero mean and unit standard deviation."""

    class Arguments(BaseModel):
        """Arguments of `torchvision.transforms.Normalize`."""

        mean: _Numbers
        std: _Numbers

    name: Literal["Normalize"]
    arguments: Arguments

    def fields(self) -> dict[str, Any]:
        """Return what it says of a card."""
        return {"mean": self.arguments.mean, "std": self.arguments.std}


Step = Annotated[Resize | ToTensor | Normalize, Field(discriminator="name")]


class Config(BaseModel):
    """A `config.json` of the zoo's schema; other keys are ignored."""

    spec_version: str
    architecture: str
    num_classes: Annotated[int, Field(ge=1)]
    patch_size_pixels: Annotated[int, Field(ge=1)]
    spacing_um_px: Annotated[float, Field(gt=0)]
    class_names: tuple[str, ...]
    transform: tuple[Step, ...]
    workbench: dict[str, Any] = {}
    """Fields of a card, such as colours, which override these; not in the schema."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.class_names) != self.num_classes:
            message = f"class_names must be num_classes = {self.num_classes} names"
            raise ValueError(message)
        names = tuple(step.name for step in self.transform)
        if "ToTensor" not in names or names != tuple(n for n in _ORDER if n in names):
            message = f"transform must be [Resize], ToTensor, [Normalize], not {names}"
            raise ValueError(message)
        return self


def is_config(fields: dict[str, Any]) -> bool:
    """Return whether a JSON object is a WSInfer-zoo configuration, not a card."""
    return "patch_size_pixels" in fields or "spec_version" in fields


def card_fields(fields: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the fields of the card of a WSInfer-zoo model.

    Parameters
    ----------
    fields : dict
        The content of `config.json`.
    folder : Path
        Folder with the weights: `torchscript_model.pt`, or `model.safetensors` for
        the ResNets of torchvision, which needs no trust and is preferred.

    Raises
    ------
    ValueError
        If a key is missing, or the schema does not allow a value.
    """
    config = Config.model_validate(fields)
    card: dict[str, Any] = {
        "name": folder.name,
        "task": "classification",
        "classes": config.class_names,
        "mpp": config.spacing_um_px,
        "tile_px": config.patch_size_pixels,
        "activation": "softmax" if config.num_classes > 1 else "sigmoid",
        "source": "WSInfer zoo",
        **_weights(config.architecture, folder),
    }
    for step in config.transform:
        card |= step.fields()
    return card | config.workbench


def _weights(architecture: str, folder: Path) -> dict[str, str]:
    bare = "model.safetensors"
    if architecture in _RESNETS and (folder / bare).is_file():
        return {"weights": bare, "architecture": f"torchvision:{architecture}"}
    return {"weights": "torchscript_model.pt"}
