"""Reading of run folders: finished, in progress, or killed.

A run is a folder:

run.json      options, slide, model, status and timings
tiles.npy     numbers of the selected tiles, int64
journal       results so far, chunk by chunk; removed when all are in the scores
scores.zarr   results as rasters, float32 (classes, rows, columns), NaN where there is
              none: derived from the journal when the run ends
vectors.zarr  vectors of the tiles, for an embedding
instances.parquet  instances, each once and complete, for a model of instances

While there is a journal, it is authoritative. Imports no torch.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import filelock
import numpy as np

from workbench.area import Area
from workbench.errors import (
    InvalidCardError,
    OutOfBoundsError,
    RecipeError,
    RunError,
)
from workbench.instances.store import InstanceStore, open_instances
from workbench.markup import facts
from workbench.models.card import ModelCard
from workbench.recipe import Recipe
from workbench.results.blending import raster_of
from workbench.results.heatmap import Heatmap
from workbench.results.heatmap_picture import heatmap_pictures
from workbench.results.instances import INSTANCES, LiveInstances
from workbench.results.mipmap import Mipmap
from workbench.results.run_record import (
    DAMAGE,
    RECORD,
    TILES,
    grid_of,
    read_record,
    read_tiles,
    unreadable,
)
from workbench.results.scores_zarr import read_scores
from workbench.results.tile_results import read_tile_results
from workbench.results.vectors_zarr import gather_vectors, read_vectors
from workbench.system.paths import is_file
from workbench.tiling.coverage import Coverage, region_of

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.instances.source import InstanceSource
    from workbench.progress import Status
    from workbench.results.embeddings import Embeddings
    from workbench.results.tile_results import Raster

JOURNAL: Final = "journal"
SCORES: Final = "scores.zarr"
VECTORS: Final = "vectors.zarr"
LOCK: Final = ".lock"

_PROBE_S: Final = 0.04
"""Maximum time in seconds that another reader holds the lock."""


class Run:
    """A run folder; follows a run in progress, in this process or another.

    Made by `open_run`. Thread-safe.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._record: dict[str, Any] = {}
        self._record_stamp: tuple[int, int] = (0, 0)
        self._journal_end = 0
        record = self.record
        try:
            self.recipe = Recipe.of(**record["recipe"])
            """Options of the run."""
            self.card = ModelCard.model_validate(record["model"])
            """Card of the model, with the SHA-256 of its weights."""
            self.grid = grid_of(record)
            """Tile grid of the run."""
        except (*DAMAGE, RecipeError, InvalidCardError, OutOfBoundsError) as error:
            raise unreadable(path / RECORD, error) from error
        self._selected = self._selected_blocks()
        by_instance = self.card.task == "instances" and self.region is not None
        self._bounds = Area.of(self.region) if by_instance else None
        self._raster: Raster | None = None
        self._final: Heatmap | None = None
        self._live = (
            LiveInstances(path / JOURNAL, self.grid, self.card, self.region)
            if self.card.task == "instances"
            else None
        )
        self._store: InstanceStore | None = None
        self._store_stamp = (0, 0)

    @property
    def record(self) -> dict[str, Any]:
        """Current content of `run.json`."""
        file = self.path / RECORD
        with self._lock:
            try:
                stamp = _stamp(file)
            except OSError as error:
                raise unreadable(file, error) from error
            if stamp != self._record_stamp:
                self._record = read_record(self.path)
                self._record_stamp = stamp
            return self._record

    @property
    def status(self) -> Status:
        """Status of the run; "interrupted" if its process ended unexpectedly."""
        status: Status = self.record["status"]
        if status == "running" and not is_locked(self.path):
            # The run may have ended between reading the record and testing the lock.
            status = self.record["status"]
            return "interrupted" if status == "running" else status
        return status

    @property
    def tiles_total(self) -> int:
        """Number of selected tiles."""
        return int(self.record["tiles_total"])

    @property
    def tiles_done(self) -> int:
        """Number of processed tiles, including failed ones."""
        raster = self._follow()
        return int(self.record["tiles_done"]) if raster is None else raster.tiles_done

    @property
    def tiles_failed(self) -> int:
        """Number of tiles that failed."""
        raster = self._follow()
        if raster is None:
            return int(self.record["tiles_failed"])
        return len(raster.failures)

    @property
    def failures(self) -> dict[int, str]:
        """Reason for each failed tile; the first 1000 of a finished run."""
        raster = self._follow()
        if raster is None:
            return {each["tile"]: each["reason"] for each in self.record["failures"]}
        return dict(raster.failures)

    @property
    def heatmap(self) -> Heatmap:
        """The values so far.

        While the run is in progress, the raster is filled in place; its `version`
        increases with each chunk.
        """
        raster = self._follow()
        if raster is not None:
            return self._heatmap_of(raster.values, raster.version, raster.overview)
        assert self._final is not None  # noqa: S101 - otherwise there is a raster
        return self._final

    @property
    def region(self) -> Box | Area | None:
        """Region of the run; None: the whole slide."""
        return region_of(self.recipe.region)

    @property
    def covered(self) -> Coverage:
        """Area with results so far; counts are divided by it."""
        return Coverage.of_values(self.grid, self.heatmap.values, self.region)

    @property
    def embeddings(self) -> Embeddings:
        """The vectors so far, of an embedding model.

        Raises
        ------
        RunError
            If the model is not an embedding, or the vectors cannot be read.
        """
        if not self.card.dimensions:
            message = f"'{self.card.name}' gives no vectors."
            raise RunError(message, "Run a model whose task is 'embedding'.")
        version = self.heatmap.version
        file = self.path / VECTORS
        if self._follow() is None:
            try:
                return read_vectors(file, self.grid, version)
            except Exception as error:  # zarr and its codecs raise many
                raise unreadable(file, error) from error
        results = (each for _, each in read_tile_results(self.path / JOURNAL))
        return gather_vectors(results, self.grid, version)

    @property
    def instances(self) -> InstanceSource:
        """The instances so far, of a model of instances.

        While the run is in progress they are read from its journal, as predicted for
        each tile; then from a file, each instance once and complete, opened when first
        used.

        Raises
        ------
        RunError
            If the model predicts no instances, or the file cannot be read.
        """
        if self._live is None:
            message = f"'{self.card.name}' does not predict instances."
            raise RunError(message, "Run a model whose task is 'instances'.")
        self._follow()
        stored = self._stored_instances()
        return self._live if stored is None else stored

    @property
    def final_instances(self) -> InstanceStore:
        """The instances of a run that has ended, each once and complete.

        Raises
        ------
        RunError
            If the model predicts no instances, or the run has not ended.
        """
        found = self._stored_instances() if self.instances.final else None
        if found is None:
            message = (
                f"The instances of '{self.path}' are not final: it is {self.status}."
            )
            remedy = "Let the run end, or run it again, and then export."
            raise RunError(message, remedy)
        return found

    def _stored_instances(self) -> InstanceStore | None:
        with self._lock:
            file = self.path / INSTANCES
            if not file.exists():
                return None
            if self._store is None or self._store_stamp != _stamp(file):
                self._store = open_instances(file)
                self._store_stamp = _stamp(file)
            store = self._store
        if store.covered is None:
            store.restrict(self.covered)
        return store

    def _follow(self) -> Raster | None:
        """Read new records of the journal; None once the scores replace it."""
        journal = self.path / JOURNAL
        with self._lock:
            if self._final is not None:
                return None
            raster = self._raster or raster_of(self.grid, self.card)
            for end, results in read_tile_results(journal, self._journal_end):
                raster.paint(results)
                if self._live is not None:
                    self._live.add(self._journal_end, results)
                self._journal_end = end
            self._raster = raster
            # Checked after reading: the journal may have been removed meanwhile.
            if journal.exists() or not (self.path / SCORES).exists():
                return raster
            scores = _scores(self.path / SCORES, raster.values.shape)
            overview = Mipmap(scores)
            self._final = self._heatmap_of(scores, raster.version + 1, overview)
            self._raster = None
            return None

    def _selected_blocks(self) -> NDArray[np.bool_]:
        selected = np.zeros(self.grid.rows * self.grid.columns, bool)
        tiles = read_tiles(self.path)
        if len(tiles) and not 0 <= tiles.min() <= tiles.max() < len(selected):
            error = ValueError("it names tiles that the slide does not have")
            raise unreadable(self.path / TILES, error)
        selected[tiles] = True
        return selected.reshape(self.grid.rows, self.grid.columns)

    def _heatmap_of(
        self, values: NDArray[np.float32], version: int, overview: Mipmap
    ) -> Heatmap:
        shown = values.view()
        shown.flags.writeable = False
        return Heatmap(
            values=shown,
            classes=self.card.classes,
            cell=self.grid.step / self.card.cells,
            unit=self.card.unit,
            value_range=self.card.value_range,
            version=version,
            selected=self._selected,
            overview=overview,
            region=self._bounds,
        )

    def __repr__(self) -> str:
        """Return a one-line description."""
        return (
            f"<Run '{self.path}': {self.card.name} on {self.record['slide']['name']},"
            f" {self.status}, {self.tiles_done} of {self.tiles_total} tiles>"
        )

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        record = self.record
        failed = self.tiles_failed
        rows = {
            "Slide": f"{record['slide']['name']} ({record['slide']['mpp']:g} µm/px)",
            "Model": self.card.name,
            "Normalization": self.recipe.normalize or "none",
            "Status": self.status,
            "Tiles": f"{self.tiles_done} of {self.tiles_total}"
            + (f", {failed} failed" if failed else ""),
            "Folder": str(self.path),
        }
        shown = self.heatmap
        pictures = heatmap_pictures(shown.classes, shown.values, shown.value_range)
        return str(facts(rows) + pictures)


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open a run folder: finished, in progress, cancelled or killed.

    Parameters
    ----------
    path : str or PathLike
        The run folder.

    Raises
    ------
    RunError
        If it holds no run, or one with a newer format.

    Examples
    --------
    >>> wb.open_run("runs/slide").status
    'finished'
    """
    folder = Path(path)
    if not is_file(folder / RECORD):
        message = f"There is no run at '{folder}'."
        raise RunError(message, f"Give a folder that holds '{RECORD}'.")
    return Run(folder)


def _stamp(file: Path) -> tuple[int, int]:
    """Return a value that changes when a file is replaced."""
    facts = file.stat()
    return facts.st_mtime_ns, facts.st_ino


def is_locked(folder: Path) -> bool:
    """Return whether a process is writing the folder."""
    lock = filelock.FileLock(folder / LOCK, thread_local=False)
    try:
        with lock.acquire(timeout=_PROBE_S, poll_interval=_PROBE_S / 4):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return False


def _scores(file: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    try:
        return read_scores(file, shape)
    except Exception as error:  # zarr and its codecs raise many
        raise unreadable(file, error) from error
