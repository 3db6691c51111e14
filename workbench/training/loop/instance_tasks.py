"""Outlines of objects as a task: the nucleus network, and Mask R-CNN."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from workbench.errors import TrainingError
from workbench.instances.metrics import agreement
from workbench.models.instance_decoders import decoder_of
from workbench.training.loop.nucleus_maps import loss_of_maps, maps_of
from workbench.training.loop.objects import UNKNOWN
from workbench.training.loop.task import TileLosses, card_of, drawn_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.models.card import ModelCard
    from workbench.models.networks.maskrcnn import MaskRCNN
    from workbench.training.loop.examples import Examples
    from workbench.training.loop.recipe import TrainingRecipe

_NUCLEUS_NET: Final = "workbench:nucleus-net"
_MEAN, _STD = (0.72, 0.58, 0.75), (0.20, 0.22, 0.16)
"""Those of tissue, with which the bundled nucleus network was trained."""

_MARGIN: Final = 6
"""Share of a tile's side, as 1 over this, that is context; an object that the middle
of a tile shows must fit."""

_LEAST_PX: Final = 2
"""Shortest side of an object that Mask R-CNN learns; a box needs some."""

_MIN_SCORE: Final = 0.5


class _Instances:
    """What both networks share: objects as targets, and the figures."""

    figure = "f1"
    sums_vary = False

    def __init__(self, examples: Examples, recipe: TrainingRecipe) -> None:
        self.examples, self.recipe = examples, recipe
        known = np.zeros(len(examples.classes) + 1, bool)
        for number in drawn_of(examples, recipe):
            codes = examples.objects(np.array([number]))[:, 1]
            known[np.unique(codes[codes > 0])] = True
            if known[1:].all():
                return
        for name, learnt in zip(examples.classes, known[1:].tolist(), strict=True):
            if not learnt:
                message = f"The class '{name}' has no object to learn from."
                remedy = "Outline some, or leave it out of `classes`."
                raise TrainingError(message, remedy)
        message = f"'{recipe.labels}' outlines no object to learn from."
        raise TrainingError(message, "Outline some.")

    def card(self, name: str) -> ModelCard:
        """Return the card of the network."""
        raise NotImplementedError

    def begin(self) -> list[Any]:
        """Return an empty list of agreements."""
        return []

    def add(self, sums: list[Any], logits: Tensor, targets: Tensor) -> list[Any]:
        """Return the list with the agreement of more tiles."""
        card = self.card("judged")
        maps, numbers = self.answers(logits, targets)
        decode = decoder_of(card)
        found = [
            astuple(agreement(drawn, decode(each)[0]))
            for each, drawn in zip(maps, numbers, strict=True)
        ]
        return [*sums, *found]

    def answers(
        self, logits: Tensor, targets: Tensor
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return what the decoder takes, and the numbers of the objects drawn."""
        raise NotImplementedError

    def figures(self, sums: list[Any]) -> dict[str, Any]:
        """Return the means over tiles of F1 at an overlap of 0.5, AJI, PQ and Dice."""
        means = np.mean(sums, axis=0).tolist()
        names = ("f1", "aji", "pq", "dice")
        return {"tiles": len(sums), **dict(zip(names, means, strict=True))}


class NucleusMaps(_Instances):
    """The nucleus network: probability and depth; one class, whatever the objects'."""

    def card(self, name: str) -> ModelCard:
        """Return the card; a tile's border is context."""
        return card_of(
            name,
            self.examples,
            self.recipe,
            classes=("nucleus",) if len(self.examples.classes) > 1 else None,
            mean=_MEAN,
            std=_STD,
            activation="sigmoid",
            decoder="nucleus-maps",
            border="cut",
            margin_px=max(1, self.recipe.tile_px // _MARGIN),
        )

    def learner(self, network: nn.Module) -> nn.Module:
        """Return the network with its loss."""
        return TileLosses(network, self.loss)

    def targets(self, numbers: NDArray[np.int64]) -> Tensor:
        """Return int32 (N, 5, H, W): the maps, known or not, and the numbers."""
        objects = self.examples.objects(numbers)
        made = np.empty((len(objects), 5, *objects.shape[2:]), np.int32)
        for row, (labels, codes) in zip(made, objects, strict=True):
            row[:3], row[3], row[4] = maps_of(labels), codes != UNKNOWN, labels
        return torch.from_numpy(made)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each tile, (N,)."""
        return loss_of_maps(logits, targets[:, :3].float() / 255, targets[:, 3] > 0)

    def answers(
        self, logits: Tensor, targets: Tensor
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return probabilities and numbers; what is not known is background."""
        known = targets[:, 3].to(logits.device) > 0
        maps = logits.float().sigmoid() * known[:, None]
        return maps.cpu().numpy(), targets[:, 4].cpu().numpy()


class Detections(_Instances):
    """Mask R-CNN with the losses of its paper, as torchvision computes them."""

    sums_vary = True

    def card(self, name: str) -> ModelCard:
        """Return the card; a tile's border is context."""
        return card_of(
            name,
            self.examples,
            self.recipe,
            activation="none",
            decoder="maskrcnn",
            border="cut",
            min_score=_MIN_SCORE,
            overlaps="best",
            margin_px=max(1, self.recipe.tile_px // _MARGIN),
        )

    def learner(self, network: nn.Module) -> nn.Module:
        """Return the detector, which computes its losses itself."""
        learner = _DetectorLosses(cast("MaskRCNN", network))  # by its architecture
        heads: Any = learner.network.detector.roi_heads
        heads.fg_bg_sampler.batch_size_per_image = proposals(self.recipe.tile_px)
        return learner

    def targets(self, numbers: NDArray[np.int64]) -> Tensor:
        """Return numbers and classes of the objects, int32 (N, 2, H, W)."""
        return torch.from_numpy(self.examples.objects(numbers))

    def answers(
        self, logits: Tensor, targets: Tensor
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return detections and numbers."""
        return logits.float().cpu().numpy(), targets[:, 0].cpu().numpy()


def proposals(side: int) -> int:
    """Return how many proposals of a tile are learnt from, a quarter of them objects.

    torchvision takes 512 of a picture of 800 pixels; of a tile as many for its area,
    and at least 64.
    """
    return min(512, max(64, round(512 * (side / 800) ** 2)))


class _DetectorLosses(nn.Module):
    """Losses of a Mask R-CNN: proposals, boxes, classes and masks."""

    def __init__(self, network: MaskRCNN) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of the tiles, once for each, (N,)."""
        named = [_target(each, inputs.device) for each in targets.cpu().numpy()]
        losses = self.network.detector(list(inputs.unbind(0)), named)
        total = torch.stack([each.float() for each in losses.values()]).sum()
        return total.expand(len(inputs))


def _target(objects: NDArray[np.int32], device: torch.device) -> dict[str, Tensor]:
    """Return boxes, classes and masks of the objects of a tile."""
    numbers, codes = objects
    present, dense = np.unique(numbers, return_inverse=True)
    dense = dense.reshape(numbers.shape) + (0 if present[0] == 0 else 1)
    boxes, labels, masks = [], [], []
    for number, part in enumerate(ndimage.find_objects(dense), 1):
        rows, columns = part
        if min(rows.stop - rows.start, columns.stop - columns.start) < _LEAST_PX:
            continue
        mask = dense == number
        boxes.append((columns.start, rows.start, columns.stop, rows.stop))
        labels.append(int(codes[mask].max()))
        masks.append(mask)
    whole = np.array(masks, np.uint8).reshape(-1, *numbers.shape)
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32, device=device).reshape(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.int64, device=device),
        "masks": torch.from_numpy(whole).to(device),
    }


def instance_task(
    examples: Examples, recipe: TrainingRecipe
) -> NucleusMaps | Detections:
    """Return the task of the recipe's network.

    Raises
    ------
    TrainingError
        If the network cannot learn outlines, or there is no object.
    """
    family, _, name = recipe.network.partition(":")
    if recipe.network == _NUCLEUS_NET:
        return NucleusMaps(examples, recipe)
    if family == "torchvision" and name.startswith("maskrcnn_"):
        return Detections(examples, recipe)
    message = f"'{recipe.network}' learns no outlines of objects."
    remedy = f"Give {_NUCLEUS_NET}, or torchvision:maskrcnn_resnet18_fpn."
    raise TrainingError(message, remedy)
