"""`EncoderPreset`: what is published of an encoder, without its weights.

Nothing here needs torch.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from workbench.errors import ModelNotFoundError
from workbench.models.card import ModelCard

_FOLDER: Final = Path(__file__).parent / "presets"

_VECTOR: Final = "length of the vector"
"""Name of the one class of an embedding."""


class EncoderPreset(BaseModel):
    """Identity and input of a published encoder; a JSON file in `presets`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    """Name by which it is added and run."""

    title: str
    """Name as its authors write it."""

    architecture: str
    """Network, as in a card."""

    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Arguments for building the network."""

    dimensions: Annotated[int, Field(gt=0)]
    """Dimensions of the vectors."""

    mpp: Annotated[float, Field(gt=0)]
    """Micrometres per pixel of the tiles that it is usually given."""

    tile_px: Annotated[int, Field(gt=0)]
    """Side of these tiles, in pixels."""

    input_px: int = 0
    """Side to which they are resized; 0: not resized."""

    crop_px: int = 0
    """Side of the middle of them that the network gets; 0: all."""

    interpolation: Literal["", "bicubic"] = ""
    """As in a card."""

    mean: tuple[float, float, float]
    """Mean that is subtracted from sRGB of 0 to 1."""

    std: tuple[float, float, float]
    """Standard deviation by which the result is divided."""

    pooling: Literal["", "cls", "mean", "cls+mean"] = ""
    """Vector from the tokens, as in a card."""

    precision: Literal["float32", "float16", "bfloat16"]
    """Arithmetic in which the authors or TRIDENT run it."""

    text: bool = False
    """Whether it has a text tower."""

    hub: str
    """Repository at the Hugging Face hub; empty: none."""

    gated: bool
    """Whether the hub asks for consent and a token."""

    licence: str
    """Licence of the weights: an SPDX identifier where there is one."""

    paper: str
    """Address of the paper."""

    source: tuple[str, ...]
    """Where these values were read."""

    def card(self, **changes: Any) -> ModelCard:
        """Return the card of a model with this encoder, with some fields changed."""
        fields: dict[str, Any] = {
            "name": self.name,
            "task": "embedding",
            "classes": (_VECTOR,),
            "dimensions": self.dimensions,
            "value_range": (0.0, 100.0),
            "mpp": self.mpp,
            "tile_px": self.tile_px,
            "input_px": self.input_px,
            "crop_px": self.crop_px,
            "interpolation": self.interpolation,
            "border": "mirror",
            "mean": self.mean,
            "std": self.std,
            "architecture": self.architecture,
            "options": self.options,
            "pooling": self.pooling,
            "licence": self.licence,
            "intended_use": (
                f"{self.title}: tiles to vectors. For research, within its licence"
                f" ({self.licence}). Not for diagnosis."
            ),
            "source": self.paper,
        }
        return ModelCard.model_validate({**fields, **changes})


@cache
def encoder_presets() -> tuple[EncoderPreset, ...]:
    """Return all presets, in alphabetical order.

    Examples
    --------
    >>> from workbench.models.encoders.preset import encoder_presets
    >>> encoder_presets()[0].name
    'ctranspath'
    """
    paths = sorted(_FOLDER.glob("*.json"))
    found = (EncoderPreset.model_validate_json(path.read_bytes()) for path in paths)
    return tuple(sorted(found, key=lambda preset: preset.name))


def find_preset(name: str) -> EncoderPreset:
    """Return the preset of a name.

    Raises
    ------
    ModelNotFoundError
        If there is none of that name.
    """
    for preset in encoder_presets():
        if preset.name == name:
            return preset
    raise ModelNotFoundError(name, [preset.name for preset in encoder_presets()])
