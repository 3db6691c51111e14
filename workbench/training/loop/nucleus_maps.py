"""Maps that the nucleus network learns, from numbered nuclei."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from scipy import ndimage
from torch.nn.functional import binary_cross_entropy_with_logits

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_FRAME: Final = 24
"""Width by which nuclei are continued beyond the edge of a picture."""

_SEAM: Final = 3.0
"""How much more a pixel counts where two nuclei touch."""

_DICE: Final = 0.5
_DEPTH: Final = 2.0
_FAR: Final = 1 << 30


def maps_of(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return what the network learns of a picture whose nuclei are numbered.

    Parameters
    ----------
    labels : integer (H, W)
        Number of the nucleus of each pixel, 0: none.

    Returns
    -------
    uint8 (3, H, W)
        255 in a nucleus; the depth, 0 on the edge of a nucleus to 255 where it is
        deepest; 255 where two nuclei touch.
    """
    labels = labels.astype(np.int32)
    lowest = ndimage.grey_erosion(np.where(labels > 0, labels, _FAR), (3, 3))
    highest = cv2.dilate(labels.astype(np.float32), np.ones((3, 3), np.uint8))
    touching = (labels > 0) & ((lowest != labels) | (highest != labels))
    touching &= (lowest < _FAR) & (lowest != highest)
    seam = cv2.dilate(touching.astype(np.uint8), np.ones((3, 3), np.uint8))
    # A nucleus that the picture cuts goes on: the cut is no edge.
    wide = np.pad(labels, _FRAME, mode="edge")
    depth = np.zeros(wide.shape, np.float32)
    for number, part in enumerate(ndimage.find_objects(wide), 1):
        if part is not None:
            own = np.pad(wide[part] == number, 1).astype(np.uint8)
            deep = cv2.distanceTransform(own, cv2.DIST_L2, 5)[1:-1, 1:-1]
            depth[part] = np.maximum(depth[part], deep / deep.max())
    inner = depth[_FRAME:-_FRAME, _FRAME:-_FRAME]
    inside = (labels > 0).astype(np.uint8) * 255
    return np.stack([inside, np.uint8(255 * inner), seam * 255])


def loss_of_maps(logits: Tensor, maps: Tensor, known: Tensor) -> Tensor:
    """Return cross-entropy of both maps, more where nuclei touch, plus Dice, (N,).

    Parameters
    ----------
    logits : Tensor
        float32 (N, 2, H, W): nucleus, and depth.
    maps : Tensor
        float32 (N, 3, H, W), 0 to 1, as of `maps_of`.
    known : Tensor
        bool (N, H, W): pixels that count.
    """
    inside, depth, seam = maps.unbind(1)
    weight = (1 + _SEAM * seam) * known
    share = known.float().mean((1, 2)).clamp(min=1e-6)
    entropy = binary_cross_entropy_with_logits(
        logits[:, 0], inside, weight, reduction="none"
    )
    deep = binary_cross_entropy_with_logits(
        logits[:, 1], depth, weight * (1 + inside), reduction="none"
    )
    pixels = (entropy + _DEPTH * deep).mean((1, 2)) / share
    probability = logits[:, 0].sigmoid() * known
    inside = inside * known
    overlap = 2 * (probability * inside).sum((1, 2)) + 1
    dice = overlap / (probability.sum((1, 2)) + inside.sum((1, 2)) + 1)
    found: Tensor = pixels + _DICE * (1 - dice)
    return found
