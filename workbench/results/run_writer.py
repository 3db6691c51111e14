"""Writing of run folders, such that a kill at any moment costs one chunk at most.

Every file is either appended to (the journal) or replaced as a whole (all others).
`run.json` is written to a new folder after everything that it describes; the journal
is removed only when the scores and the record that replace it are on disk.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import filelock
import numpy as np

from workbench.errors import RecipeMismatchError, RunError, SharedIdError
from workbench.models.card import ModelCard
from workbench.results.blending import raster_of
from workbench.results.instances import INSTANCES, write_instances
from workbench.results.run import JOURNAL, LOCK, SCORES, VECTORS
from workbench.results.run_folder import differences
from workbench.results.run_record import (
    FORMAT,
    RECORD,
    TILES,
    grid_of,
    read_record,
    read_tiles,
)
from workbench.results.scores_zarr import part_of, write_scores
from workbench.results.tile_results import RECORD_PREFIX, read_tile_results
from workbench.results.vectors_zarr import write_vectors
from workbench.slide.migration import FormerWork
from workbench.system.append_log import AppendLog
from workbench.system.atomic_files import disk_errors, replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from workbench.progress import Status
    from workbench.results.tile_results import Raster, TileResults
    from workbench.slide.slide import Slide

_LOCK_WAIT_S: Final = 2.0
"""Maximum wait for the lock: processes that probe the lock hold it for an instant."""

_LISTED_FAILURES: Final = 1000

_log = logging.getLogger(__name__)


class RunWriter:
    """A run folder that this process alone writes.

    A context manager: leaving it by an error keeps the results, and writes the error
    to the record.

    Parameters
    ----------
    path : Path
        The folder; created if missing.

    Attributes
    ----------
    record : dict
        Content of `run.json`; empty in a new folder until `create`.
    tiles : int64 (N,)
        Numbers of the selected tiles.

    Raises
    ------
    RunError
        On entering, if another process writes the folder, it holds other files, or
        writing fails.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record: dict[str, Any] = {}
        self.tiles: NDArray[np.int64] = np.empty(0, np.int64)
        self._journal: AppendLog | None = None
        self._tally: dict[int, tuple[int, int]] = {}
        """Number of tiles of each processed chunk, and of failed tiles among them."""
        self._tiles_done = 0
        self._lock = filelock.FileLock(path / LOCK, thread_local=False)

    def __enter__(self) -> Self:
        """Lock the folder and read its content."""
        with disk_errors(self.path):
            _check_no_other_files(self.path)
            self.path.mkdir(parents=True, exist_ok=True)
            _acquire(self._lock, self.path)
        try:
            if (self.path / RECORD).exists():
                self.record = read_record(self.path)
            if self.finished:  # and killed before the journal was removed
                self._drop_journal()
        except RunError:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Unlock the folder; after an error, write it to the record first."""
        try:
            if self._journal is not None and error is not None:
                self._record_error(error)
        finally:
            if self._journal is not None:
                self._journal.abandon()
            self._lock.release()
            if not self.record:  # nothing was started, so nothing is left behind
                _remove_if_empty(self.path)

    @property
    def finished(self) -> bool:
        """Whether the run is finished."""
        return bool(self.record) and self.record["status"] == "finished"

    @property
    def batch_size(self) -> int:
        """Number of tiles in a chunk."""
        return int(self.record["batch_size"])

    @property
    def chunks_done(self) -> frozenset[int]:
        """Chunks without failed tiles; the others are computed again."""
        return frozenset(c for c, (_, failed) in self._tally.items() if not failed)

    @property
    def tiles_done(self) -> int:
        """Number of processed tiles, including failed ones."""
        return self._tiles_done

    @property
    def tiles_failed(self) -> int:
        """Number of tiles that failed."""
        return sum(failed for _, failed in self._tally.values())

    def create(
        self,
        facts: Mapping[str, Any],
        tiles: NDArray[np.int64],
        session: Mapping[str, Any],
    ) -> None:
        """Start a new run.

        Parameters
        ----------
        facts : mapping
            Fields of `run.json`: options, slide, model and warnings.
        tiles : int64 (N,)
            Numbers of the selected tiles.
        session : mapping
            Device, threads and versions of this session.
        """
        self.tiles = tiles
        self._drop_journal()  # of a run that was killed before it had a record
        replace_file(self.path / TILES, _npy_bytes(tiles))
        self._journal = AppendLog(self.path / JOURNAL, begins=RECORD_PREFIX)
        self._write(
            format=FORMAT,
            status="running",
            message="",
            created=_now(),
            ended=None,
            **facts,
            tiles_total=len(tiles),
            tiles_done=0,
            tiles_failed=0,
            failures=[],
            timings={},
            sessions=[{"started": _now(), **session}],
        )

    def resume(self, session: Mapping[str, Any]) -> None:
        """Resume the run in the folder; see `create`."""
        self.tiles = read_tiles(self.path)
        for derived in (SCORES, VECTORS):
            shutil.rmtree(self.path / derived, ignore_errors=True)
        with disk_errors(self.path):
            (self.path / INSTANCES).unlink(missing_ok=True)
        for _, results in read_tile_results(self.path / JOURNAL):
            self._count(results)
        self._journal = AppendLog(self.path / JOURNAL, begins=RECORD_PREFIX)
        sessions = [*self.record["sessions"], {"started": _now(), **session}]
        self._write(status="running", message="", ended=None, sessions=sessions)

    def adopt(self, slide: Slide) -> None:
        """Take over a run that an earlier version started under the slide's former id.

        Raises
        ------
        SharedIdError
            If other slides may have that id, and the owner of the run is not decided.
        """
        if not self.record or self.record["slide"]["id"] == slide.id:
            return
        ours = FormerWork(self.path.parent, slide).owns_run(self.record)
        if ours is None:
            raise SharedIdError(slide.path, f"the run '{self.path.name}'")
        if ours:
            was = self.record["slide"]
            self._write(slide={**was, "id": slide.id, "former_id": was["id"]})

    def check(self, facts: Mapping[str, Any]) -> None:
        """Refuse to resume a run with another identity.

        Raises
        ------
        RecipeMismatchError
            If the record differs from `facts`; it names the first difference.
        """
        if self.record and (difference := next(differences(self.record, facts), "")):
            raise RecipeMismatchError(self.path, difference)

    def append(self, results: TileResults) -> None:
        """Append the results of one chunk to the journal.

        Raises
        ------
        RunError
            If the disk is full or writing fails; earlier results stay.
        """
        assert self._journal is not None  # noqa: S101 - after create or resume
        self._journal.append(results.encode())
        self._count(results)

    def close(self, status: Status, timings: Mapping[str, float]) -> None:
        """End this session: write the scores, the vectors or instances, and the record.

        Parameters
        ----------
        status : Status
            "finished" if all tiles are processed; otherwise the journal stays, so that
            the run can be resumed.
        timings : mapping of str to float
            Seconds of each stage of this session.
        """
        assert self._journal is not None  # noqa: S101 - after create or resume
        self._journal.close()
        raster = self._raster()
        write_scores(self.path / SCORES, raster.values, self._attributes())
        if dimensions := self.record["model"].get("dimensions"):
            write_vectors(
                self.path / VECTORS,
                (results for _, results in read_tile_results(self.path / JOURNAL)),
                self.tiles,
                grid_of(self.record),
                {**self._attributes(), "dimensions": dimensions},
            )
        if self.record["model"]["task"] == "instances":
            journal, file = self.path / JOURNAL, self.path / INSTANCES
            self._write(objects=write_instances(journal, file, self.record, self.tiles))
        failures = [
            {"tile": tile, "reason": reason} for tile, reason in raster.failures.items()
        ]
        self._write(
            status=status,
            ended=_now(),
            tiles_done=raster.tiles_done,
            tiles_failed=len(failures),
            failures=failures[:_LISTED_FAILURES],
            timings=_add_timings(self.record["timings"], timings),
        )
        if status == "finished":
            self._drop_journal()

    def end_with(self, instances: Mapping[str, Any]) -> None:
        """Finish a run after `close`, whose instances were written otherwise.

        Parameters
        ----------
        instances : mapping
            Their number, `count`, and that of each class, `classes`.
        """
        self._write(objects=dict(instances), status="finished")
        self._drop_journal()

    def _drop_journal(self) -> None:
        with disk_errors(self.path):
            (self.path / JOURNAL).unlink(missing_ok=True)

    def _record_error(self, error: BaseException) -> None:
        """Write the reason for the end to the record, if the disk allows it."""
        status = "failed" if isinstance(error, Exception) else "cancelled"
        try:
            self._write(
                status=status,
                message=str(error),
                ended=_now(),
                tiles_done=self.tiles_done,
            )
        except RunError:
            _log.exception("The end of a run was not recorded")

    def _count(self, results: TileResults) -> None:
        before, _ = self._tally.get(results.chunk, (0, 0))
        self._tally[results.chunk] = (len(results.tiles), len(results.failures))
        self._tiles_done += len(results.tiles) - before

    def _raster(self) -> Raster:
        card = ModelCard.model_validate(self.record["model"])
        raster = raster_of(grid_of(self.record), card)
        for _, results in read_tile_results(self.path / JOURNAL):
            raster.paint(results)
        return raster

    def _write(self, **facts: Any) -> None:
        self.record = {**self.record, **facts}
        text = json.dumps(self.record, indent=2, ensure_ascii=False, allow_nan=False)
        try:
            data = text.encode()
        except UnicodeEncodeError:  # file names that are not valid Unicode
            data = json.dumps(self.record, indent=2, allow_nan=False).encode()
        replace_file(self.path / RECORD, data)

    def _attributes(self) -> dict[str, Any]:
        model, grid = self.record["model"], grid_of(self.record)
        return {
            "classes": model["classes"],
            "unit": model["unit"],
            "cell_px": grid.step / model["cells"],
            "slide_id": self.record["slide"]["id"],
            "slide_mpp": self.record["slide"]["mpp"],
        }


def _check_no_other_files(path: Path) -> None:
    """Raise an error if the folder holds files that are not of a run."""
    if not path.exists() or (path / RECORD).exists():
        return
    derived = (path / SCORES, path / VECTORS)
    ours = {RECORD, JOURNAL, TILES, LOCK, INSTANCES}
    ours |= {name for each in derived for name in (each.name, part_of(each).name)}
    foreign = sorted(p.name for p in path.iterdir() if p.name.split("~")[0] not in ours)
    if foreign:
        message = f"'{path}' holds other files, such as '{foreign[0]}'."
        raise RunError(message, "Choose a new or empty folder for the run.")


def _remove_if_empty(path: Path) -> None:
    """Remove a run folder in which no run was started."""
    with contextlib.suppress(OSError):  # another run has started there since
        if [each.name for each in path.iterdir()] == [LOCK]:
            (path / LOCK).unlink()
        path.rmdir()


def _add_timings(*each: Mapping[str, float]) -> dict[str, float]:
    names = dict.fromkeys(name for timings in each for name in timings)
    return {name: round(sum(t.get(name, 0.0) for t in each), 3) for name in names}


def _acquire(lock: filelock.BaseFileLock, path: Path) -> None:
    try:
        lock.acquire(timeout=_LOCK_WAIT_S)
    except filelock.Timeout:
        message = f"'{path}' is being written by a run in progress."
        raise RunError(message, "Wait for it, or choose another folder.") from None


def _npy_bytes(values: NDArray[np.int64]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
