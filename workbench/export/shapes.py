"""Results of a run as a stream of shapes: its instances, or the cells of its raster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from workbench.export.cells import Cells
from workbench.export.geojson import has_top_class
from workbench.export.instances import blocks_of
from workbench.system.long_work import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from workbench.geometry import FileFrame
    from workbench.models.card import Colour
    from workbench.results.run import Run

_BLOCK: Final = 8192


@dataclass(frozen=True, eq=False, slots=True)
class ShapeBlock:
    """Some shapes, in columns."""

    ids: NDArray[np.int64]
    """Number of each shape, unique in its run: int64 (N,)."""

    polygons: NDArray[np.object_]
    """Shapely polygons in the frame of the file: (N,)."""

    classes: NDArray[np.int64]
    """Index of the class of each shape, -1 where there is none: int64 (N,)."""

    columns: Mapping[str, NDArray[np.floating[Any]]] = field(default_factory=dict)
    """Numbers of each shape by name, such as "score" or "prob_tumour": (N,) each."""

    def __len__(self) -> int:
        """Return the number of shapes."""
        return len(self.ids)

    def records(self, decimals: int = 4) -> Iterator[dict[str, float]]:
        """Return the finite numbers of each shape by name."""
        names = tuple(self.columns)
        numbers = np.stack([np.asarray(c, float) for c in self.columns.values()], 1)
        for row in numbers.round(decimals).tolist():
            yield {n: v for n, v in zip(names, row, strict=True) if v - v == 0}


@dataclass(frozen=True, eq=False, slots=True)
class Shapes:
    """The shapes of a run, read block by block."""

    kind: str
    """"instance" or "cell"."""

    classes: tuple[str, ...]
    """Names of the classes."""

    palette: tuple[Colour, ...]
    """sRGB of each class."""

    columns: tuple[str, ...]
    """Names of the numbers of each shape."""

    blocks: Callable[[], Iterator[ShapeBlock]]
    """Reads all shapes, in blocks of bounded size."""


def shapes_of(run: Run, frame: FileFrame) -> Shapes:
    """Return the shapes of a run in a frame of a file.

    Of a run of instances these are its outlines, with "score" and the measures; of
    any other run the cells that have a value, with the value of each class.

    Raises
    ------
    RunError
        If the instances of the run are not final.
    """
    if run.card.task == "instances":
        return _instances(run, frame)
    cells = Cells.of(run)
    top = has_top_class(run.card)
    classes = run.card.classes if top else ()

    def blocks() -> Iterator[ShapeBlock]:
        corners = frame.of_slide(cells.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
        starts = range(0, len(corners), _BLOCK)
        for start in counted(starts, len(corners), "cells", size=lambda _: _BLOCK):
            part = slice(start, start + _BLOCK)
            values = cells.values[part]
            best = values.argmax(1) if top else np.full(len(values), -1)
            yield ShapeBlock(
                np.arange(start, start + len(values)),
                shapely.box(*corners[part].T),
                best.astype(np.int64),
                dict(zip(cells.measures, values.T, strict=True)),
            )

    palette = tuple(run.card.palette) if top else ()
    return Shapes("cell", tuple(classes), palette, cells.measures, blocks)


def _instances(run: Run, frame: FileFrame) -> Shapes:
    store = run.final_instances

    def blocks() -> Iterator[ShapeBlock]:
        for ids, found in blocks_of(store):
            polygons = found.polygons
            if frame.scaled or any(frame.origin):
                polygons = shapely.transform(polygons, frame.of_slide)
            columns = {"score": found.scores, **found.measures}
            yield ShapeBlock(ids, polygons, found.classes.astype(np.int64), columns)

    columns = ("score", *store.measures)
    return Shapes("instance", store.classes, tuple(store.palette), columns, blocks)
