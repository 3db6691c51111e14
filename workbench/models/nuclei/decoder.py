"""From the maps of `NucleusNet` to nuclei."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import numpy as np

from workbench.models.nuclei.flood import components, flood, without_small

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.cards import ModelCard

Decoded: TypeAlias = "tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.float32]]"
"""Labels (H, W) of 0 to n, and the class and score of each object."""

SMALLEST_UM2: Final = 5.0
"""Half a small lymphocyte is still larger."""


@dataclass(frozen=True, slots=True)
class NucleusDecoder:
    """Nuclei are grown from where they are deep to where they end.

    Pixels that lie deep in a nucleus are apart even where nuclei touch; each connected
    group of them is the marker of one nucleus, and a watershed of the depth gives it
    the pixels around.
    """

    smallest_px: float = 20.0
    """Least area of a nucleus."""

    inside: float = 0.5
    """Least probability of a pixel of a nucleus."""

    deep: float = 0.5
    """Least depth of a marker, between 0 (edge) and 1 (middle)."""

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
        inside = nucleus > self.inside
        markers = components((depth > self.deep) & inside)
        levels = (np.clip(depth, 0, 1) * 255).astype(np.uint8)
        labels, areas = without_small(flood(levels, markers, inside), self.smallest_px)
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
    total = np.bincount(labels.ravel(), nucleus.ravel(), minlength=len(areas) + 1)
    return (total[1:] / areas).astype(np.float32)
