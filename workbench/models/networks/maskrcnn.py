"""Mask R-CNN for tiles: box, class, score and a small mask of each instance.

K. He et al., "Mask R-CNN", ICCV 2017, as implemented in torchvision. The masks of
28 x 28 pixels are resized on the CPU, each within its own box. torchvision pastes each
into a raster of the whole tile, which takes forty times as long and gigabytes for a few
hundred nuclei.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.jit import is_scripting  # type: ignore[attr-defined] # by its manual
from torch.nn.functional import pad
from torchvision.models import detection
from torchvision.models.detection import backbone_utils
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from workbench.errors import InvalidCardError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.models.card import ModelCard

MOST: Final = 400
"""Largest number of instances of one tile."""

_ANCHORS: Final = ((32, 64, 128, 256, 512),) * 3
"""Anchor sizes for a MobileNet, whose pyramid has three levels; torchvision's."""

_MASK: Final = 28
_FACTS: Final = 6
"""Number of values before the mask: x0, y0, x1, y1, class (0: none), score."""

_INSIDE: Final = 0.5
"""Smallest probability of a pixel of an instance."""

_LEFT: Final = 0.5
"""Smallest share of its pixels that an instance must keep beside those of higher score;
one that keeps less is a duplicate."""

_LEAST_SCORE: Final = 0.05
"""Smallest score of a detection that is considered; torchvision's."""

_NAME: Final = re.compile(r"maskrcnn_(?P<backbone>\w+?)_fpn(?P<version>_v2)?")


def is_maskrcnn(name: str) -> bool:
    """Return whether a name is that of a Mask R-CNN with an available backbone.

    Such as "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2", or any other ResNet or
    MobileNet of torchvision in place of the ResNet-50.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    if found["version"]:
        return found["backbone"] == "resnet50"
    return found["backbone"].startswith(_BACKBONES) and hasattr(
        backbone_utils.resnet, found["backbone"]
    ) | hasattr(backbone_utils.mobilenet, found["backbone"])


_BACKBONES: Final = ("resnet", "resnext", "wide_resnet", "mobilenet")


def build_maskrcnn(card: ModelCard, name: str) -> nn.Module:
    """Return the network of `maskrcnn_<backbone>_fpn`, without weights."""
    found = _NAME.fullmatch(name)
    assert found is not None  # noqa: S101 - is_maskrcnn came before
    classes = len(card.classes) + 1
    if name in ("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"):
        builder = getattr(detection, name)
        made = builder(
            weights=None, weights_backbone=None, num_classes=classes, **card.options
        )
        return MaskRCNN(made, card)
    return MaskRCNN(_build_on(found["backbone"], classes), card)


def _build_on(backbone: str, classes: int) -> nn.Module:
    """Return a Mask R-CNN on a backbone, built as torchvision's named ones are."""
    if not backbone.startswith("mobilenet"):
        features = backbone_utils.resnet_fpn_backbone(
            backbone_name=backbone, weights=None, trainable_layers=5
        )
        return detection.MaskRCNN(features, classes)  # type: ignore[no-any-return]
    features = backbone_utils.mobilenet_backbone(
        backbone_name=backbone, weights=None, fpn=True
    )
    anchors = AnchorGenerator(_ANCHORS, ((0.5, 1.0, 2.0),) * len(_ANCHORS))
    return detection.MaskRCNN(features, classes, rpn_anchor_generator=anchors)  # type: ignore[no-any-return]


class MaskRCNN(nn.Module):
    """A Mask R-CNN of torchvision without its input transform.

    Parameters
    ----------
    detector : torchvision.models.detection.MaskRCNN
        Its normalization and resizing are left out; those of the card apply.
    card : ModelCard
    """

    __jit_unused_properties__: Final = ("weighted",)

    def __init__(self, detector: nn.Module, card: ModelCard) -> None:
        super().__init__()
        self.detector = detector
        detector.transform = _NoTransform()
        heads: Any = detector.roi_heads
        heads.score_thresh = max(card.min_score, _LEAST_SCORE)
        heads.detections_per_img = MOST
        # TorchScript does not see module-level constants.
        self.rows, self.facts, self.values = MOST, _FACTS, _FACTS + _MASK**2

    @property
    def weighted(self) -> nn.Module:
        """The module that takes weights, under torchvision's names."""
        return self.detector

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the detections of each tile, highest score first.

        Parameters
        ----------
        inputs : Tensor
            float32 (N, 3, H, W).

        Returns
        -------
        Tensor
            float32 (N, MOST, 6 + 784): x0, y0, x1, y1 as shares of the tile's side,
            class from 1 (0: nothing), score, and the mask's probabilities.
        """
        # Only what TorchScript supports, so that loops stay loops when exported.
        tiles = inputs.unbind(0)
        if is_scripting():  # noqa: SIM108 - of an if, TorchScript leaves out the rest
            found = self.detector(tiles)[1]  # scripted, it returns losses as well
        else:
            found = self.detector(tiles)
        shape = (inputs.shape[0], self.rows, self.values)
        answer = torch.zeros(shape, dtype=torch.float32, device=inputs.device)
        height, width = inputs.shape[2], inputs.shape[3]
        size = torch.tensor([width, height, width, height], device=inputs.device)
        for number in range(len(tiles)):
            objects, row = found[number], answer[number]
            count = objects["scores"].shape[0]
            row[:count, :4] = objects["boxes"].float() / size
            row[:count, 4] = objects["labels"].float()
            row[:count, 5] = objects["scores"].float()
            row[:count, self.facts :] = objects["masks"].float().flatten(1)
        return answer


def wrap_maskrcnn(network: nn.Module, card: ModelCard) -> nn.Module:
    """Wrap a Mask R-CNN of torchvision as a `MaskRCNN`; return others unchanged."""
    if isinstance(network, detection.MaskRCNN):
        return MaskRCNN(network, card)
    return network


class _NoTransform(nn.Module):
    """Replaces torchvision's transform, which normalizes, resizes and pastes masks."""

    def forward(
        self,
        images: list[Tensor],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[ImageList, list[dict[str, Tensor]] | None]:
        """Return the tiles as one batch."""
        tiles = torch.stack(images)
        height, width = tiles.shape[2], tiles.shape[3]
        # Padded to a multiple of the stride of the coarsest features.
        tiles = pad(tiles, [0, -width % 32, 0, -height % 32])
        return ImageList(tiles, [(height, width)] * len(images)), targets

    @torch.jit.export
    def postprocess(
        self,
        result: list[dict[str, Tensor]],
        image_shapes: list[tuple[int, int]],  # noqa: ARG002 - torchvision's
        original_image_sizes: list[tuple[int, int]],  # noqa: ARG002 - torchvision's
    ) -> list[dict[str, Tensor]]:
        """Return the detections with their small masks."""
        return result


class MaskRCNNDecoder:
    """Pastes the masks of a tile and resolves overlaps.

    With `overlaps` "best", a pixel belongs to the instance of the highest score that
    covers it, and an instance that keeps less than half of its pixels is dropped. With
    "merge", instances of one class that share a pixel become one.
    """

    def __init__(self, card: ModelCard) -> None:
        self._card = card

    def __call__(
        self, maps: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32]]:
        """Return labels, classes and scores.

        Parameters
        ----------
        maps : float32 (MOST, 6 + 784)
            As `MaskRCNN` returns them.

        Raises
        ------
        InvalidCardError
            If the network returned another shape.
        """
        if maps.ndim != 2 or maps.shape[1] != _FACTS + _MASK**2:  # noqa: PLR2004
            reason = f"the network answers with shape {maps.shape}, not as a Mask R-CNN"
            raise InvalidCardError(self._card.name, reason)
        maps = maps[(maps[:, 4] > 0) & (maps[:, 5] >= self._card.min_score)]
        maps = maps[np.argsort(-maps[:, 5], kind="stable")]
        side = self._card.tile_px
        labels = np.zeros((side, side), np.int32)
        classes = maps[:, 4].astype(np.int64) - 1
        scores = maps[:, 5].astype(np.float32)
        pasted = [_pasted(each, side) for each in maps]
        if self._card.overlaps == "merge":
            numbers = _merge(labels, pasted, classes)
        else:
            numbers = _keep_best(labels, pasted)
        return labels, classes[numbers], scores[numbers]


def _pasted(found: NDArray[np.float32], side: int) -> tuple[slice, slice, Any]:
    """Return the window of an instance in a tile, and its mask in the window.

    As torchvision's `paste_masks_in_image`: the mask is padded with zeros, so that it
    can end within its box, and is interpolated to whole pixels.
    """
    grown = (_MASK + 2) / _MASK
    low, high = found[:2] * side, found[2:4] * side
    middle, reach = (low + high) / 2, (high - low) / 2 * grown
    x0, y0 = np.trunc(middle - reach).astype(int).tolist()
    x1, y1 = np.trunc(middle + reach).astype(int).tolist()
    width, height = max(1, x1 - x0 + 1), max(1, y1 - y0 + 1)
    mask = np.pad(found[_FACTS:].reshape(_MASK, _MASK), 1)
    held = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) > _INSIDE
    rows = slice(max(0, y0), max(0, min(side, y0 + height)))
    columns = slice(max(0, x0), max(0, min(side, x0 + width)))
    inside = held[rows.start - y0 : rows.stop - y0, columns.start - x0 :]
    return rows, columns, inside[:, : columns.stop - columns.start]


def _keep_best(
    labels: NDArray[np.int32], pasted: list[tuple[slice, slice, Any]]
) -> list[int]:
    """Assign each pixel to the highest score; return the instances kept, in order."""
    kept: list[int] = []
    for number, (rows, columns, held) in enumerate(pasted):
        place = labels[rows, columns]
        free = held & (place == 0)
        if free.any() and free.sum() >= _LEFT * held.sum():
            kept.append(number)
            place[free] = len(kept)
    return kept


def _merge(
    labels: NDArray[np.int32],
    pasted: list[tuple[slice, slice, Any]],
    classes: NDArray[np.int64],
) -> list[int]:
    """Merge instances that overlap; return the highest-scoring of each, in order.

    Where classes differ, a pixel stays with the instance of the higher score.
    """
    heads = np.arange(len(pasted) + 1)
    for number, (rows, columns, held) in enumerate(pasted, start=1):
        place = labels[rows, columns]
        place[held & (place == 0)] = number
        for other in np.unique(heads[place[held]]).tolist():
            if classes[other - 1] == classes[number - 1]:
                one, two = sorted((heads[number], other))
                heads[heads == two] = one
    joined = heads[labels]
    present = [int(n) for n in np.unique(joined) if n]
    numbers = np.zeros(len(heads), np.int32)
    numbers[present] = np.arange(1, len(present) + 1)
    labels[:] = numbers[joined]
    return [number - 1 for number in present]
