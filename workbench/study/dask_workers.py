"""Workers placed and supervised by Dask distributed (extra `dask`).

Dask only starts workers and starts them again elsewhere: one task for each of its
workers draws slides from the folder, so no result and no blame is in its hands.
"""

from __future__ import annotations

import ipaddress
import threading
import time
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from workbench.errors import MissingPackageError, StudyError, WorkbenchError
from workbench.study.analysis import WORKERS, find_analysis
from workbench.study.study import open_study
from workbench.study.worker import WorkerOptions, work

if TYPE_CHECKING:
    from workbench.study.analysis import Analysis

LOCAL: Final = "local"
"""Word for a cluster of this machine, in place of the address of a scheduler."""

_PATIENCE_S: Final = 120.0
"""Longest time without a worker."""

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
        Seconds without any worker after which the work is given up.

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
        self._patience_s = patience_s
        self._ours = isinstance(cluster, str)
        self._client = _client(cluster) if self._ours else cluster
        self._tasks: dict[str, Any] = {}
        self._token = uuid.uuid4().hex
        self._seen = time.monotonic()

    def tend(self, left: int) -> bool:
        """Give each worker of the cluster a task while slides are left.

        Raises
        ------
        StudyError
            If there has been no worker for long, or a task cannot work.
        """
        present = set(self._client.scheduler_info(n_workers=-1)["workers"])
        for address, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[address]
                _raise_error(task)
            elif address not in present:  # it would wait for this worker for ever
                del self._tasks[address]
                task.cancel(force=True)
        if present:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > self._patience_s:
            message = f"The Dask cluster has had no worker for {self._patience_s:g} s."
            raise StudyError(message, "Start workers, then run again: nothing is lost.")
        for address in sorted(present - set(self._tasks))[: max(0, left)]:
            self._tasks[address] = self._submit(address)
        return bool(self._tasks) or left > 0

    def stop(self) -> None:
        """Let all tasks end after their current chunk, and wait for them."""
        asked = _stop_file(self._analysis, self._token)
        asked.touch()
        try:
            began = time.monotonic()
            while self._tasks and time.monotonic() - began < _STOP_S:
                present = self._client.scheduler_info(n_workers=-1)["workers"]
                for address, task in list(self._tasks.items()):
                    if task.done() or address not in present:
                        del self._tasks[address]
                time.sleep(_LOOK_S / 5)
        finally:
            asked.unlink(missing_ok=True)
            if self._ours:
                cluster = self._client.cluster
                self._client.close()
                if cluster is not None:
                    cluster.close()

    def _submit(self, address: str) -> Any:
        words = str(self._analysis.study.path), self._analysis.name
        return self._client.submit(
            draw_slides,
            *words,
            asdict(self._options),
            self._token,
            key=f"workbench-{uuid.uuid4().hex}",
            workers=[address],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )


def draw_slides(study: str, name: str, options: dict[str, Any], token: str) -> None:
    """Draw slides in a worker of the cluster, which sees the folder of the study."""
    analysis = find_analysis(open_study(study), name)
    cancel, ended = threading.Event(), threading.Event()
    stop = _stop_file(analysis, token)

    def look() -> None:
        while not ended.wait(_LOOK_S):
            if stop.exists():
                cancel.set()

    watching = threading.Thread(target=look, daemon=True)
    watching.start()
    try:
        options["shard"] = tuple(options["shard"])
        work(analysis, WorkerOptions(**options), cancel=cancel)
    finally:
        ended.set()


def _stop_file(analysis: Analysis, token: str) -> Any:
    return analysis.path / WORKERS / f"stop-{token}"


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


def _client(address: str) -> Any:
    """Return a client of a scheduler; of a local cluster with keys of its own."""
    try:
        from distributed import Client, LocalCluster, Security  # noqa: PLC0415 - an extra
    except ImportError as error:
        package = "dask"
        raise MissingPackageError(package) from error
    if address == LOCAL:
        security = Security.temporary()
        cluster = LocalCluster(
            threads_per_worker=1,
            n_workers=1,
            host="127.0.0.1",
            protocol="tls://",
            security=security,
            dashboard_address="127.0.0.1:0",
        )
        return Client(cluster, security=security)
    if not _is_safe(address):
        message = f"The scheduler at '{address}' would take work from anybody."
        remedy = "Start it with TLS, give its address as tls://..., and set the keys"
        remedy += " in Dask's configuration (distributed.comm.tls)."
        raise StudyError(message, remedy)
    try:
        return Client(address, security=Security())
    except (OSError, ValueError, TypeError) as error:
        message = f"The Dask scheduler at '{address}' cannot be reached: {error}."
        remedy = "Check its address, and the keys in Dask's configuration."
        raise StudyError(message, remedy) from error


def _is_safe(address: str) -> bool:
    """Return whether an address is encrypted, or of this machine alone."""
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    if parts.scheme == "tls":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"
