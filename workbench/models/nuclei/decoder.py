"""Decodes the maps of `NucleusNet` into nuclei."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import numpy as np

from workbench.models.nuclei.flood import flood, without_small

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.models.card import ModelCard

Decoded: TypeAlias = "tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.float32]]"
"""Labels (H, W) of 0 to n, and the class and score of each instance."""

DEPTHS: Final = 255
"""Level of the flood that stands for depth 1."""

SMALLEST_UM2: Final = 5.0
"""Smallest area of a nucleus in µm²; half a small lymphocyte is larger."""


@dataclass(frozen=True, slots=True)
class NucleusDecoder:
    """Separates nuclei at saddles of the depth map.

    The deep pixels of nuclei are separate even where nuclei touch, so each maximum of
    the depth with sufficient dynamics is one nucleus.
    """

    smallest_px: float = 20.0
    """Smallest area of a nucleus in pixels."""

    inside: float = 0.5
    """Smallest probability of a pixel of a nucleus."""

    dynamic: float = 0.2
    """Smallest height of the maxima of two nuclei above the saddle between them; depth
    is 0 on the edge of a nucleus and 1 in its middle."""

    deepest: float = 0.5
    """Smallest maximum of the depth in a nucleus."""

    @classmethod
    def of(cls, card: ModelCard) -> Self:
        """Return the decoder for the resolution of a card: nuclei of 5 µm² or more."""
        return cls(smallest_px=SMALLEST_UM2 / card.mpp**2)

    def __call__(self, maps: NDArray[np.float32]) -> Decoded:
        """Return the nuclei of a tile.

        Parameters
        ----------
        maps : float32 (2, H, W)
            Probability of a nucleus, and depth in it; both 0 to 1.

        Returns
        -------
        labels : int32 (H, W)
            Number of the nucleus of each pixel from 1 to n; 0 for none.
        classes : uint16 (n,)
            All 0: the model has one class.
        scores : float32 (n,)
            Mean probability over the nucleus's pixels.
        """
        nucleus, depth = maps[0], maps[1]
        basins = flood(
            (np.clip(depth, 0, 1) * DEPTHS).astype(np.uint8),
            nucleus > self.inside,
            dynamic=round(self.dynamic * DEPTHS),
            deepest=round(self.deepest * DEPTHS),
        )
        labels, areas = without_small(basins, self.smallest_px)
        return (
            labels,
            np.zeros(len(areas), np.uint16),
            scores_of(labels, nucleus, areas),
        )


def scores_of(
    labels: NDArray[np.int32],
    nucleus: NDArray[np.float32],
    areas: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the mean of `nucleus` over each instance, float32 (n,)."""
    there = labels > 0  # most of a tile is background
    total = np.bincount(labels[there], nucleus[there], minlength=len(areas) + 1)
    return (total[1:] / areas).astype(np.float32)
