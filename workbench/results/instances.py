"""The objects of a run: while it is under way in its journal, then in a file.

Nothing here needs torch.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.geometry import Box
from workbench.instances.instances import Instances
from workbench.instances.measure import SHAPES
from workbench.instances.outline_codec import centroids
from workbench.instances.stitching.claims import Claims, Kind
from workbench.instances.stitching.codec import decode, held
from workbench.instances.stitching.overlaps import Disjoint
from workbench.instances.stitching.resolve import resolve_claims
from workbench.instances.writer import InstanceWriter
from workbench.models.card import ModelCard
from workbench.results.run_record import grid_of
from workbench.results.tile_results import read_answers
from workbench.tiling.coverage import Coverage, region_of, within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.area import Area
    from workbench.results.tile_results import TileResults
    from workbench.tiling.grid import Grid

OBJECTS: Final = "instances.parquet"

STAINS: Final = ("hematoxylin_od", "eosin_od", "dab_od")
"""Mean amounts of stain, in optical density to base 10, by the vectors of Ruifrok and
Johnston: hematoxylin and eosin as in H&E, DAB as beside hematoxylin."""

MEASURES: Final = (*SHAPES, *STAINS)
"""What is measured of each object of a run."""

_CHUNK_BITS: Final = 32


def write_instances(
    journal: Path, path: Path, record: Mapping[str, Any], tiles: NDArray[np.int64]
) -> dict[str, Any]:
    """Write what the journal of a run holds as one file of objects, each once.

    Only what lies at seams is in memory at once.

    Parameters
    ----------
    journal : Path
    path : Path
        Of the file; it is there as a whole or not at all.
    record : mapping
        Of the run.
    tiles : int64 (N,)
        The tiles of the run.

    Returns
    -------
    dict
        For the record: how many objects there are, by class; of a run over a region,
        how many were left out because their centroid lies outside; and what was done
        at the seams.

    Raises
    ------
    RunFolderError
        If the disk refuses.
    """
    card = ModelCard.model_validate(record["model"])
    mpp = record["slide"]["mpp"]
    grid = grid_of(record)
    latest, answered = _answered(journal)
    covered = Coverage(grid, answered, region_of(record["recipe"]["region"]))
    counts = np.zeros(len(card.classes), np.int64)
    outside = 0
    with InstanceWriter(
        path,
        classes=card.classes,
        colours=card.colours,
        measures=MEASURES,
        mpp=mpp,
        covered=covered,
    ) as file:

        def write(found: Instances) -> None:
            nonlocal outside
            inside = covered.holds(*centroids(found).T)
            outside += len(found) - int(inside.sum())
            file.append(kept := found.take(inside))
            counts[:] += np.bincount(kept.classes, minlength=len(counts))

        seams = [c.take(c.kinds != Kind.OWN) for c in _claims(journal, latest)]
        layered = _layered(card)
        settled, report = resolve_claims(
            Claims.concatenate(seams), grid, tiles, mpp, layered=layered
        )
        disjoint = Disjoint(settled, mpp, layered=layered)
        for claims in _claims(journal, latest):
            own = claims.instances.take(claims.kinds == Kind.OWN)
            disjoint.meet(own)
            write(own)
        parted, trimmed, dropped = disjoint.parted()
        write(parted)
    repeated = report.repeated + dropped
    report = replace(report, trimmed=trimmed, repeated=repeated)
    by_class = dict(zip(card.classes, counts.tolist(), strict=True))
    found: dict[str, Any] = {"count": int(counts.sum()), "classes": by_class}
    if covered.region is not None:
        found["outside"] = outside
    return {**found, **asdict(report)}


def _answered(journal: Path) -> tuple[dict[int, int], NDArray[np.int64]]:
    """Return where the last record of each chunk ends, and the tiles that have answers.

    A tile that failed has none.
    """
    latest: dict[int, int] = {}
    tiles: dict[int, NDArray[np.int64]] = {}
    for end, answers in read_answers(journal):
        latest[answers.chunk] = end
        failed = np.isin(answers.tiles, list(answers.failures))
        tiles[answers.chunk] = answers.tiles[~failed]
    return latest, np.sort(np.concatenate([np.empty(0, np.int64), *tiles.values()]))


def _claims(journal: Path, latest: dict[int, int]) -> Iterator[Claims]:
    """Return what was found chunk by chunk; of tiles tried again, the last."""
    for end, answers in read_answers(journal):
        if latest[answers.chunk] == end and answers.objects:
            yield decode(answers.objects)


def _layered(card: ModelCard) -> bool:
    """Tell whether objects of different classes may overlap: each has its raster."""
    return card.decoder == "labels" and len(card.classes) > 1


@dataclass(frozen=True, slots=True)
class _Chunk:
    start: int
    """Where its record begins in the journal."""

    hull: Box
    held: list[int]


class LiveInstances:
    """The objects that a run under way has found so far.

    Safe from any number of threads. Those at seams are as the tiles saw them; what is
    written at the end has each once and whole.

    Parameters
    ----------
    journal : Path
    grid : Grid
    card : ModelCard
    region : Box or Area, optional
        What was asked for: objects whose centroid lies outside are not counted.
    """

    def __init__(
        self,
        journal: Path,
        grid: Grid,
        card: ModelCard,
        region: Box | Area | None = None,
    ) -> None:
        self.classes = card.classes
        self.colours = card.colours
        self.measures = MEASURES
        self.version = 0
        self._journal, self._grid, self._region = journal, grid, region
        self._lock = threading.Lock()
        self._chunks: dict[int, _Chunk] = {}

    def add(self, start: int, answers: TileResults) -> None:
        """Take up a record that begins at `start` in the journal."""
        hull = Box.hull([self._grid.tile(tile) for tile in answers.tiles.tolist()])
        counts = held(answers.objects) if answers.objects else []
        if any(counts) and self._region is not None:
            found = self._counted(answers).classes
            counts = np.bincount(found, minlength=len(self.classes)).tolist()
        with self._lock:
            self._chunks[answers.chunk] = _Chunk(start, hull, counts)
            self.version += 1

    @property
    def counts(self) -> dict[str, int]:
        """How many there are, by class."""
        with self._lock:
            rows = [chunk.held for chunk in self._chunks.values() if chunk.held]
        sums = np.sum(rows, axis=0, initial=0) if rows else [0] * len(self.classes)
        return dict(zip(self.classes, map(int, sums), strict=True))

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(self.counts.values())

    def within(self, box: Box) -> tuple[NDArray[np.int64], Instances]:
        """Return the objects whose own boxes share a point with a box, and their ids.

        An id holds while the run is under way.
        """
        with self._lock:
            near = [
                (number, chunk.start)
                for number, chunk in self._chunks.items()
                if chunk.hull.intersection(box).area and chunk.held
            ]
        ids, parts = [np.empty(0, np.int64)], []
        for number, start in near:
            _, answers = next(iter(read_answers(self._journal, start)))
            found = self._counted(answers)
            x0, y0, x1, y1 = found.boxes.T
            inside = (x0 <= box.x1) & (x1 >= box.x0) & (y0 <= box.y1) & (y1 >= box.y0)
            which = np.flatnonzero(inside)
            ids.append((number << _CHUNK_BITS) + which)
            parts.append(found.take(which))
        return np.concatenate(ids), Instances.concatenate(parts)

    def _counted(self, answers: TileResults) -> Instances:
        """Return the objects of a record that count."""
        found = decode(answers.objects).held.instances
        if self._region is None:
            return found
        return found.take(within(self._region, *centroids(found).T))
