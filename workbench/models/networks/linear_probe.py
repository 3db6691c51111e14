"""An encoder and one linear layer on its vectors: a probe as a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from workbench.errors import InvalidCardError
from workbench.models.outputs import tensor_of

if TYPE_CHECKING:
    from workbench.models.card import ModelCard

_ENCODER: Final = "encoder"
_DIMENSIONS: Final = "dimensions"
_OUTPUT: Final = "encoder_output"


class LinearProbe(nn.Module):
    """A frozen encoder of tiles, followed by a linear classifier in float32.

    The weights are those of the encoder under "encoder.", and "head.weight" and
    "head.bias".

    Parameters
    ----------
    encoder : nn.Module
        Returns vectors (N, D).
    card : ModelCard
        Card of the encoder.
    classes : int
        Number of classes.
    """

    ARCHITECTURE: Final = "workbench:linear-probe"

    def __init__(self, encoder: nn.Module, card: ModelCard, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.card = card
        self.head = nn.Linear(card.dimensions, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (N, classes) of preprocessed tiles (N, 3, h, w).

        Reduced precision is for the encoder: the few products of the head keep the
        digits with which it was fitted.
        """
        vectors = tensor_of(self.encoder(inputs), self.card, len(inputs)).float()
        with torch.autocast(inputs.device.type, enabled=False):
            logits: Tensor = self.head(vectors)
        return logits


def probe_options(encoder: ModelCard) -> dict[str, bool | int | float | str]:
    """Return the options of a probe's card that let its encoder be built again."""
    named = {_OUTPUT: encoder.output} if encoder.output else {}
    return {
        _ENCODER: encoder.architecture,
        _DIMENSIONS: encoder.dimensions,
        **named,
        **encoder.options,
    }


def encoder_card(card: ModelCard) -> ModelCard:
    """Return the card of the encoder inside a probe.

    Raises
    ------
    InvalidCardError
        If the options do not name the encoder and the length of its vectors.
    """
    options = dict(card.options)
    encoder, length = options.pop(_ENCODER, ""), options.pop(_DIMENSIONS, 0)
    output = options.pop(_OUTPUT, "")
    if not isinstance(encoder, str) or not encoder or encoder == card.architecture:
        reason = f"options.{_ENCODER} = {encoder!r} is no architecture of an encoder"
        raise InvalidCardError(card.name, reason)
    if type(length) is not int or length < 1:
        reason = f"options.{_DIMENSIONS} = {length!r} is no length of its vectors"
        raise InvalidCardError(card.name, reason)
    update = {
        "architecture": encoder,
        "task": "embedding",
        "classes": ("length of the vector",),
        "colours": (),
        "dimensions": length,
        "options": options,
        "output": str(output),
        "activation": "none",
    }
    return card.model_copy(update=update)
