"""User settings of tissue detection."""

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
    """Settings of tissue detection; the defaults are fully automatic."""

    threshold: float | None = None
    """Minimum optical density of tissue (natural logarithm, 0 to 1): of its chroma, or
    of its absorption where it has texture. None: chosen for each slide, between 0.05
    and 0.12."""

    keep_ink: bool = False
    """Whether pen ink counts as tissue."""

    tissue_in: Area | None = None
    """Area that always counts as tissue."""

    no_tissue_in: Area | None = None
    """Area that never counts as tissue, such as ink; overrides `tissue_in`."""

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """Return the tissue settings of a recipe."""
        return cls(
            threshold=recipe.tissue_threshold,
            keep_ink=recipe.ink == "keep",
            tissue_in=_to_area(recipe.tissue_in),
            no_tissue_in=_to_area(recipe.no_tissue_in),
        )

    def apply(self, mask: NDArray[np.bool_], box: Box) -> NDArray[np.bool_]:
        """Return a mask over a box with the two areas applied."""
        size = mask.shape[1], mask.shape[0]
        if self.tissue_in is not None:
            mask = mask | self.tissue_in.mask(box, size)
        if self.no_tissue_in is not None:
            mask = mask & ~self.no_tissue_in.mask(box, size)
        return mask


def _to_area(region: Any) -> Area | None:
    return None if region is None else Area.of(region)
