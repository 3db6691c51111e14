"""From the maps of `NucleusNet` to nuclei."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import numpy as np

from workbench.models.nuclei.flood import flood, without_small

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.models.card import ModelCard

Decoded: TypeAlias = "tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.float32]]"
"""Labels (H, W) of 0 to n, and the class and score of each object."""

DEPTHS: Final = 255
"""Of the flood: depth 1."""

SMALLEST_UM2: Final = 5.0
"""Half a small lymphocyte is still larger."""


@dataclass(frozen=True, slots=True)
class NucleusDecoder:
    """Nuclei are parted where the depth between them has a saddle.

    Pixels that lie deep in a nucleus are apart even where nuclei touch, so each summit
    of the depth that stands out from its surroundings is one nucleus.
    """

    smallest_px: float = 20.0
    """Least area of a nucleus."""

    inside: float = 0.5
    """Least probability of a pixel of a nucleus."""

    dynamic: float = 0.2
    """How far the summits of two nuclei stand above the saddle between them; depth is
    0 on the edge of a nucleus and 1 in its middle."""

    deepest: float = 0.5
    """Depth that a nucleus reaches somewhere."""

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
            All 0: the model knows one class.
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
    """Return the mean of `nucleus` over each object, float32 (n,)."""
    there = labels > 0  # most of a tile is background
    total = np.bincount(labels[there], nucleus[there], minlength=len(areas) + 1)
    return (total[1:] / areas).astype(np.float32)
