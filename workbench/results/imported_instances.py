"""Outlines that another program has found, as a run: drawn, counted and exported."""

from __future__ import annotations

import hashlib
import importlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench import __version__
from workbench.errors import MissingPackageError, RunError
from workbench.instances.instances import Instances
from workbench.instances.measure import SHAPES, shapes_of
from workbench.instances.outline_codec import centroids
from workbench.instances.writer import InstanceWriter
from workbench.models.card import ModelCard
from workbench.results.instances import INSTANCES
from workbench.results.run import Run, open_run
from workbench.results.run_writer import RunWriter
from workbench.results.slide_facts import slide_facts
from workbench.results.tile_results import TileResults
from workbench.tiling.coverage import Coverage
from workbench.tiling.grid import Grid

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.slide.slide import Slide

_TILE_PX: Final = 1024
"""Side of the part of a tile that counts, in level-0 pixels."""

_MARGIN_PX: Final = 32
_CELLS: Final = 8
_BLOCK: Final = 1 << 16
_SCORE: Final = "score"
_UM_PER_MM: Final = 1000.0
_UNIT: Final = "1/mm²"
_HIGHEST: Final = 5000.0


def import_instances(
    path: str | os.PathLike[str],
    slide: Slide,
    out: str | os.PathLike[str],
    *,
    name: str = "",
) -> Run:
    """Make a run of the outlines in a file of another program.

    The run is drawn, filtered, corrected, counted and exported as those of models; it
    cannot be computed again. Shape measures are added where the file has none.

    Parameters
    ----------
    path : path
        DICOM Microscopy Bulk Simple Annotations with polygons, rectangles or ellipses,
        a group for each class.
    slide : Slide
        The slide of the outlines; it must have a pixel size.
    out : path
        Folder of the run.
    name : str, optional
        Name of what found them. Default: that of the file.

    Returns
    -------
    Run

    Raises
    ------
    RunError
        If the file is damaged, of another slide, or holds no outlines, or the folder is
        in use.
    MissingMppError
        If the pixel size is not known.
    MissingPackageError
        If the extra `dicom` is not installed.
    """
    file, folder = Path(path), Path(out)
    mpp = slide.require_mpp()
    groups = _read(file, slide)
    classes = tuple(dict.fromkeys(group.label or "object" for group in groups))
    if not sum(len(group.ends) for group in groups):
        message = f"'{file}' holds no outlines."
        raise RunError(message, "Import it as annotations.")
    card = ModelCard(
        name=name or file.name.split(".")[0] or "imported",
        task="instances",
        classes=classes,
        unit=_UNIT,
        value_range=(0.0, _HIGHEST),
        mpp=mpp,
        tile_px=_TILE_PX + 2 * _MARGIN_PX,
        margin_px=_MARGIN_PX,
        cells=_CELLS,
        decoder="labels",
        source=f"Imported from '{file.name}'.",
    )
    grid = Grid(slide.size, 1.0, card.tile_px, _MARGIN_PX)
    density = _Density(grid, len(classes), mpp)
    parts = [(classes.index(g.label or "object"), g) for g in groups]
    with RunWriter(folder) as writer:
        if writer.record:
            message = f"'{folder}' holds another run."
            raise RunError(message, "Choose a new folder.")
        tiles = np.arange(len(grid))
        writer.create(_facts(file, slide, card, grid), tiles, _session())
        for code, group in parts:
            density.add(code, group)
        writer.append(TileResults(0, tiles, density.values()))
        writer.close("running", {})
        counts = _write(folder / INSTANCES, parts, card, Coverage(grid, tiles), mpp)
        writer.end_with({"count": sum(counts.values()), "classes": counts})
    return open_run(folder)


def _read(file: Path, slide: Slide) -> list[Any]:
    """Return the groups of outlines in a file."""
    try:
        outlines: Any = importlib.import_module("workbench.dicom.outlines")
        sources: Any = importlib.import_module("workbench.dicom.source")
        results: Any = importlib.import_module("workbench.dicom.results")
    except ImportError as error:
        raise MissingPackageError("dicom") from error  # noqa: EM101 - its name
    try:
        groups: list[Any] = outlines.read_outlines(
            file, sources.SourceImage.of_slide(slide)
        )
    except results.UnusableError as error:
        message = f"'{file}' cannot be imported: {error.reason}."
        raise RunError(message, error.remedy or "Give another file.") from error
    except OSError as error:
        message = f"'{file}' cannot be read: {error.strerror or error}."
        raise RunError(message, "Check its name.") from error
    return groups


def _facts(file: Path, slide: Slide, card: ModelCard, grid: Grid) -> dict[str, Any]:
    """Return the fields of `run.json`."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return {
        "slide": {**slide_facts(slide), "path": slide.path},
        "recipe": {"model": card.name, "region": None},
        "model": card.model_dump(mode="json"),
        "grid": {
            "slide_size": list(grid.slide_size),
            "downsample": 1.0,
            "tile_px": grid.tile_px,
            "margin_px": grid.margin_px,
        },
        "precision": "float32",
        "normalizer": None,
        "batch_size": len(grid),
        "warnings": [],
        "imported": {"name": file.name, "sha256": digest},
    }


def _session() -> dict[str, Any]:
    """Return what the record says about the machine; nothing was computed on it."""
    return {
        "device": "none",
        "hardware": "imported",
        "compiled": False,
        "threads": 1,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {"slide-workbench": __version__},
    }


def _write(
    file: Path,
    parts: Sequence[tuple[int, Any]],
    card: ModelCard,
    covered: Coverage,
    mpp: float,
) -> dict[str, int]:
    """Write the instances; return their number by class."""
    shared = dict.fromkeys(
        name for _, group in parts for name in group.measures if name != _SCORE
    )
    counts = dict.fromkeys(card.classes, 0)
    names = list(dict.fromkeys([*SHAPES, *shared]))
    with InstanceWriter(
        file,
        classes=card.classes,
        colours=card.palette,
        measures=names,
        mpp=mpp,
        covered=covered,
    ) as writer:
        for code, group in parts:
            counts[card.classes[code]] += len(group.ends)
            for start in range(0, len(group.ends), _BLOCK):
                found = _instances(code, group, slice(start, start + _BLOCK))
                writer.append(_measured(found, names, mpp))
    return counts


def _instances(code: int, group: Any, rows: slice) -> Instances:
    """Return some outlines of a group as instances."""
    ends = group.ends[rows]
    first = int(group.ends[rows.start - 1]) if rows.start else 0
    scores = group.measures.get(_SCORE)
    taken = np.ones(len(ends), np.float32)
    if scores is not None:
        taken = np.nan_to_num(scores[rows], nan=1.0)
    return Instances(
        points=group.points[first : int(ends[-1])] if len(ends) else group.points[:0],
        ends=ends - first,
        classes=np.full(len(ends), code, np.uint16),
        scores=taken,
        measures={n: v[rows] for n, v in group.measures.items() if n != _SCORE},
    )


def _measured(found: Instances, names: Sequence[str], mpp: float) -> Instances:
    """Return instances with all measures, their own before those of their shape."""
    known = {**shapes_of(found, mpp), **found.measures}
    missing = np.full(len(found), np.nan, np.float32)
    measures = {name: known.get(name, missing) for name in names}
    return Instances(
        found.points, found.ends, found.classes, found.scores, measures=measures
    )


class _Density:
    """Number of instances in each cell of the tiles of a grid."""

    def __init__(self, grid: Grid, classes: int, mpp: float) -> None:
        self._grid, self._mpp = grid, mpp
        rows, columns = grid.rows * _CELLS, grid.columns * _CELLS
        self._counts = np.zeros((classes, rows, columns), np.int64)

    def add(self, code: int, group: Any) -> None:
        """Count the outlines of a group by their centroids."""
        _, rows, columns = self._counts.shape
        cell = _TILE_PX / _CELLS
        for start in range(0, len(group.ends), _BLOCK):
            found = _instances(code, group, slice(start, start + _BLOCK))
            x, y = (centroids(found) // cell).astype(np.int64).T
            place = y.clip(0, rows - 1), x.clip(0, columns - 1)
            np.add.at(self._counts[code], place, 1)

    def values(self) -> NDArray[np.float32]:
        """Return the density of each tile per mm², float32 (N, C, cells, cells)."""
        grid = self._grid
        side = _TILE_PX / _CELLS * self._mpp / _UM_PER_MM
        density = (self._counts / side**2).astype(np.float32)
        shape = (len(density), grid.rows, _CELLS, grid.columns, _CELLS)
        tiles = density.reshape(shape).transpose(1, 3, 0, 2, 4)
        return np.ascontiguousarray(tiles).reshape(-1, len(density), _CELLS, _CELLS)
