"""A recipe resolved against a slide: model, devices, tile grid."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import torch

from workbench.area import Area
from workbench.errors import RecipeError
from workbench.inference.kept_models import kept_model
from workbench.inference.multi_device import MultiDevicePredictor
from workbench.inference.predictor import DevicePredictor
from workbench.inference.run_identity import RunIdentity, grid_for, references_of
from workbench.models.architectures import assumed
from workbench.models.devices import resolve_devices
from workbench.models.registry import find_model
from workbench.models.stain_sensitivity import StainSensitivity
from workbench.provenance.software import versions
from workbench.quality import find_artefacts
from workbench.results.slide_facts import slide_facts
from workbench.slide.channels.model_input import input_slide
from workbench.stain.multi_reference import MultiReferenceNormalizer
from workbench.stain.references import load_reference
from workbench.stain.slide_fit import slide_normalizer
from workbench.tiling.coverage import region_of
from workbench.tissue import TissueChoice, find_tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.inference.prediction import Predictor
    from workbench.models.live_model import Model
    from workbench.models.tile_model import TileModel, TilePredictor
    from workbench.recipe import Recipe, StainMethod
    from workbench.slide.slide import Slide
    from workbench.stain.multi_reference import PixelNormalizer
    from workbench.stain.normalizer import Normalizer
    from workbench.stain.references import Reference
    from workbench.tiling.grid import Grid
    from workbench.tissue import Tissue

_FOLDER: Final = "runs"
_ENLARGED: Final = 1.1
"""Enlargement of tiles above which the run has a warning."""


@dataclass(frozen=True, eq=False)
class RunPlan:
    """A recipe with its slide, its model on the devices, and its tile grid."""

    slide: Slide
    recipe: Recipe
    inference: Predictor
    grid: Grid

    @classmethod
    def of(cls, slide: Slide, recipe: Recipe, model: Model | None = None) -> Self:
        """Load the model on its devices and make the grid.

        Parameters
        ----------
        slide : Slide
        recipe : Recipe
        model : Model, optional
            A model in memory, in place of the one that the recipe names.

        Raises
        ------
        MissingMppError
            If the mpp of the slide is not known.
        ModelError
            If the model cannot be used.
        RecipeError
            If this machine has no such device, or the channels of the recipe are not
            those of the slide.
        """
        slide.require_unchanged()
        slide.require_mpp()
        slide = input_slide(slide, recipe.channels)
        members = [
            DevicePredictor(model_of(recipe, model, device), recipe, device)
            for device in resolve_devices(recipe.device)
        ]
        grid = grid_for(slide, members[0].card)
        inference = members[0] if len(members) == 1 else MultiDevicePredictor(members)
        return cls(slide, recipe, inference, grid)

    @property
    def identity(self) -> RunIdentity:
        """Slide, recipe, model and precision, which name the folder of the run."""
        inference = self.inference
        return RunIdentity(self.slide, self.recipe, inference.card, inference.precision)

    @property
    def record(self) -> dict[str, Any]:
        """The record of a new run, ready for JSON."""
        return {
            **self.identity.record,
            "recipe": self.recipe.model_dump(mode="json"),
            "model": self.inference.card.model_dump(mode="json"),
            "slide": {**slide_facts(self.slide), "path": self.slide.path},
            "warnings": self._warnings(),
        }

    @property
    def session(self) -> dict[str, Any]:
        """Device, threads and versions of this session, ready for JSON."""
        devices = self.inference.devices
        return {
            "device": ",".join(map(str, devices)),
            "hardware": ", ".join(dict.fromkeys(map(_hardware, devices))),
            "compiled": self.recipe.compile and not self.inference.compile_problem,
            "threads": torch.get_num_threads(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "packages": dict(versions()),
        }

    @cached_property
    def tissue(self) -> Tissue:
        """Tissue mask of the slide, found once and shared by all steps."""
        tissue = find_tissue(self.slide, choice=TissueChoice.of(self.recipe))
        if not self.recipe.leave_out:
            return tissue
        artefacts = find_artefacts(self.slide, tissue)
        return artefacts.without(self.recipe.leave_out)

    @property
    def folder(self) -> Path:
        """Default folder of the run; the same options lead to the same folder."""
        return self.identity.folder(Path(_FOLDER))

    def tiles(self) -> NDArray[np.int64]:
        """Return the numbers of the selected tiles, ascending, int64 of shape (N,).

        Raises
        ------
        RecipeError
            If the region lies outside the slide.
        """
        tiles = self._tiles_in_region()
        if not self.recipe.tissue_only:
            return tiles
        share = self.tissue.fractions([self.grid.core(i) for i in tiles.tolist()])
        return tiles[(share >= self.recipe.min_tissue) & (share > 0)]

    def normalizer(self) -> PixelNormalizer | None:
        """Fit the normalizer of the slide to its reference, or to several references.

        Raises
        ------
        StainError
            If no stain can be fitted to the slide or the reference.
        """
        if self.recipe.normalize is None:
            return None
        method = self.recipe.normalize
        references = [load_reference(name) for name in references_of(self.recipe)]
        fitted = [self._normalizer_to(each, method) for each in references]
        return fitted[0] if len(fitted) == 1 else MultiReferenceNormalizer(fitted)

    def _normalizer_to(self, reference: Reference, method: StainMethod) -> Normalizer:
        choice = TissueChoice.of(self.recipe)
        return slide_normalizer(
            self.slide, method, reference, choice, tissue=lambda: self.tissue
        )

    def _tiles_in_region(self) -> NDArray[np.int64]:
        region = self.recipe.region
        if region is None:
            return np.arange(len(self.grid), dtype=np.int64)
        area = region_of(region)
        assert area is not None  # noqa: S101 - called only for a region
        tiles = np.empty(0, np.int64)
        if self.inference.card.task != "instances":
            tiles = self.grid.inside(area)
        if not len(tiles):
            # Instances are extracted in all tiles that touch the region, then filtered.
            tiles = self.grid.touching(area)
        if not len(tiles):
            box = area.box if isinstance(area, Area) else area
            message = f"The region, {box}, lies outside the slide, {self.slide.size}."
            raise RecipeError(message, "Draw it on the slide, or leave it out.")
        return tiles

    def _warnings(self) -> list[str]:
        warnings = []
        if (enlarged := 1 / self.grid.downsample) > _ENLARGED:
            warnings.append(
                f"The model needs {self.inference.card.mpp:g} µm per pixel; the slide"
                f" has {self.slide.mpp:g}, so its tiles were enlarged {enlarged:.2g}"
                " times."
            )
        if assumption := assumed(self.inference.card):
            warnings.append(assumption)
        if problem := self.inference.compile_problem:
            warnings.append(f"The network was not compiled: {problem}")
        return warnings


def model_of(recipe: Recipe, live: Model | None, device: torch.device) -> TilePredictor:
    """Return the model of a recipe, or a live one; see `keep_models`."""

    def load() -> TileModel:
        return find_model(
            recipe.model if live is None else live,
            trust=recipe.trust,
            weights=recipe.weights or None,
            min_score=recipe.min_score,
        )

    options = recipe.model, recipe.weights, recipe.trust, recipe.min_score
    model = load() if live else kept_model((*options, recipe.compile, device), load)
    references = len(references_of(recipe))
    return model if references == 1 else StainSensitivity(model, references)


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()
