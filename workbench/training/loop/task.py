"""What every task gives to the loop: targets, losses, figures and a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from workbench.models.card import ModelCard

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.training.loop.examples import Examples
    from workbench.training.loop.recipe import TrainingRecipe

_MEAN: Final = (0.485, 0.456, 0.406)
_STD: Final = (0.229, 0.224, 0.225)
_COUNTED: Final = 500
"""Most tiles whose pixels are counted before a training."""


class Task(Protocol):
    """Loss and figures of a kind of model."""

    figure: str
    """Name of the figure by which the best epoch is chosen; higher is better."""

    sums_vary: bool
    """Whether gradients depend, in their last bits, on the threads of a CPU."""

    def card(self, name: str) -> ModelCard:
        """Return the card of the network."""

    def learner(self, network: nn.Module) -> nn.Module:
        """Return a module that gives the loss of each tile, (N,).

        It is called with the input of the network and the targets.
        """

    def targets(self, numbers: NDArray[np.int64]) -> Tensor:
        """Return what is to be learnt of some examples, with the tiles first."""

    def begin(self) -> Any:
        """Return sums of figures of no tile."""

    def add(self, sums: Any, logits: Tensor, targets: Tensor) -> Any:
        """Return the sums with those of more tiles."""

    def figures(self, sums: Any) -> dict[str, Any]:
        """Return the figures, ready for JSON; NaN is None."""


class TileLosses(nn.Module):
    """A network and the loss of its answer.

    Parameters
    ----------
    network : nn.Module
    loss : callable
        Takes logits in float32 and targets; returns the loss of each tile, (N,).
    """

    def __init__(
        self, network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.network = network
        self._loss = loss

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each tile, float32 (N,)."""
        logits = self.network(inputs)
        with torch.autocast(inputs.device.type, enabled=False):
            return self._loss(logits.float(), targets)


def drawn_of(examples: Examples, recipe: TrainingRecipe) -> NDArray[np.int64]:
    """Return up to 500 random tiles to learn from, whose pixels are counted."""
    learnt = np.flatnonzero(~examples.held)
    found: NDArray[np.int64] = np.random.default_rng(recipe.seed).permutation(learnt)
    return found[:_COUNTED]


def card_of(
    name: str, examples: Examples, recipe: TrainingRecipe, **fields: Any
) -> ModelCard:
    """Return the card of a network; fields that are None stay as usual."""
    usual = {
        "name": name,
        "task": recipe.task,
        "classes": examples.classes,
        "mpp": recipe.mpp,
        "tile_px": recipe.tile_px,
        "border": "mirror",
        "mean": _MEAN,
        "std": _STD,
        "activation": "softmax",
        "architecture": recipe.network,
    }
    given = {key: value for key, value in fields.items() if value is not None}
    return ModelCard.model_validate({**usual, **given})
