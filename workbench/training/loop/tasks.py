"""What a network learns: the loss of a batch, and the figures of held-out tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn import functional

from workbench.errors import TrainingError
from workbench.training.loop.instance_tasks import instance_task
from workbench.training.loop.sources import UNLABELLED
from workbench.training.loop.task import Task, TileLosses, card_of, drawn_of
from workbench.training.loop.tuning import head_fields

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.models.card import ModelCard
    from workbench.training.loop.examples import Examples
    from workbench.training.loop.recipe import TrainingRecipe

_MARGIN: Final = 8
"""Share of a tile's side, as 1 over this, that is context of a segmentation."""

_CELL_PX: Final = 4


class Classification:
    """One class for each tile; classes weigh the same however many tiles they have."""

    figure = "balanced_accuracy"
    sums_vary = False

    def __init__(self, examples: Examples, recipe: TrainingRecipe) -> None:
        self.examples, self.recipe = examples, recipe
        learnt = examples.codes[~examples.held]
        counts = np.bincount(learnt, minlength=len(examples.classes))
        self.weights = torch.from_numpy(_weights(counts))

    def card(self, name: str) -> ModelCard:
        """Return the card of a classifier."""
        fields = head_fields(self.recipe) if self.recipe.encoder else {}
        return card_of(name, self.examples, self.recipe, **fields)

    def learner(self, network: nn.Module) -> nn.Module:
        """Return the network with its loss."""
        return TileLosses(network, self.loss)

    def targets(self, numbers: NDArray[np.int64]) -> Tensor:
        """Return the class of each tile, int64 (N,)."""
        return torch.from_numpy(self.examples.codes[numbers])

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the weighted cross-entropy of each tile, (N,)."""
        weights = self.weights.to(logits.device)[targets]
        losses: Tensor = functional.cross_entropy(logits, targets, reduction="none")
        return weights * losses

    def begin(self) -> list[Any]:
        """Return an empty list of probabilities with classes."""
        return []

    def add(self, sums: list[Any], logits: Tensor, targets: Tensor) -> list[Any]:
        """Return the list with more tiles."""
        shares = logits.float().softmax(dim=1).cpu().numpy()
        return [*sums, (shares, targets.cpu().numpy())]

    def figures(self, sums: list[Any]) -> dict[str, Any]:
        """Return accuracy, mean recall, recall of each class, and mean AUC."""
        shares = np.concatenate([part for part, _ in sums])
        truth = np.concatenate([part for _, part in sums])
        right = shares.argmax(axis=1) == truth
        names = self.examples.classes
        recall = {
            n: float(right[truth == k].mean()) if (truth == k).any() else None
            for k, n in enumerate(names)
        }
        known = [each for each in recall.values() if each is not None]
        areas = [_auc(shares[:, k], truth == k) for k in range(len(names))]
        found = [area for area in areas if area is not None]
        return {
            "tiles": len(truth),
            "accuracy": float(right.mean()),
            "balanced_accuracy": float(np.mean(known)),
            "auc": float(np.mean(found)) if found else None,
            "recall": recall,
        }


class Segmentation:
    """A class for each pixel; pixels without a label count for nothing."""

    figure = "dice"
    sums_vary = False

    def __init__(self, examples: Examples, recipe: TrainingRecipe) -> None:
        self.examples, self.recipe = examples, recipe
        counts = np.zeros(256, np.int64)
        for number in drawn_of(examples, recipe):
            mask = examples.masks(np.array([number]))
            counts += np.bincount(mask.ravel(), minlength=256)
        counts = counts[: len(examples.classes)]
        for name, count in zip(examples.classes, counts.tolist(), strict=True):
            if not count:
                message = f"The class '{name}' has no pixel to learn from."
                remedy = "Label some, lower min_coverage, or leave it out of `classes`."
                raise TrainingError(message, remedy)
        self.weights = torch.from_numpy(_weights(counts))

    def card(self, name: str) -> ModelCard:
        """Return the card of a segmentation; the border of a tile is context."""
        side = self.recipe.tile_px
        margin = side // _MARGIN
        core = side - 2 * margin
        return card_of(
            name, self.examples, self.recipe, margin_px=margin, cells=core // _CELL_PX
        )

    def learner(self, network: nn.Module) -> nn.Module:
        """Return the network with its loss."""
        return TileLosses(network, self.loss)

    def targets(self, numbers: NDArray[np.int64]) -> Tensor:
        """Return the class of each pixel, uint8 (N, H, W); 255: none."""
        return torch.from_numpy(self.examples.masks(numbers))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return cross-entropy and soft Dice of the labelled pixels of each tile."""
        known = targets != UNLABELLED
        codes = torch.where(known, targets, 0).long()
        pixels = functional.cross_entropy(logits, codes, reduction="none")
        weights = self.weights.to(logits.device)[codes] * known
        total = weights.sum(dim=(1, 2)).clamp(min=1e-6)
        entropy = (weights * pixels).sum(dim=(1, 2)) / total
        return entropy + _soft_dice_loss(logits, codes, known)

    def begin(self) -> NDArray[np.int64]:
        """Return counts of pixels: both, predicted and labelled, of each class."""
        return np.zeros((3, len(self.examples.classes)), np.int64)

    def add(
        self, sums: NDArray[np.int64], logits: Tensor, targets: Tensor
    ) -> NDArray[np.int64]:
        """Return the counts with those of more tiles."""
        number = len(self.examples.classes)
        truth = targets.cpu().numpy()
        found = logits.argmax(dim=1).cpu().numpy()
        known = truth != UNLABELLED
        truth, found = truth[known], found[known]
        parts = (truth[truth == found], found, truth)
        counts = [np.bincount(part, minlength=number) for part in parts]
        return sums + np.array(counts, np.int64)

    def figures(self, sums: NDArray[np.int64]) -> dict[str, Any]:
        """Return the Dice coefficient of each class over all pixels, and their mean."""
        both, predicted, labelled = sums.tolist()
        dice = {
            name: 2 * b / (p + t) if t else None
            for name, b, p, t in zip(
                self.examples.classes, both, predicted, labelled, strict=True
            )
        }
        known = [each for each in dice.values() if each is not None]
        mean = float(np.mean(known)) if known else 0.0
        return {"pixels": sum(labelled), "dice": mean, "dice_of": dice}


def task_of(examples: Examples, recipe: TrainingRecipe) -> Task:
    """Return loss and figures of a recipe's task.

    Raises
    ------
    TrainingError
        If a class has nothing to learn from, or the network does not fit the task.
    """
    if recipe.encoder and recipe.task != "classification":
        message = f"encoder = '{recipe.encoder}' is for a classification."
        raise TrainingError(message, f"Leave it out for task = '{recipe.task}'.")
    if recipe.task == "instances":
        return instance_task(examples, recipe)
    if recipe.task == "segmentation":
        return Segmentation(examples, recipe)
    return Classification(examples, recipe)


def _weights(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return weights of classes with a mean of 1 over the examples."""
    shares = counts / counts.sum()
    weights: NDArray[np.float32] = (1 / np.maximum(shares * len(counts), 1e-6)).astype(
        np.float32
    )
    return weights


def _soft_dice_loss(logits: Tensor, codes: Tensor, known: Tensor) -> Tensor:
    """Return 1 minus the soft Dice of each tile, over its classes (N,)."""
    shares = logits.softmax(dim=1) * known[:, None]
    truth = functional.one_hot(codes, logits.shape[1]).permute(0, 3, 1, 2)
    truth = truth * known[:, None]
    both = (shares * truth).sum(dim=(2, 3))
    sizes = shares.sum(dim=(2, 3)) + truth.sum(dim=(2, 3))
    present = truth.sum(dim=(2, 3)) > 0
    dice = (2 * both + 1) / (sizes + 1) * present
    return 1 - dice.sum(dim=1) / present.sum(dim=1).clamp(min=1)


def _auc(scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> float | None:
    """Return the area under the curve of one class against the rest."""
    positive = int(truth.sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return None
    ranks = rankdata(scores)[truth].sum() - positive * (positive + 1) / 2
    return float(ranks / (positive * negative))
