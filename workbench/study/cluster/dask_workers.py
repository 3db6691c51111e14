"""Workers placed and supervised by Dask distributed (extra `dask`).

Dask only starts workers and starts them again elsewhere: one task for each of its
workers draws slides from the folder, so no result and no blame is in its hands.
"""

from __future__ import annotations

import time
import uuid
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import StudyError, WorkbenchError
from workbench.study.cluster.dask_client import connect
from workbench.study.cluster.dask_task import draw_slides, stop_file
from workbench.study.cluster.started_clusters import ask_again, waits_for_jobs

if TYPE_CHECKING:
    from workbench.study.analysis import Analysis
    from workbench.study.worker import WorkerOptions

_PATIENCE_S: Final = 120.0
"""Longest time without a worker."""

_GONE: Final = (OSError, RuntimeError, TimeoutError, CancelledError)
"""What a client raises whose scheduler is gone."""

_AGAIN_S: Final = 10.0
"""Seconds after which jobs that have ended are asked for again."""

_LOOK_S: Final = 0.5
_STOP_S: Final = 60.0


class DaskWorkers:
    """One task for each worker of a Dask cluster.

    Parameters
    ----------
    analysis : Analysis
    options : WorkerOptions
    cluster : str or distributed.Client
        Address of a scheduler, "local", or a client of any cluster.
    patience_s : float
        Seconds without any worker after which the work is given up. Not where workers
        are jobs that may wait in a queue.

    Raises
    ------
    MissingPackageError
        If Dask distributed is not installed.
    StudyError
        If the scheduler cannot be reached, or would take work from anybody.
    """

    def __init__(
        self,
        analysis: Analysis,
        options: WorkerOptions,
        cluster: Any,
        *,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._analysis, self._options = analysis, options
        self._address = cluster if isinstance(cluster, str) else ""
        self._client = connect(cluster) if self._address else cluster
        is_queued = waits_for_jobs(self._client.cluster)
        self._patience_s = float("inf") if is_queued else patience_s
        self._asks = bool(is_queued and self._address)
        self._asked = time.monotonic()
        self._tasks: dict[str, Any] = {}
        self._token = uuid.uuid4().hex
        self._seen = time.monotonic()

    def tend(self, left: int) -> bool:
        """Give each worker of the cluster a task while slides are left.

        A scheduler that is gone is waited for, as workers are.

        Raises
        ------
        StudyError
            If there has been no worker for long, or a task cannot work.
        """
        present = self._present()
        if self._asks and left and time.monotonic() - self._asked > _AGAIN_S:
            self._asked = time.monotonic()
            ask_again(self._client.cluster)
        for address, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[address]
                _raise_error(task)
            elif address not in present:  # it would wait for this worker for ever
                del self._tasks[address]
                with suppress(*_GONE):
                    task.cancel(force=True)
        if present:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > self._patience_s:
            message = f"The Dask cluster has had no worker for {self._patience_s:g} s."
            raise StudyError(message, "Start workers, then run again: nothing is lost.")
        for address in sorted(set(present) - set(self._tasks))[: max(0, left)]:
            self._tasks[address] = self._submit(address, present[address])
        return bool(self._tasks) or left > 0

    def _present(self) -> dict[str, tuple[int, int]]:
        """Return the place of each worker: its number, and how many its host has."""
        if self._client.status == "closed" and self._address:  # it gave up
            with suppress(StudyError):
                self._client = connect(self._address)
        if self._client.status != "running":
            return {}
        try:
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
        except _GONE:
            return {}
        hosts: dict[str, list[str]] = {}
        for address in sorted(workers):
            hosts.setdefault(workers[address]["host"], []).append(address)
        return {
            address: (number, len(same))
            for same in hosts.values()
            for number, address in enumerate(same)
        }

    def stop(self) -> None:
        """Let all tasks end after their current chunk, and wait for them."""
        asked = stop_file(self._analysis, self._token)
        asked.touch()
        try:
            began = time.monotonic()
            while self._tasks and time.monotonic() - began < _STOP_S:
                present = self._present()
                for address, task in list(self._tasks.items()):
                    if task.done() or address not in present:
                        del self._tasks[address]
                time.sleep(_LOOK_S / 5)
        finally:
            asked.unlink(missing_ok=True)
            if self._address:
                cluster = self._client.cluster
                self._client.close()
                if cluster is not None:
                    cluster.close()

    def _submit(self, address: str, place: tuple[int, int]) -> Any:
        words = str(self._analysis.study.path), self._analysis.name
        return self._client.submit(
            draw_slides,
            *words,
            asdict(self._options),
            self._token,
            place,
            key=f"workbench-{uuid.uuid4().hex}",
            workers=[address],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )


def _raise_error(task: Any) -> None:
    """Raise the error of a task that would fail again; a lost worker is none."""
    if task.status == "error":
        error = task.exception()
        if isinstance(error, WorkbenchError):
            raise error
        if type(error).__name__ != "KilledWorker":
            message = f"A Dask worker cannot work: {type(error).__name__}: {error}."
            remedy = "Its environment needs this version of slide-workbench."
            raise StudyError(message, remedy) from error
