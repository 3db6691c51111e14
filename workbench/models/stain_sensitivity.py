"""Spread of a model's predictions for one tile normalized to several references."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from workbench.errors import RecipeError
from workbench.models.card import PALETTE, ModelCard

if TYPE_CHECKING:
    from workbench.models.tile_model import Compilation, TileModel
    from workbench.recipe import Precision

NAME: Final = "disagreement"
"""Name of the channel with the standard deviation of the predictions."""

_TASKS: Final = ("classification", "segmentation", "measurement")
_GREY: Final = (60, 60, 60)


class StainSensitivity(nn.Module):
    """A model that predicts every tile once per reference.

    Its output is the mean of the predictions and, as one more channel, the largest of
    the channels' standard deviations: 0 where no prediction depends on the stain.

    Parameters
    ----------
    model : TileModel
        Predicts tiles or pixels.
    references : int
        Number of references: all tiles in the colours of the first come first, then
        all in those of the second, as `MultiReferenceNormalizer` returns them.

    Raises
    ------
    RecipeError
        If the model predicts instances or vectors, which have no mean.
    """

    def __init__(self, model: TileModel, references: int) -> None:
        super().__init__()
        self.model = model
        self.references = references
        self.card = with_disagreement(model.card)

    @property
    def precision(self) -> Precision:
        """Arithmetic of the model."""
        return self.model.precision

    @precision.setter
    def precision(self, precision: Precision) -> None:
        self.model.precision = precision

    @property
    def divisible(self) -> bool:
        """See `TileModel.divisible`."""
        return self.model.divisible

    def compile_network(self) -> Compilation:
        """Compile the model's network; see `TileModel.compile_network`."""
        return self.model.compile_network()

    @torch.inference_mode()
    def forward(self, tiles: Tensor) -> Tensor:
        """Return mean and disagreement of the predictions.

        Parameters
        ----------
        tiles : Tensor
            uint8 (references * N, 3, H, W), or (N, 3, H, W) of tiles that were not
            normalized: then all references count as equal.

        Returns
        -------
        Tensor
            float32 (N, C + 1) or (N, C + 1, h, w).
        """
        answers = self.model(tiles)
        if len(tiles) % self.references:
            return torch.cat([answers, torch.zeros_like(answers[:, :1])], 1)
        views = answers.unflatten(0, (self.references, -1))
        spread = views.std(0, correction=0).amax(1, keepdim=True)
        return torch.cat([views.mean(0), spread], 1)


def with_disagreement(card: ModelCard) -> ModelCard:
    """Return the card of a model that runs with several references.

    Raises
    ------
    RecipeError
        If the model predicts instances or vectors, which have no mean.
    """
    if card.task not in _TASKS:
        message = (
            f"'{card.name}' answers {card.task}, of which several references have no"
            " mean."
        )
        raise RecipeError(message, "Leave `references` out.")
    colours = card.colours or tuple(
        PALETTE[i % len(PALETTE)] for i in range(len(card.classes))
    )
    changed = {"classes": (*card.classes, NAME), "colours": (*colours, _GREY)}
    return ModelCard.model_validate({**card.model_dump(), **changed})
