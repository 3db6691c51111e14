"""What makes a run the same run: its slide, recipe, model, grid and arithmetic.

Known without loading the network, so that whoever starts a run can say at once where
it is saved.
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
from workbench.tiling.grid import Grid

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.models.card import ModelCard
    from workbench.recipe import Precision, Recipe
    from workbench.slide.slide import Slide

_FREE: Final = {"model", "weights", "trust", "device", "precision", "compile"}
"""Options that may differ when a run goes on: each changes no answer but by rounding,
or only by what it leads to, and that is compared (the card with its SHA-256, the
precision)."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What must be the same for a run to go on."""

    slide: Slide
    recipe: Recipe
    card: ModelCard
    """Of the model that answers, with the SHA-256 of its weights."""

    precision: Precision
    """In which it calculates; not "auto"."""

    @classmethod
    def of(cls, slide: Slide, recipe: Recipe) -> Self:
        """Find out what a recipe means for a slide on this machine.

        Raises
        ------
        MissingMppError
            If the pixel size of the slide is not known.
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
        each = (resolve_precision(recipe.precision, device) for device in devices)
        return cls(slide, recipe, card, shared_precision(each))

    @property
    def asked(self) -> dict[str, Any]:
        """What a record must say for the run to go on, ready for JSON."""
        slide, grid = self.slide, grid_for(self.slide, self.card)
        return {
            "slide": {"id": slide.id, "size": list(slide.size), "mpp": slide.mpp},
            "recipe": self.recipe.model_dump(mode="json", exclude=_FREE),
            "model": self.card.model_dump(mode="json"),
            "grid": {**asdict(grid), "slide_size": list(grid.slide_size)},
            "precision": self.precision,
        }

    def folder(self, root: Path) -> Path:
        """Return where the run is saved below `root`; see `folder_of`."""
        return folder_of(root, self.slide, self.asked)


def grid_for(slide: Slide, card: ModelCard) -> Grid:
    """Return the grid of a model's tiles on a slide, whose mpp is known."""
    mpp = slide.require_mpp()
    return Grid(slide.size, card.mpp / mpp, card.tile_px, card.margin_px)


def references_of(recipe: Recipe) -> list[str]:
    """Return the names of all references, each once.

    Raises
    ------
    RecipeError
        If there are several, and no method that normalizes to them.
    """
    found = list(dict.fromkeys([recipe.reference.strip(), *recipe.references]))
    if len(found) > 1 and recipe.normalize is None:
        message = "Several references are named, but nothing is normalized to them."
        raise RecipeError(message, "Choose a method, such as normalize='vahadane'.")
    return found
