"""Where examples come from: slides with annotations or label images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import numpy as np

from workbench.annotations.collection import open_annotations
from workbench.annotations.geojson import read_geojson
from workbench.errors import StainError, TrainingError
from workbench.stain.references import REFERENCES, load_reference
from workbench.tiling.grid import Grid
from workbench.training.loop.objects import NumberedObjects, OutlinedObjects
from workbench.training.loop.rasters import read_raster, sampled
from workbench.training.tile_labels import IGNORED, label_tiles

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.annotations.annotation import Annotation
    from workbench.area import Area
    from workbench.geometry import Box
    from workbench.slide.slide import Slide
    from workbench.training.loop.recipe import TrainingRecipe

UNLABELLED: Final = 255
"""Value of pixels without a label, in masks and label images."""

STANDARD: Final = np.array(REFERENCES["he-standard"].stains)
"""Stain vectors of tiles whose slide has no fit, float64 (2, 3)."""


class Source(Protocol):
    """One slide, or one folder of pictures, with its labelled tiles."""

    @property
    def name(self) -> str:
        """Name for messages and records."""

    @property
    def codes(self) -> NDArray[np.int64]:
        """Class of each tile, int64 (N,)."""

    @property
    def stains(self) -> NDArray[np.float64]:
        """Stain vectors for augmentation, float64 (2, 3)."""

    def read(self, rows: NDArray[np.int64], threads: int) -> NDArray[np.uint8]:
        """Return tiles, uint8 (N, side, side, 3), normalized if the recipe says so."""

    def masks(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the class of each pixel of tiles, uint8 (N, side, side)."""

    def objects(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the objects of tiles, int32 (N, 2, side, side); see `objects.py`."""

    def where(self, row: int) -> tuple[float, ...] | str:
        """Return the box of a tile, or the path of a picture, for the record."""


Labels: TypeAlias = "Outlines | LabelImage | OutlinedObjects | NumberedObjects"


@dataclass(eq=False)
class SlideSource:
    """Labelled tiles of an open slide."""

    slide: Slide
    side: int
    labels: Labels
    boxes: list[Box] = field(default_factory=list)
    codes: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    normalizer: object | None = None
    stains: NDArray[np.float64] = field(default_factory=STANDARD.copy)

    @property
    def name(self) -> str:
        """Name of the slide."""
        return self.slide.name

    @classmethod
    def of(cls, slide: Slide, labels: Labels, recipe: TrainingRecipe) -> SlideSource:
        """Return the tiles of a slide that its labels cover.

        Raises
        ------
        MissingMppError
            If the slide has no pixel size.
        """
        downsample = recipe.mpp / slide.require_mpp()
        grid = Grid(slide.size, downsample, recipe.tile_px)
        every = grid.tiles(range(len(grid)))
        edges = np.array([(b.x0, b.y0, b.x1, b.y1) for b in every], np.float64)
        least = recipe.min_coverage
        if recipe.task == "segmentation":
            assert isinstance(labels, Outlines | LabelImage)  # noqa: S101 - by its task
            codes = np.where(labels.covered(edges, grid) >= least, 0, -1)
        else:
            codes = labels.codes_of(edges, grid, least)
        kept = np.flatnonzero(codes >= 0)
        made = cls(slide, recipe.tile_px, labels, [every[i] for i in kept], codes[kept])
        made._fit_stains(recipe)
        return made

    def _fit_stains(self, recipe: TrainingRecipe) -> None:
        """Fit the stains of the slide, for normalization and augmentation."""
        from workbench.stain.slide_fit import fit_slide  # noqa: PLC0415 - loads torch

        if recipe.normalize:
            reference = load_reference(recipe.reference)
            fitted = fit_slide(self.slide, recipe.normalize, reference)
            self.normalizer, self.stains = fitted.normalizer, np.array(reference.stains)
        elif recipe.stain_augmentation:
            try:
                fitted = fit_slide(self.slide, None, REFERENCES["he-standard"])
                self.stains = np.array(fitted.fit.stains)
            except StainError:
                return  # the standard's

    def read(self, rows: NDArray[np.int64], threads: int) -> NDArray[np.uint8]:
        """Return tiles, uint8 (N, side, side, 3)."""
        boxes = [self.boxes[row] for row in rows.tolist()]
        pixels = self.slide.read_tiles(boxes, (self.side, self.side), threads=threads)
        if self.normalizer is None:
            return pixels
        normalized: NDArray[np.uint8] = self.normalizer(pixels)  # type: ignore[operator]
        return normalized

    def masks(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the class of each pixel of tiles, uint8 (N, side, side)."""
        labels = self.labels
        assert isinstance(labels, Outlines | LabelImage)  # noqa: S101 - by its task
        return np.stack([labels.mask(self.boxes[i], self.side) for i in rows.tolist()])

    def objects(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the objects of tiles, int32 (N, 2, side, side)."""
        labels = self.labels
        assert isinstance(labels, OutlinedObjects | NumberedObjects)  # noqa: S101
        found = [labels.objects(self.boxes[i], self.side) for i in rows.tolist()]
        return np.stack(found)

    def where(self, row: int) -> tuple[float, ...]:
        """Return the box of a tile in level-0 pixels."""
        box = self.boxes[row]
        return box.x0, box.y0, box.x1, box.y1


@dataclass(frozen=True, eq=False)
class Outlines:
    """Classified areas and points of a slide; later ones lie above earlier ones."""

    annotations: tuple[Annotation, ...]
    classes: tuple[str, ...]

    @classmethod
    def read(
        cls, slide: Slide, file: Path | None, classes: tuple[str, ...]
    ) -> Outlines:
        """Return the annotations of a file, or those of the app."""
        found = (
            open_annotations(slide)
            if file is None
            else read_geojson(file, frame=slide.scanned_frame)
        )
        return cls(tuple(each for each in found if is_class(each)), classes)

    @property
    def _areas(self) -> list[tuple[int, Area]]:
        return [
            (self.classes.index(each.classification), each.area)
            for each in self.annotations
            if each.kind == "area" and each.classification in self.classes
        ]

    def codes_of(
        self, boxes: NDArray[np.float64], grid: Grid, least: float
    ) -> NDArray[np.int64]:
        """Return the class of each tile, -1: none."""
        del grid
        used = [a for a in self.annotations if a.classification in self.classes]
        labels = label_tiles(boxes, used, min_coverage=least)
        codes = np.full(len(boxes), -1)
        codes[labels.rows] = [self.classes.index(name) for name in labels.names]
        return codes

    def covered(self, boxes: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
        """Return the labelled share of each tile, on a coarse raster."""
        shares = np.zeros(len(boxes))
        touched = [grid.touching(area) for _, area in self._areas]
        for row in np.unique(
            np.concatenate([np.empty(0, np.int64), *touched])
        ).tolist():
            mask = self.mask(grid.tile(row), _COARSE)
            shares[row] = (mask != UNLABELLED).mean()
        return shares

    def mask(self, box: Box, side: int) -> NDArray[np.uint8]:
        """Return the class of each pixel of a box, uint8 (side, side)."""
        found = np.full((side, side), UNLABELLED, np.uint8)
        for code, area in self._areas:
            if area.box.intersection(box).area:
                found[area.mask(box, (side, side))] = code
        return found


_COARSE: Final = 16
"""Side of the raster on which the labelled share of a tile is measured."""


@dataclass(frozen=True, eq=False)
class LabelImage:
    """Raster of classes over a whole slide; 255: no label."""

    values: NDArray[np.uint8]
    """Index of the class, uint8 (rows, columns)."""

    size: tuple[int, int]
    """Width and height of the slide, in level-0 pixels."""

    @classmethod
    def read(cls, slide: Slide, file: Path, classes: tuple[str, ...]) -> LabelImage:
        """Return the label image in a file: .npy, PNG or TIFF.

        Raises
        ------
        TrainingError
            If it cannot be read, or names classes that there are not.
        """
        return cls(read_codes(file, classes), slide.size)

    def codes_of(
        self, boxes: NDArray[np.float64], grid: Grid, least: float
    ) -> NDArray[np.int64]:
        """Return the class that covers most of each tile, -1: less than `least`."""
        codes = np.full(len(boxes), -1)
        for row in range(len(boxes)):
            counts = np.bincount(
                self.mask(grid.tile(row), _COARSE).ravel(), minlength=256
            )
            best = int(counts[:UNLABELLED].argmax())
            if counts[best] >= least * _COARSE**2:
                codes[row] = best
        return codes

    def covered(self, boxes: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
        """Return the labelled share of each tile, on a coarse raster."""
        masks = (self.mask(grid.tile(row), _COARSE) for row in range(len(boxes)))
        return np.array([(mask != UNLABELLED).mean() for mask in masks])

    def mask(self, box: Box, side: int) -> NDArray[np.uint8]:
        """Return the class of each pixel of a box, uint8 (side, side)."""
        found: NDArray[np.uint8] = sampled(
            self.values, self.size, box, side, outside=UNLABELLED
        )
        return found


def read_codes(file: Path, classes: tuple[str, ...]) -> NDArray[np.uint8]:
    """Return a label image of indices of classes, uint8 (H, W); 255: no label.

    Raises
    ------
    TrainingError
        If it cannot be read, or names classes that there are not.
    """
    values = read_raster(file)
    known = np.unique(values)
    wrong = known[(known >= len(classes)) & (known != UNLABELLED)]
    if len(wrong):
        message = (
            f"'{file}' is no label image of {len(classes)} classes: value {wrong[0]}."
        )
        remedy = "Values are indices of `classes`, 255 where there is no label."
        raise TrainingError(message, remedy)
    return values.astype(np.uint8)


def is_class(annotation: Annotation) -> bool:
    """Return whether an annotation has a class that is to be learnt."""
    name = annotation.classification
    return bool(name) and not name.lower().startswith(IGNORED)
