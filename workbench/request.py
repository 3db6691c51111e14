"""What is asked of a run, with all that it takes at hand."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import torch

from workbench.area import Area
from workbench.coverage import region_of
from workbench.devices import resolve_devices
from workbench.errors import RecipeError
from workbench.former_work import FormerWork
from workbench.grid import Grid
from workbench.inference import Inference
from workbench.models.architectures import assumed
from workbench.models.disagreement import Disagreement
from workbench.models.registry import find_model
from workbench.stain.normalizer import Normalizer, fit_normalizer
from workbench.stain.references import load_reference
from workbench.stain.sample import slide_histogram
from workbench.stain.several import SeveralNormalizers
from workbench.team import Team
from workbench.tissue import TissueChoice, find_tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.models.tile_model import TileModel
    from workbench.recipe import Recipe
    from workbench.slide.slide import Slide
    from workbench.tissue import Tissue

_FOLDER: Final = "runs"
_FREE: Final = {"model", "weights", "trust", "device", "precision", "compile"}
"""Options that may differ when a run goes on: each changes no answer but by rounding,
or only by what it leads to, and that is compared (the card with its SHA-256, the
precision)."""

_ADDED: Final = {"tissue_threshold", "ink", "tissue_in", "no_tissue_in"}
"""Options that older runs do not name: at their defaults they are not compared."""

_PACKAGES: Final = ("slide-workbench", "torch", "numpy", "opencv-python-headless")
_ENLARGED: Final = 1.1
"""Tiles may be enlarged by this much without a warning."""


@dataclass(frozen=True, eq=False)
class Request:
    """A recipe with the slide, the model and the grid that it speaks of."""

    slide: Slide
    recipe: Recipe
    inference: Inference | Team
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
        mpp = slide.require_mpp()
        members = [
            Inference(_model(recipe), recipe, device)
            for device in resolve_devices(recipe.device)
        ]
        card = members[0].card
        grid = Grid(slide.size, card.mpp / mpp, card.tile_px, card.margin_px)
        inference = members[0] if len(members) == 1 else Team(members)
        return cls(slide, recipe, inference, grid)

    @property
    def asked(self) -> dict[str, Any]:
        """What must be the same for a run to go on, ready for JSON."""
        return {
            "slide": {
                "id": self.slide.id,
                "size": list(self.slide.size),
                "mpp": self.slide.mpp,
            },
            "recipe": self.recipe.model_dump(mode="json", exclude=_FREE | self._plain),
            "model": self.inference.card.model_dump(mode="json"),
            "grid": {**asdict(self.grid), "slide_size": list(self.grid.slide_size)},
            "precision": self.inference.precision,
        }

    @property
    def _plain(self) -> set[str]:
        fields = type(self.recipe).model_fields
        return {n for n in _ADDED if getattr(self.recipe, n) == fields[n].default}

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
        here = Path(_FOLDER) / self._name(self.slide.id)
        if here.exists():
            return here
        return FormerWork(_FOLDER, self.slide).found(self._name) or here

    def _name(self, known: str) -> str:
        """Return the name of its folder, for a slide that is known by an id."""
        asked = self.asked
        text = json.dumps(
            {**asked, "slide": {**asked["slide"], "id": known}}, sort_keys=True
        )
        fingerprint = hashlib.sha256(text.encode()).hexdigest()[:10]
        names = (Path(self.slide.name).stem, self.inference.card.name, fingerprint)
        return "-".join(re.sub(r"[^\w.-]+", "_", name)[:80] for name in names)

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

    def normalizer(self) -> Normalizer | SeveralNormalizers | None:
        """Fit what brings the slide into the colours of the reference, or of several.

        Raises
        ------
        StainError
            If the slide or the reference has no stain to fit.
        """
        if self.recipe.normalize == "none":
            return None
        method = self.recipe.normalize
        aims = [load_reference(name) for name in _references(self.recipe)]
        colours = slide_histogram(self.slide, tissue=self.tissue)
        if len(aims) == 1:
            return fit_normalizer(colours, aims[0], method=method)
        return SeveralNormalizers(
            [fit_normalizer(colours, aim, method=method) for aim in aims]
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


def _references(recipe: Recipe) -> list[str]:
    """Return the names of all references, each once."""
    names = [recipe.reference, *recipe.references.split(";")]
    return list(dict.fromkeys(name.strip() for name in names if name.strip()))


def _model(recipe: Recipe) -> TileModel | Disagreement:
    model = find_model(
        recipe.model,
        trust=recipe.trust,
        weights=recipe.weights or None,
        min_score=recipe.min_score,
    )
    references = _references(recipe)
    if len(references) == 1:
        return model
    if recipe.normalize == "none":
        message = "Several references are named, but nothing is normalized to them."
        raise RecipeError(message, "Choose a method, such as normalize='vahadane'.")
    return Disagreement(model, len(references))


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
