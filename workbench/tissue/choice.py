"""What somebody has chosen about the tissue of a slide, in place of what is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from workbench.area import Area

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.recipe import Recipe


@dataclass(frozen=True, slots=True)
class TissueChoice:
    """How tissue is found; the default is what is found without anybody's help."""

    threshold: float | None = None
    """Optical density (natural logarithm, 0 to 1) by which tissue is coloured, or
    absorbs and is textured. None: chosen for each slide, between 0.05 and 0.12."""

    keep_ink: bool = False
    """Whether what looks like ink counts as tissue."""

    tissue_in: Area | None = None
    """Where there is tissue, whatever it looks like."""

    no_tissue_in: Area | None = None
    """Where there is none, such as ink, even if it lies in `tissue_in`."""

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """Return what a recipe says about tissue."""
        return cls(
            threshold=recipe.tissue_threshold,
            keep_ink=recipe.ink == "keep",
            tissue_in=_area(recipe.tissue_in),
            no_tissue_in=_area(recipe.no_tissue_in),
        )

    def corrected(self, mask: NDArray[np.bool_], box: Box) -> NDArray[np.bool_]:
        """Return a mask over a box with the two areas as they were chosen."""
        size = mask.shape[1], mask.shape[0]
        if self.tissue_in is not None:
            mask = mask | self.tissue_in.mask(box, size)
        if self.no_tissue_in is not None:
            mask = mask & ~self.no_tissue_in.mask(box, size)
        return mask


def _area(region: Any) -> Area | None:
    return None if region is None else Area.of(region)
