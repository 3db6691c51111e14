"""`ModelCard`: input, output and use of a model; a JSON file beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from workbench.errors import InvalidCardError
from workbench.system.invalid_fields import describe_invalid
from workbench.tiling.border import Border  # noqa: TC001 - pydantic reads it

Task = Literal[
    "classification", "segmentation", "measurement", "instances", "embedding"
]
"""What a model predicts for a tile.

classification : a probability for each class
segmentation   : a probability for each class and pixel
measurement    : a number with a unit for each channel, such as mg or 1/mm2
instances      : instances with outlines, each of one class
embedding      : a vector that represents the tile
"""


_Byte = Annotated[int, Field(ge=0, le=255)]
Colour = tuple[_Byte, _Byte, _Byte]
"""sRGB values, each 0 to 255."""

PALETTE: Final[tuple[Colour, ...]] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (240, 228, 66),
    (60, 60, 60),
)
"""Colours of classes if a card has none; most colour-blind people can distinguish them
(Okabe and Ito, "Color universal design", 2008)."""

ClassName = Annotated[str, Field(min_length=1, max_length=200)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


_DENSITY: Final = {"unit": "1/mm²", "value_range": (0.0, 8000.0)}
"""Unit and range of the density map of instances; covers nuclei of most tissues."""

_PRESETS: Final[dict[Any, dict[str, Any]]] = {
    "maskrcnn": {"min_score": 0.7, "overlaps": "merge"},
    "prompted": {"classes": ("object",), "mpp": 0.0},
}
"""Default fields of each decoder. Those of Mask R-CNN are common in articles on whole
slides: scores from 0.7, and masks that overlap are merged."""


_LATER: Final = (
    *("options", "checkpoint", "output", "stains"),
    *("interpolation", "crop_px", "pooling"),
)
"""Fields that are written only if they are set, so that records of earlier runs stay
equal to those of the same model now."""


_UNPROMPTED: Final = {
    "margin_px": 0,
    "crop_px": 0,
    "cells": 1,
    "activation": "none",
    "border": "background",
}
"""Fields that a model for clicks does not use, with their only value."""


def _name_of_output(value: Any) -> Any:
    return str(value) if type(value) is int and value >= 0 else value


class ModelCard(BaseModel):
    """Input, output and intended use of a model.

    Raises
    ------
    InvalidCardError
        If a value is missing or out of bounds, or there is no such field; it names the
        field and its value.

    Examples
    --------
    >>> card = wb.ModelCard(
    ...     name="mine", task="classification", classes=("a", "b"), mpp=0.5, tile_px=256
    ... )
    >>> card.core_px
    256
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    """Name of the model, shown to users and used in recipes."""

    task: Task
    """What the model predicts for a tile; see `Task`."""

    classes: Annotated[tuple[ClassName, ...], Field(min_length=1, max_length=10_000)]
    """Unique names of the output channels, in order. An embedding has one name, for
    the length of its vectors."""

    dimensions: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Dimensions of the vectors; for an embedding only."""

    colours: tuple[Colour, ...] = ()
    """Colour of each class, or none (then a palette is used)."""

    unit: str = ""
    """Unit of a measurement, such as "1/mm²"; empty for probabilities. For instances
    the unit of their density."""

    value_range: tuple[_Finite, _Finite] = (0.0, 1.0)
    """Initial range of the colour scale."""

    mpp: Annotated[float, Field(ge=0, le=100)]
    """Micrometres per pixel of the input tiles. With decoder "prompted" 0, which is
    the default: the zoom of the view."""

    tile_px: Annotated[int, Field(ge=16, le=8192)]
    """Side of the input tiles, in pixels at `mpp`."""

    input_px: Annotated[int, Field(ge=0, le=8192)] = 0
    """Side to which tiles are resized for the network, as in the transform of a
    WSInfer-zoo model; 0: not resized."""

    interpolation: Literal["", "bicubic"] = ""
    """How tiles are resized to `input_px`: "bicubic", or empty: bilinear. Both are
    bit-equal to Pillow."""

    crop_px: Annotated[int, Field(ge=0, le=8192)] = 0
    """Side of the square in the middle of a resized tile that the network gets; 0: all
    of it."""

    margin_px: Annotated[int, Field(ge=0)] = 0
    """Border of a tile that is context without predictions, in pixels at `mpp`."""

    border: Border = "background"
    """How the part of a tile beyond the edge of the slide is filled: see `Border`."""

    cells: Annotated[int, Field(ge=1, le=1024)] = 1
    """Number of values along each side of a tile's core: 1 for a classifier; for a
    segmentation the side of the raster to which its pixels are averaged."""

    blend_cells: Annotated[int, Field(ge=0)] = 0
    """For a segmentation: width in cells of the overlap beyond the core, in which
    predictions are blended with those of the neighbouring tiles."""

    input: Literal["rgb", "eosin-hematoxylin-density"] = "rgb"
    """Input channels of the network, each 0 to 1 before `mean` and `std`."""

    mean: tuple[_Finite, _Finite, _Finite] = (0.0, 0.0, 0.0)
    """Mean that is subtracted from the input channels (0 to 1)."""

    std: tuple[_Positive, _Positive, _Positive] = (1.0, 1.0, 1.0)
    """Standard deviation by which the input channels are divided after that."""

    activation: Literal["none", "softmax", "sigmoid"] = "none"
    """Activation that is applied to the network's output."""

    decoder: Annotated[str, Field(max_length=100)] = ""
    """Decoder of the network's output. For instances: "labels", "maskrcnn" or
    "nucleus-maps" (`workbench.models.instance_decoders`). For a segmentation by clicks:
    "prompted" (`workbench.models.prompted`)."""

    min_score: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Instances with a score below this are dropped."""

    overlaps: Literal["best", "merge"] = "best"
    """How overlaps within a tile are resolved: "best" gives the pixels to the instance
    of the higher score, "merge" joins the instances."""

    architecture: str = ""
    """Network for bare weights: "torchvision:resnet18", "workbench:small-cnn" or, with
    trust, "package.module:factory", a function that takes this card and returns the
    network."""

    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Arguments for building `architecture`, such as {"transform_input": true} for
    torchvision's inception_v3."""

    pooling: Literal["", "cls", "mean", "cls+mean"] = ""
    """Vector of an embedding from a transformer's tokens: the class token, the mean of
    the patch tokens, or both joined; empty: as the network pools by itself."""

    checkpoint: Annotated[str, Field(max_length=200)] = ""
    """Name of the set of weights in a checkpoint that holds several, such as "ema"."""

    output: Annotated[str, BeforeValidator(_name_of_output), Field(max_length=200)] = ""
    """Output to use of a network that returns several tensors: its key or index, such
    as "logits" or 0; parts of a path are joined by dots. Empty: the only one of the
    right shape."""

    weights: str = ""
    """Path of the weights, relative to the card; empty for a model without weights."""

    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """SHA-256 of the file of weights; for an ONNX file with external data, of both
    files, as `cat model.onnx model.onnx.data | sha256sum` prints it."""

    licence: str = ""
    """Licence of the weights, as an SPDX identifier where there is one."""

    stains: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()
    """Stains of the slides that the model is for, such as "H&E" or "H-DAB"; empty: any.
    The app greys a model on slides of another stain."""

    intended_use: str = ""
    """What the model is for and what it must not be used for; shown in the app."""

    source: str = ""
    """Origin of the model: paper, training script, data."""

    @model_serializer(mode="wrap")
    def _without_empty(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = write(self)
        return {k: v for k, v in fields.items() if v or k not in _LATER}

    @model_validator(mode="before")
    @classmethod
    def _presets(cls, fields: Any) -> Any:
        """Fill in the defaults of the task and the decoder."""
        if not isinstance(fields, dict):
            return fields
        common = _DENSITY if fields.get("task") == "instances" else {}
        return {**common, **_PRESETS.get(fields.get("decoder"), {}), **fields}

    @model_validator(mode="after")
    def _consistent(self) -> ModelCard:
        if self.colours and len(self.colours) != len(self.classes):
            message = (
                f"colours must be one for each of {len(self.classes)} classes, or none,"
                f" not {len(self.colours)}"
            )
            raise ValueError(message)
        if len(set(self.classes)) != len(self.classes):
            twice = next(c for c in self.classes if self.classes.count(c) > 1)
            message = f"two classes have the same name, '{twice}'"
            raise ValueError(message)
        if self.value_range[0] >= self.value_range[1]:
            low, high = self.value_range
            message = f"value_range must go from low to high, not {low:g} to {high:g}"
            raise ValueError(message)
        if self.crop_px > (self.input_px or self.tile_px):
            message = (
                f"crop_px = {self.crop_px} is larger than the"
                f" {self.input_px or self.tile_px} pixels of its tiles"
            )
            raise ValueError(message)
        if 2 * self.margin_px >= self.tile_px:
            message = (
                f"margin_px = {self.margin_px} leaves nothing of a tile with"
                f" tile_px = {self.tile_px}"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _finds_objects(self) -> ModelCard:
        if self.prompted:
            return self
        if (self.task == "instances") != bool(self.decoder):
            message = f"decoder = '{self.decoder}': task = '{self.task}' " + (
                "needs none" if self.decoder else "needs one"
            )
            raise ValueError(message)
        if self.task == "instances" and not self.margin_px:
            message = "margin_px = 0: it must hold the largest instance whole"
            raise ValueError(message)
        if self.task != "instances" and self.border == "cut":
            message = "border = 'cut' is for a model that predicts instances"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _takes_clicks(self) -> ModelCard:
        if not self.prompted:
            if not self.mpp:
                message = "mpp = 0 (input should be greater than 0)"
                raise ValueError(message)
            return self
        if self.task != "segmentation" or len(self.classes) != 1:
            message = (
                "decoder = 'prompted' needs task = 'segmentation' with one class, not"
                f" '{self.task}' with {len(self.classes)}"
            )
            raise ValueError(message)
        for name, usual in _UNPROMPTED.items():
            if (value := getattr(self, name)) != usual:
                message = f"{name} = {value!r} has no meaning with decoder = 'prompted'"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _fits_its_task(self) -> ModelCard:
        reach = self.blend_cells
        if reach and self.task != "segmentation":
            message = f"blend_cells = {reach} is for a segmentation, not {self.task}"
            raise ValueError(message)
        if 2 * reach > self.cells or reach * self.core_px > self.margin_px * self.cells:
            message = (
                f"blend_cells = {reach} reach over half the core, or beyond the margin"
            )
            raise ValueError(message)
        if (self.task == "embedding") != bool(self.dimensions):
            message = f"dimensions = {self.dimensions}: task = '{self.task}' needs " + (
                "none" if self.dimensions else "them"
            )
            raise ValueError(message)
        if self.task == "embedding" and (len(self.classes), self.cells) != (1, 1):
            message = (
                "an embedding has one class, the length of vectors, and one cell, not"
                f" {len(self.classes)} and {self.cells}"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="wrap")  # the last one: it sees the errors of those above
    @classmethod
    def _check(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Raise the error of the package in place of that of pydantic."""
        try:
            return handler(values)
        except ValidationError as error:
            given = values if isinstance(values, Mapping) else {}
            reason = describe_invalid(error, cls.model_fields)
            raise InvalidCardError(given.get("name", "no name"), reason) from error

    @property
    def prompted(self) -> bool:
        """Whether the model segments an object by clicks: it makes no runs."""
        return self.decoder == "prompted"

    @property
    def exclusive(self) -> bool:
        """Whether the classes exclude each other, as after a softmax."""
        labels = self.task in ("classification", "segmentation")
        return labels and len(self.classes) > 1 and self.activation != "sigmoid"

    def with_min_score(self, min_score: float | None) -> ModelCard:
        """Return the card by which a run acts that has a `min_score` of its own."""
        if min_score is None:
            return self
        return self.model_copy(update={"min_score": min_score})

    @property
    def core_px(self) -> int:
        """Side of the part of a tile that gets predictions, in pixels at `mpp`."""
        return self.tile_px - 2 * self.margin_px

    @property
    def palette(self) -> tuple[Colour, ...]:
        """Colour of each class: of the card, or from `PALETTE` in turn."""
        if self.colours:
            return self.colours
        return tuple(PALETTE[i % len(PALETTE)] for i in range(len(self.classes)))
