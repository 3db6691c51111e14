"""Runs on disk, as they are read: finished, under way, or killed.

A run is a folder:

run.json      what was asked, of what, with what, and how it went
tiles.npy     numbers of the tiles that are asked for, int64
journal       the answers so far, chunk by chunk; removed when all are in the scores
vectors.zarr  of an embedding, also the vectors of the tiles
instances.parquet  of a model that finds objects, also these, each once and whole
scores.zarr   the answers as rasters, float32 (classes, rows, columns), NaN where
              there is none: derived from the journal when the run ends

While there is a journal it is the truth. Nothing here needs torch.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import filelock
import numpy as np

from workbench.area import Area
from workbench.errors import OutOfBoundsError, RecipeError, RunError
from workbench.instances.store import InstanceStore, open_instances
from workbench.markup import facts
from workbench.models.card import ModelCard
from workbench.recipe import Recipe
from workbench.results.blending import raster_of
from workbench.results.heatmap import Heatmap
from workbench.results.instances import OBJECTS, LiveInstances
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
from workbench.results.tile_results import read_answers
from workbench.results.vectors_zarr import gather, read_vectors
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

_LOOK_S: Final = 0.04
"""Somebody else who looks holds the lock for less than this."""


class Run:
    """A run on disk; follows it while it is under way, in this process or another.

    Opened with `open_run`. Safe from any number of threads.
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
            """What was asked."""
            self.card = ModelCard.model_validate(record["model"])
            """Of the model that answered, with the SHA-256 of its weights."""
            self.grid = grid_of(record)
            """Where its tiles lie."""
        except (*DAMAGE, RecipeError, OutOfBoundsError) as error:
            raise unreadable(path / RECORD, error) from error
        self._asked = self._asked_blocks()
        counted = self.card.task == "instances" and self.region is not None
        self._bounds = Area.of(self.region) if counted else None
        self._raster: Raster | None = None
        self._final: Heatmap | None = None
        self._live = (
            LiveInstances(path / JOURNAL, self.grid, self.card, self.region)
            if self.card.task == "instances"
            else None
        )
        self._objects: InstanceStore | None = None
        self._objects_stamp = (0, 0)

    @property
    def record(self) -> dict[str, Any]:
        """What `run.json` says now."""
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
        """Where it stands; "interrupted" if its process ended without a word."""
        status: Status = self.record["status"]
        if status == "running" and not is_locked(self.path):
            # It may have ended between the two looks.
            status = self.record["status"]
            return "interrupted" if status == "running" else status
        return status

    @property
    def tiles_total(self) -> int:
        """Number of tiles that are asked for."""
        return int(self.record["tiles_total"])

    @property
    def tiles_done(self) -> int:
        """Number of tiles that are answered, those that failed included."""
        raster = self._follow()
        return int(self.record["tiles_done"]) if raster is None else raster.tiles_done

    @property
    def tiles_failed(self) -> int:
        """Number of tiles that were tried and have no answer."""
        raster = self._follow()
        if raster is None:
            return int(self.record["tiles_failed"])
        return len(raster.failures)

    @property
    def failures(self) -> dict[int, str]:
        """Why, for each of those tiles; of a finished run the first 1000."""
        raster = self._follow()
        if raster is None:
            return {each["tile"]: each["reason"] for each in self.record["failures"]}
        return dict(raster.failures)

    @property
    def heatmap(self) -> Heatmap:
        """The values so far.

        Those of a run under way are one raster that goes on being filled; its
        `version` grows with each chunk.
        """
        raster = self._follow()
        if raster is not None:
            return self._heatmap_of(raster.values, raster.version, raster.overview)
        assert self._final is not None  # noqa: S101 - or there would be a raster
        return self._final

    @property
    def region(self) -> Box | Area | None:
        """What was asked for; None: the whole slide."""
        return region_of(self.recipe.region)

    @property
    def covered(self) -> Coverage:
        """Where it has answered so far: what anything counted is divided by."""
        return Coverage.of_values(self.grid, self.heatmap.values, self.region)

    @property
    def embeddings(self) -> Embeddings:
        """The vectors so far, of a model that embeds.

        Raises
        ------
        RunError
            If the model does not, or the vectors cannot be read.
        """
        if not self.card.dimensions:
            message = f"'{self.card.name}' gives no vectors."
            raise RunError(message, "Run a model whose task is 'embedding'.")
        version = self.heatmap.version
        file = self.path / VECTORS
        if self._follow() is None:
            try:
                return read_vectors(file, self.grid, version)
            except Exception as error:  # zarr's and its codecs' are many
                raise unreadable(file, error) from error
        answers = (each for _, each in read_answers(self.path / JOURNAL))
        return gather(answers, self.grid, version)

    @property
    def instances(self) -> InstanceSource:
        """The objects so far, of a model that finds some.

        While the run is under way they are as the tiles saw them, and read from its
        journal; then they are a file, each object once and whole, opened when first
        asked for.

        Raises
        ------
        RunError
            If the model finds none, or the file cannot be read.
        """
        if self._live is None:
            message = f"'{self.card.name}' finds no objects."
            raise RunError(message, "Run a model whose task is 'instances'.")
        self._follow()
        with self._lock:
            file = self.path / OBJECTS
            if not file.exists():
                return self._live
            if self._objects is None or self._objects_stamp != _stamp(file):
                self._objects = open_instances(file)
                self._objects_stamp = _stamp(file)
            found = self._objects
        if found.covered is None:
            found.restrict(self.covered)
        return found

    def _follow(self) -> Raster | None:
        """Read what the journal has gained; None once the scores took its place."""
        journal = self.path / JOURNAL
        with self._lock:
            if self._final is not None:
                return None
            raster = self._raster or raster_of(self.grid, self.card)
            for end, answers in read_answers(journal, self._journal_end):
                raster.paint(answers)
                if self._live is not None:
                    self._live.add(self._journal_end, answers)
                self._journal_end = end
            self._raster = raster
            # Looked for after reading: it may have gone while it was read.
            if journal.exists() or not (self.path / SCORES).exists():
                return raster
            scores = _scores(self.path / SCORES, raster.values.shape)
            overview = Mipmap(scores)
            self._final = self._heatmap_of(scores, raster.version + 1, overview)
            self._raster = None
            return None

    def _asked_blocks(self) -> NDArray[np.bool_]:
        asked = np.zeros(self.grid.rows * self.grid.columns, bool)
        tiles = read_tiles(self.path)
        if len(tiles) and not 0 <= tiles.min() <= tiles.max() < len(asked):
            error = ValueError("it names tiles that the slide does not have")
            raise unreadable(self.path / TILES, error)
        asked[tiles] = True
        return asked.reshape(self.grid.rows, self.grid.columns)

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
            asked=self._asked,
            overview=overview,
            region=self._bounds,
        )

    def __repr__(self) -> str:
        """Say what it is in one line."""
        return (
            f"<Run '{self.path}': {self.card.name} on {self.record['slide']['name']},"
            f" {self.status}, {self.tiles_done} of {self.tiles_total} tiles>"
        )

    def _repr_html_(self) -> str:
        """Show a notebook what was done and how it went."""
        record = self.record
        failed = self.tiles_failed
        rows = {
            "Slide": f"{record['slide']['name']} ({record['slide']['mpp']:g} µm/px)",
            "Model": self.card.name,
            "Normalization": self.recipe.normalize or "none",
            "Status": self.status,
            "Tiles": f"{self.tiles_done} of {self.tiles_total}"
            + (f", {failed} without an answer" if failed else ""),
            "Folder": str(self.path),
        }
        return str(facts(rows))


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open a run folder; it may be finished, under way, cancelled or killed.

    Parameters
    ----------
    path : str or PathLike
        The folder.

    Raises
    ------
    RunError
        If it holds no run, or one of a newer version of this program.
    """
    folder = Path(path)
    if not is_file(folder / RECORD):
        message = f"There is no run at '{folder}'."
        raise RunError(message, f"Give a folder that holds '{RECORD}'.")
    return Run(folder)


def _stamp(file: Path) -> tuple[int, int]:
    """Return what changes when a file is replaced."""
    facts = file.stat()
    return facts.st_mtime_ns, facts.st_ino


def is_locked(folder: Path) -> bool:
    """Tell whether a process writes the folder now."""
    lock = filelock.FileLock(folder / LOCK, thread_local=False)
    try:
        with lock.acquire(timeout=_LOOK_S, poll_interval=_LOOK_S / 4):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return False


def _scores(file: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    try:
        return read_scores(file, shape)
    except Exception as error:  # zarr's and its codecs' are many
        raise unreadable(file, error) from error
