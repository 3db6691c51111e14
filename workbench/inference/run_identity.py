"""Identity of a run: the slide, recipe, model, grid and precision it is made with.

The identity is computed without loading the network, so the folder of a run is known
before the run starts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from workbench.errors import RecipeError
from workbench.models.devices import resolve_devices
from workbench.models.registry import identify_model
from workbench.models.stain_sensitivity import with_disagreement
from workbench.models.tile_model import resolve_precision, shared_precision
from workbench.results.run_folder import folder_of
from workbench.results.slide_facts import plane_fact
from workbench.tiling.grid import Grid

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.models.card import ModelCard
    from workbench.recipe import Precision, Recipe
    from workbench.slide.slide import Slide

_CHANGEABLE_FIELDS: Final = {
    "model",
    "weights",
    "trust",
    "device",
    "precision",
    "compile",
}
"""Recipe fields that may change between sessions of a run. They change results by
rounding at most, or through the model card (compared with its SHA-256) and the
precision, which are part of the identity."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Everything that must be equal for a run to be resumed."""

    slide: Slide
    recipe: Recipe
    card: ModelCard
    """Card of the model, with the SHA-256 of its weights."""

    precision: Precision
    """Arithmetic of the model; not "auto"."""

    @classmethod
    def of(cls, slide: Slide, recipe: Recipe) -> Self:
        """Resolve a recipe for a slide on this machine.

        Raises
        ------
        MissingMppError
            If the mpp of the slide is not known.
        ModelError
            If there is no such model.
        RecipeError
            If this machine has no such device, or the options contradict each other.
        """
        slide.require_mpp()
        devices = resolve_devices(recipe.device)
        card = identify_model(
            recipe.model, weights=recipe.weights or None, min_score=recipe.min_score
        )
        if len(references_of(recipe)) > 1:
            card = with_disagreement(card)
        precisions = (resolve_precision(recipe.precision, device) for device in devices)
        return cls(slide, recipe, card, shared_precision(precisions))

    @property
    def record(self) -> dict[str, Any]:
        """The identity as it is stored in `run.json`."""
        slide, grid = self.slide, grid_for(self.slide, self.card)
        return {
            "slide": {
                "id": slide.id,
                "size": list(slide.size),
                "mpp": slide.mpp,
                **plane_fact(slide),
            },
            "recipe": self.recipe.model_dump(mode="json", exclude=_CHANGEABLE_FIELDS),
            # The stains that it is for change nothing of what it computes.
            "model": self.card.model_dump(mode="json", exclude={"stains"}),
            "grid": {**asdict(grid), "slide_size": list(grid.slide_size)},
            "precision": self.precision,
        }

    def folder(self, root: Path) -> Path:
        """Return the folder of the run below `root`; see `folder_of`."""
        return folder_of(root, self.slide, self.record)


def grid_for(slide: Slide, card: ModelCard) -> Grid:
    """Return the tile grid of a model on a slide with a known mpp."""
    mpp = slide.require_mpp()
    return Grid(slide.size, card.mpp / mpp, card.tile_px, card.margin_px)


def references_of(recipe: Recipe) -> list[str]:
    """Return the names of all references, without duplicates.

    Raises
    ------
    RecipeError
        If there are several references and no normalization method.
    """
    names = list(dict.fromkeys([recipe.reference.strip(), *recipe.references]))
    if len(names) > 1 and recipe.normalize is None:
        message = "Several references are named, but there is no method to use them."
        raise RecipeError(message, "Choose a method, such as normalize='vahadane'.")
    return names
