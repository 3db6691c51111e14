"""What is asked of a run, with all that it takes at hand."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import torch

from workbench.area import Area
from workbench.errors import RecipeError
from workbench.inference.multi_device import MultiDevicePredictor
from workbench.inference.predictor import DevicePredictor
from workbench.inference.run_identity import RunIdentity, grid_for, references_of
from workbench.models.architectures import assumed
from workbench.models.devices import resolve_devices
from workbench.models.registry import find_model
from workbench.models.stain_sensitivity import StainSensitivity
from workbench.stain.multi_reference import MultiReferenceNormalizer
from workbench.stain.references import load_reference
from workbench.stain.slide_fit import slide_normalizer
from workbench.tiling.coverage import region_of
from workbench.tissue import TissueChoice, find_tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.inference.prediction import Predictor
    from workbench.models.tile_model import TileAnswerer
    from workbench.recipe import Recipe, StainMethod
    from workbench.slide.slide import Slide
    from workbench.stain.multi_reference import PixelNormalizer
    from workbench.stain.normalizer import Normalizer
    from workbench.stain.references import Reference
    from workbench.tiling.grid import Grid
    from workbench.tissue import Tissue

_FOLDER: Final = "runs"
_PACKAGES: Final = ("slide-workbench", "torch", "numpy", "opencv-python-headless")
_ENLARGED: Final = 1.1
"""Tiles may be enlarged by this much without a warning."""


@dataclass(frozen=True, eq=False)
class RunPlan:
    """A recipe with the slide, the model and the grid that it speaks of."""

    slide: Slide
    recipe: Recipe
    inference: Predictor
    grid: Grid

    @classmethod
    def of(cls, slide: Slide, recipe: Recipe) -> Self:
        """Find the model, put it on its device, and lay the grid.

        Raises
        ------
        MissingMppError
            If the pixel size of the slide is not known.
        ModelError
            If the model cannot be used.
        RecipeError
            If this machine has no such device.
        """
        slide.require_unchanged()
        slide.require_mpp()
        members = [
            DevicePredictor(_model(recipe), recipe, device)
            for device in resolve_devices(recipe.device)
        ]
        grid = grid_for(slide, members[0].card)
        inference = members[0] if len(members) == 1 else MultiDevicePredictor(members)
        return cls(slide, recipe, inference, grid)

    @property
    def asked(self) -> dict[str, Any]:
        """What must be the same for a run to go on, ready for JSON."""
        return self.identity.asked

    @property
    def identity(self) -> RunIdentity:
        """What decides which folder is that of the run."""
        inference = self.inference
        return RunIdentity(self.slide, self.recipe, inference.card, inference.precision)

    @property
    def facts(self) -> dict[str, Any]:
        """What is asked and of what, for the record of a run."""
        slide, asked = self.slide, self.asked
        given = slide.mpp_is_given
        box = slide.bounds
        return {
            **asked,
            "recipe": self.recipe.model_dump(mode="json"),
            "slide": {
                **asked["slide"],
                "name": slide.name,
                "path": slide.path,
                "mpp_from": "given by the user" if given else "declared by the slide",
                "reader": slide.reader_name,
                "bounds": [box.x0, box.y0, box.x1, box.y1],
                "stored_mpp": list(slide.pixel_size.xy or ()),
                "pixel_scale": list(slide.frame.scale),
            },
            "warnings": self._warnings(),
        }

    @property
    def session(self) -> dict[str, Any]:
        """What calculates now: device, threads and versions."""
        devices = self.inference.devices
        return {
            "device": ",".join(map(str, devices)),
            "hardware": ", ".join(dict.fromkeys(map(_hardware, devices))),
            "compiled": self.recipe.compile and not self.inference.not_compiled,
            "threads": torch.get_num_threads(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "packages": _versions(),
        }

    @cached_property
    def tissue(self) -> Tissue:
        """Where on the slide there is tissue, found once for all that need it."""
        return find_tissue(self.slide, choice=TissueChoice.of(self.recipe))

    @property
    def folder(self) -> Path:
        """Where the run goes by default: the same for the same request."""
        return self.identity.folder(Path(_FOLDER))

    def tiles(self) -> NDArray[np.int64]:
        """Return the tiles that are asked for, in order, int64 of shape (N,).

        Raises
        ------
        RecipeError
            If the region lies outside the slide.
        """
        tiles = self._in_region()
        if not self.recipe.tissue_only:
            return tiles
        share = self.tissue.fractions([self.grid.core(i) for i in tiles.tolist()])
        return tiles[(share >= self.recipe.min_tissue) & (share > 0)]

    def normalizer(self) -> PixelNormalizer | None:
        """Fit what brings the slide into the colours of the reference, or of several.

        Raises
        ------
        StainError
            If the slide or the reference has no stain to fit.
        """
        if self.recipe.normalize is None:
            return None
        method = self.recipe.normalize
        aims = [load_reference(name) for name in references_of(self.recipe)]
        found = [self._normalizer_to(aim, method) for aim in aims]
        return found[0] if len(found) == 1 else MultiReferenceNormalizer(found)

    def _normalizer_to(self, aim: Reference, method: StainMethod) -> Normalizer:
        choice = TissueChoice.of(self.recipe)
        return slide_normalizer(
            self.slide, method, aim, choice, tissue=lambda: self.tissue
        )

    def _in_region(self) -> NDArray[np.int64]:
        region = self.recipe.region
        if region is None:
            return np.arange(len(self.grid), dtype=np.int64)
        where = region_of(region)
        assert where is not None  # noqa: S101 - a region was asked for
        tiles = np.empty(0, np.int64)
        if self.inference.card.task != "instances":
            tiles = self.grid.inside(where)
        if not len(tiles):
            # Objects are found in the whole region, and kept if they lie in it.
            tiles = self.grid.touching(where)
        if not len(tiles):
            box = where.box if isinstance(where, Area) else where
            message = f"The region, {box}, lies outside the slide, {self.slide.size}."
            raise RecipeError(message, "Draw it on the slide, or leave it out.")
        return tiles

    def _warnings(self) -> list[str]:
        warnings = []
        if (enlarged := 1 / self.grid.downsample) > _ENLARGED:
            warnings.append(
                f"The model wants {self.inference.card.mpp:g} µm per pixel; the slide"
                f" has {self.slide.mpp:g}, so its tiles were enlarged {enlarged:.2g}"
                " times."
            )
        if doubt := assumed(self.inference.card):
            warnings.append(doubt)
        if problem := self.inference.not_compiled:
            warnings.append(f"The network was not compiled: {problem}")
        return warnings


def _model(recipe: Recipe) -> TileAnswerer:
    model = find_model(
        recipe.model,
        trust=recipe.trust,
        weights=recipe.weights or None,
        min_score=recipe.min_score,
    )
    references = len(references_of(recipe))
    return model if references == 1 else StainSensitivity(model, references)


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from a checkout that is not installed
            found[package] = "unknown"
    return found
