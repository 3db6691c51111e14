"""Instances of a run: in its journal while it is in progress, then in a file.

Imports no torch.
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
from workbench.instances.stitching.claims import ClaimKind, Claims
from workbench.instances.stitching.codec import decode, held
from workbench.instances.stitching.overlaps import Disjoint
from workbench.instances.stitching.resolve import resolve_claims
from workbench.instances.writer import InstanceWriter
from workbench.models.card import ModelCard
from workbench.results.run_record import grid_of
from workbench.results.tile_results import read_tile_results
from workbench.tiling.coverage import Coverage, region_of, within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.area import Area
    from workbench.geometry import BoxLike
    from workbench.results.tile_results import TileResults
    from workbench.tiling.grid import Grid

INSTANCES: Final = "instances.parquet"

STAINS: Final = ("hematoxylin_od", "eosin_od", "dab_od")
"""Mean optical densities (base 10) of stains, by the vectors of Ruifrok and Johnston:
hematoxylin and eosin as in H&E, DAB as beside hematoxylin."""

MEASURES: Final = (*SHAPES, *STAINS)
"""Measures of each instance of a run."""

_CHUNK_BITS: Final = 32


def write_instances(
    journal: Path, path: Path, record: Mapping[str, Any], tiles: NDArray[np.int64]
) -> dict[str, Any]:
    """Write the instances in the journal of a run to one file, without duplicates.

    Only the instances at tile borders are all in memory.

    Parameters
    ----------
    journal : Path
    path : Path
        File to write; it appears only when complete.
    record : mapping
        Record of the run.
    tiles : int64 (N,)
        Numbers of the tiles of the run.

    Returns
    -------
    dict
        Summary for the record: number of instances, by class; for a run on a region,
        the number left out because their centroid lies outside; and the counts of what
        was resolved at tile borders.

    Raises
    ------
    RunFolderError
        If writing fails.
    """
    card = ModelCard.model_validate(record["model"])
    mpp = record["slide"]["mpp"]
    grid = grid_of(record)
    latest, tiles_done = _latest_records(journal)
    covered = Coverage(grid, tiles_done, region_of(record["recipe"]["region"]))
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

        def write(instances: Instances) -> None:
            nonlocal outside
            inside = covered.holds(*centroids(instances).T)
            outside += len(instances) - int(inside.sum())
            file.append(kept := instances.take(inside))
            counts[:] += np.bincount(kept.classes, minlength=len(counts))

        border_claims = [
            c.take(c.kinds != ClaimKind.OWN) for c in _claims(journal, latest)
        ]
        layered = _classes_may_overlap(card)
        resolved, report = resolve_claims(
            Claims.concatenate(border_claims), grid, tiles, mpp, layered=layered
        )
        disjoint = Disjoint(resolved, mpp, layered=layered)
        for claims in _claims(journal, latest):
            own = claims.instances.take(claims.kinds == ClaimKind.OWN)
            disjoint.meet(own)
            write(own)
        parted, trimmed, dropped = disjoint.parted()
        write(parted)
    repeated = report.repeated + dropped
    report = replace(report, trimmed=trimmed, repeated=repeated)
    by_class = dict(zip(card.classes, counts.tolist(), strict=True))
    summary: dict[str, Any] = {"count": int(counts.sum()), "classes": by_class}
    if covered.region is not None:
        summary["outside"] = outside
    return {**summary, **asdict(report)}


def _latest_records(journal: Path) -> tuple[dict[int, int], NDArray[np.int64]]:
    """Return the end of the last record of each chunk, and the tiles with results.

    Failed tiles have none.
    """
    latest: dict[int, int] = {}
    tiles: dict[int, NDArray[np.int64]] = {}
    for end, results in read_tile_results(journal):
        latest[results.chunk] = end
        failed = np.isin(results.tiles, list(results.failures))
        tiles[results.chunk] = results.tiles[~failed]
    return latest, np.sort(np.concatenate([np.empty(0, np.int64), *tiles.values()]))


def _claims(journal: Path, latest: dict[int, int]) -> Iterator[Claims]:
    """Yield the claims of each chunk; of repeated tiles, the last."""
    for end, results in read_tile_results(journal):
        if latest[results.chunk] == end and results.claims:
            yield decode(results.claims)


def _classes_may_overlap(card: ModelCard) -> bool:
    """Return whether instances of different classes may overlap (separate rasters)."""
    return card.decoder == "labels" and len(card.classes) > 1


@dataclass(frozen=True, slots=True)
class _Chunk:
    start: int
    """Start of the record in the journal, in bytes."""

    hull: Box
    held: list[int]


class LiveInstances:
    """Instances found so far by a run in progress.

    Thread-safe. Instances at tile borders are as their tiles predicted them; the final
    file has each one once and complete.

    Parameters
    ----------
    journal : Path
    grid : Grid
    card : ModelCard
    region : Box or Area, optional
        Region of the run: instances with a centroid outside are not counted.
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
        self.final = False
        self._journal, self._grid, self._region = journal, grid, region
        self._lock = threading.Lock()
        self._chunks: dict[int, _Chunk] = {}

    def add(self, start: int, results: TileResults) -> None:
        """Add a record that starts at `start` in the journal."""
        hull = Box.hull([self._grid.tile(tile) for tile in results.tiles.tolist()])
        counts = held(results.claims) if results.claims else []
        if any(counts) and self._region is not None:
            instances = self._in_region(results).classes
            counts = np.bincount(instances, minlength=len(self.classes)).tolist()
        with self._lock:
            self._chunks[results.chunk] = _Chunk(start, hull, counts)
            self.version += 1

    @property
    def counts(self) -> dict[str, int]:
        """Number of instances, by class."""
        with self._lock:
            rows = [chunk.held for chunk in self._chunks.values() if chunk.held]
        sums = np.sum(rows, axis=0, initial=0) if rows else [0] * len(self.classes)
        return dict(zip(self.classes, map(int, sums), strict=True))

    def __len__(self) -> int:
        """Return the number of instances."""
        return sum(self.counts.values())

    def within(self, box: BoxLike) -> tuple[NDArray[np.int64], Instances]:
        """Return the instances whose bounding boxes share a point with a box, with ids.

        Ids are valid while the run is in progress.
        """
        box = Box.of(box)
        with self._lock:
            near = [
                (number, chunk.start)
                for number, chunk in self._chunks.items()
                if chunk.hull.intersection(box).area and chunk.held
            ]
        ids, parts = [np.empty(0, np.int64)], []
        for number, start in near:
            _, results = next(iter(read_tile_results(self._journal, start)))
            instances = self._in_region(results)
            x0, y0, x1, y1 = instances.boxes.T
            inside = (x0 <= box.x1) & (x1 >= box.x0) & (y0 <= box.y1) & (y1 >= box.y0)
            selected = np.flatnonzero(inside)
            ids.append((number << _CHUNK_BITS) + selected)
            parts.append(instances.take(selected))
        return np.concatenate(ids), Instances.concatenate(parts)

    def _in_region(self, results: TileResults) -> Instances:
        """Return the instances of a record that lie in the region."""
        instances = decode(results.claims).held.instances
        if self._region is None:
            return instances
        return instances.take(within(self._region, *centroids(instances).T))
