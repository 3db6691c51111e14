"""Nuclei without weights: hematoxylin, distance to the edge, watershed.

A baseline for trained models, and an alternative where none fits. All thresholds are
local and constant, never fitted to a tile, so that tiles agree where they overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from workbench.models.networks.measurements import blurred
from workbench.models.nuclei.decoder import SMALLEST_UM2, Decoded, scores_of
from workbench.models.nuclei.flood import components, flood, without_small
from workbench.models.preprocessing import standard_concentrations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.models.card import ModelCard

_GRAIN_UM: Final = 0.5
"""Standard deviation of the blur that removes chromatin texture and noise."""

_AROUND_UM: Final = 12.0
"""Standard deviation of the blur that estimates the surroundings of a nucleus."""

_CONTRAST: Final = 0.1
"""Smallest contrast of a nucleus to its surroundings in ln(1 + hematoxylin)."""

_SOFTNESS: Final = 0.05
"""Width of the soft threshold, in the same unit: how fast a score rises."""

_PER_UM: Final = 25.0
"""Levels of the flood for each µm of distance; distances saturate at 10 µm."""

_NECK_UM: Final = 0.3
"""Least difference, to each side, between a neck and the two nuclei that it joins."""

_THINNEST_UM: Final = 1.5
"""Smallest width of a nucleus."""


class HematoxylinContrast(nn.Module):
    """Contrast of hematoxylin between a pixel and its surroundings, 0 to 1.

    0.5 is the threshold. Uses the standard stain vectors of Macenko et al., "A method
    for normalizing histology slides for quantitative analysis", ISBI 2009.
    """

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        self.grain_px = _GRAIN_UM / card.mpp
        self.around_px = _AROUND_UM / card.mpp

    def forward(self, rgb: Tensor) -> Tensor:
        """Return float32 (N, 1, H, W) of float32 RGB (N, 3, H, W) of 0 to 1."""
        # Measured in float32 even if the run uses half precision.
        with torch.autocast(rgb.device.type, enabled=False):
            amount = standard_concentrations(rgb)[:, :1].log1p()
            nucleus = blurred(amount, self.grain_px)
            excess = nucleus - blurred(amount, self.around_px)
        return ((excess - _CONTRAST) / _SOFTNESS).sigmoid()


@dataclass(frozen=True, slots=True)
class WatershedDecoder:
    """Separates nuclei at necks of the distance to the edge.

    The watershed of the smoothed distance (Vincent and Soille, "Watersheds in digital
    spaces", IEEE PAMI 1991), with the maxima of sufficient dynamics as markers.
    """

    mpp: float

    @classmethod
    def of(cls, card: ModelCard) -> Self:
        """Return the decoder for the resolution of a card."""
        return cls(card.mpp)

    def __call__(self, maps: NDArray[np.float32]) -> Decoded:
        """Return the nuclei of a tile, as `NucleusDecoder` does.

        Parameters
        ----------
        maps : float32 (1, H, W)
            Output of `HematoxylinContrast`.
        """
        inside = maps[0] > 0.5  # noqa: PLR2004 -- the threshold by definition
        smallest = SMALLEST_UM2 / self.mpp**2
        inside |= without_small(components(~inside), smallest)[0] == 0
        inside = without_small(components(inside), smallest)[0] > 0
        distance = cv2.distanceTransform(inside.view(np.uint8), cv2.DIST_L2, 5)
        smooth = cv2.GaussianBlur(distance, (0, 0), _GRAIN_UM / self.mpp)
        levels = np.clip(smooth * self.mpp * _PER_UM, 0, 255).astype(np.uint8)
        basins = flood(
            levels,
            inside,
            dynamic=round(_NECK_UM * _PER_UM),
            deepest=round(_THINNEST_UM / 2 * _PER_UM),
        )
        labels, areas = without_small(basins, smallest)
        classes = np.zeros(len(areas), np.uint16)
        return labels, classes, scores_of(labels, maps[0], areas)
