"""Outlined objects of a slide: annotations, corrections of a run, numbered pixels.

The objects of a tile are int32 (2, side, side): the number of the object of each pixel
(0: none), and its class as index + 1 (0: background, -1: not known).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from skimage.draw import polygon

from workbench.annotations.collection import open_annotations
from workbench.annotations.geojson import read_geojson
from workbench.errors import TrainingError
from workbench.instances.edits import InstanceEdits
from workbench.results.run import open_run
from workbench.training.loop.rasters import read_raster, sampled
from workbench.training.tile_labels import IGNORED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.instances.edited import EditedInstances
    from workbench.slide.slide import Slide
    from workbench.tiling.grid import Grid

REGION: Final = "region"
"""Classes that begin with it, as QuPath's "Region*", are areas in which all objects are
outlined, and no objects."""

UNNAMED: Final = "instance"
"""Class of objects without one."""

UNKNOWN: Final = -1


@dataclass(frozen=True, eq=False)
class OutlinedObjects:
    """Polygons of a slide with their classes; later ones lie above earlier ones."""

    shapes: NDArray[np.object_]
    """Shapely polygons in level-0 pixels, (N,)."""

    names: NDArray[np.str_]
    """Class of each, (N,)."""

    sought: NDArray[np.object_]
    """Shapes of which tiles are learnt: (M,)."""

    complete: bool = False
    """Whether `sought` are areas in which all objects are outlined; else a tile that
    touches one of them is complete."""

    classes: tuple[str, ...] = ()

    @classmethod
    def read(cls, slide: Slide, source: Path | None) -> OutlinedObjects:
        """Return the objects of a GeoJSON file, of a run, or of the app's annotations.

        Raises
        ------
        TrainingError
            If a run is of another slide, or has no corrections.
        """
        if source is not None and source.is_dir():
            return cls._corrected(slide, source)
        found = (
            open_annotations(slide)
            if source is None
            else read_geojson(source, frame=slide.scanned_frame)
        )
        areas = [each for each in found if each.kind == "area"]
        names = np.array([a.classification or UNNAMED for a in areas], np.str_)
        shapes = _shapes([each.geometry for each in areas])
        lower = np.char.lower(names) if len(names) else names
        regions = _begin(lower, REGION)
        used = ~regions & ~_begin(lower, IGNORED)
        sought = shapes[regions] if regions.any() else shapes[used]
        return cls(shapes[used], names[used], sought, complete=bool(regions.any()))

    @classmethod
    def _corrected(cls, slide: Slide, path: Path) -> OutlinedObjects:
        """Return the instances of a run as users corrected them."""
        run = open_run(path)
        if run.record["slide"]["id"] != slide.id:
            message = f"'{path}' is no run of the slide '{slide.name}'."
            raise TrainingError(message, "Correct the line of the CSV.")
        current = InstanceEdits(run.final_instances).current
        changed = _changed(current)
        if not len(changed):
            message = f"The instances of '{path}' have no corrections."
            remedy = "Delete, add or reclassify some in the app (Instances)."
            raise TrainingError(message, remedy)
        kept = np.setdiff1d(np.arange(len(current)), current.gone)
        instances = current.take(kept)
        names = np.array(current.classes, np.str_)[instances.classes]
        return cls(instances.polygons, names, current.take(changed).polygons)

    def with_classes(self, classes: tuple[str, ...]) -> OutlinedObjects:
        """Return the objects of some classes, with the order of their indices."""
        used = np.isin(self.names, classes)
        return OutlinedObjects(
            self.shapes[used], self.names[used], self.sought, self.complete, classes
        )

    def codes_of(
        self, boxes: NDArray[np.float64], grid: Grid, least: float
    ) -> NDArray[np.int64]:
        """Return 0 for each tile that is learnt, -1 for others."""
        del grid
        tiles = shapely.box(*boxes.T)
        codes = np.full(len(boxes), -1)
        if not self.complete:
            pairs = shapely.STRtree(self.sought).query(tiles, predicate="intersects")
            codes[np.unique(pairs[0])] = 0
            return codes
        whole = shapely.union_all(self.sought)
        shapely.prepare(whole)
        near = np.flatnonzero(shapely.intersects(whole, tiles))
        shares = shapely.area(shapely.intersection(whole, tiles[near]))
        codes[near[shares >= least * shapely.area(tiles[near])]] = 0
        return codes

    def objects(self, box: Box, side: int) -> NDArray[np.int32]:
        """Return the objects of a box, int32 (2, side, side); holes are filled."""
        made = np.zeros((2, side, side), np.int32)
        place = shapely.box(box.x0, box.y0, box.x1, box.y1)
        found = np.sort(self._tree.query(place, predicate="intersects"))
        for number, index in enumerate(found.tolist(), 1):
            code = self.classes.index(self.names[index]) + 1
            for part in shapely.get_parts(self.shapes[index]):
                ring = shapely.get_coordinates(part.exterior)
                x = (ring[:, 0] - box.x0) * side / box.width - 0.5
                y = (ring[:, 1] - box.y0) * side / box.height - 0.5
                where = polygon(y, x, (side, side))
                made[0][where], made[1][where] = number, code
        if self.complete:
            made[1][(made[0] == 0) & ~self._searched(box, side)] = UNKNOWN
        return made

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.shapes)

    def _searched(self, box: Box, side: int) -> NDArray[np.bool_]:
        """Return which pixels of a box lie in the areas of complete outlines."""
        step = np.array([box.width, box.height]) / side
        x = box.x0 + (np.arange(side) + 0.5) * step[0]
        y = box.y0 + (np.arange(side) + 0.5) * step[1]
        inside = np.zeros((side, side), bool)
        for area in self.sought:
            inside |= shapely.contains_xy(area, x[None, :], y[:, None])
        return inside


@dataclass(frozen=True, eq=False)
class NumberedObjects:
    """Raster over a whole slide with the number of the object of each pixel."""

    values: NDArray[np.int32]
    """Number of the object, 0: none, int32 (rows, columns)."""

    size: tuple[int, int]
    """Width and height of the slide, in level-0 pixels."""

    @classmethod
    def read(cls, slide: Slide, file: Path) -> NumberedObjects:
        """Return the objects in a label image: .npy, PNG or TIFF.

        Raises
        ------
        TrainingError
            If it cannot be read, or holds no numbers from 0.
        """
        values = read_raster(file)
        return cls(values, slide.size)

    def codes_of(
        self, boxes: NDArray[np.float64], grid: Grid, least: float
    ) -> NDArray[np.int64]:
        """Return 0 for each tile: all of a label image is known."""
        del grid, least
        return np.zeros(len(boxes), np.int64)

    def objects(self, box: Box, side: int) -> NDArray[np.int32]:
        """Return the objects of a box, int32 (2, side, side)."""
        numbers = sampled(self.values, self.size, box, side, outside=UNKNOWN)
        return np.stack([np.maximum(numbers, 0), np.sign(numbers)])


def _changed(current: EditedInstances) -> NDArray[np.int64]:
    """Return the ids of the instances that users deleted, added or reclassified."""
    changes = current.changes
    added = range(len(current.store), len(current))
    ids = {*changes.deleted, *changes.classes, *added} - set(changes.predicted)
    return np.array(sorted(ids), np.int64)


def _begin(names: NDArray[np.str_], start: str) -> NDArray[np.bool_]:
    return np.array([name.startswith(start) for name in names.tolist()], bool)


def _shapes(geometries: list[Any]) -> NDArray[np.object_]:
    shapes = np.empty(len(geometries), object)
    shapes[:] = geometries
    return shapes
