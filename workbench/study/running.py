"""Running an analysis: starts workers, follows the folder, and starts dead ones again.

The folder is the queue, so this process may itself be killed: the same call goes on.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import StudyError
from workbench.study.local_workers import LocalWorkers
from workbench.study.study_progress import StudyWatch
from workbench.study.worker import WorkerOptions, devices_of, shard_of, work
from workbench.system.long_work import ProgressBar
from workbench.system.thread_pool import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from workbench.study.analysis import Analysis
    from workbench.study.study_progress import StudyProgress

    class Workers(Protocol):
        """Processes that work on an analysis."""

        def tend(self, left: int) -> bool:
            """Start what is missing; return whether any process works."""

        def stop(self) -> None:
            """Let all end after their current chunk, and wait for them."""


_LOOK_S: Final = 0.25
_LONGEST_LOOK_S: Final = 5.0
_LOOK_SHARE: Final = 20
"""A look at the folder takes at most one in so many parts of the time."""


def run_analysis(
    analysis: Analysis,
    workers: int | str | Any = None,
    options: WorkerOptions | None = None,
    *,
    progress: Callable[[StudyProgress], None] | bool | None = None,
    cancel: threading.Event | None = None,
) -> StudyProgress:
    """Run an analysis until every slide has ended, or it is cancelled.

    Parameters
    ----------
    analysis : Analysis
    workers : int, str or Client, optional
        Number of processes on this machine; 0: this process works itself. Default: one
        for each GPU, or one that uses all cores. Or the address of a Dask scheduler,
        "local" for one of this machine, or a `distributed.Client`.
    options : WorkerOptions, optional
        Share of the slides, staging, device and threads. By default several processes
        share the GPUs and cores.
    progress : callable or True, optional
        Called with a `StudyProgress` several times a second at most; True draws a bar.
    cancel : threading.Event, optional
        Ends all processes that were started here after their current chunk.

    Returns
    -------
    StudyProgress
        The last progress. Slides that other machines work on may be left.

    Raises
    ------
    StudyError
        If the processes cannot start, or end at once.
    """
    analysis.resume()
    cancel = cancel or threading.Event()
    options = options or WorkerOptions()
    watch = StudyWatch(analysis, shard_of(analysis.study.rows, options.shard))
    if workers == 0:
        work(analysis, options, cancel=cancel)
        return watch.look()
    processes = _workers(analysis, workers, options)
    bar = ProgressBar(enabled=progress is True)

    def show(found: StudyProgress) -> None:
        bar.draw(found.sentence, found.fraction, 1.0)
        if callable(progress):
            progress(found)

    try:
        while True:
            began = time.monotonic()
            found = watch.look()
            show(found)
            busy = processes.tend(found.left - found.running)
            if not busy or cancel.is_set() or analysis.control == "cancel":
                break
            took = time.monotonic() - began
            cancel.wait(min(max(_LOOK_S, _LOOK_SHARE * took), _LONGEST_LOOK_S))
    finally:
        processes.stop()
        found = watch.look()
        show(found)
        bar.close()
    return found


def _workers(analysis: Analysis, workers: Any, options: WorkerOptions) -> Workers:
    if workers is None or isinstance(workers, int):
        return LocalWorkers(analysis, divided(analysis, workers, options))
    from workbench.study.cluster.dask_workers import DaskWorkers  # noqa: PLC0415 - an extra

    return DaskWorkers(analysis, options, workers)


def divided(
    analysis: Analysis, number: int | None, options: WorkerOptions
) -> Sequence[WorkerOptions]:
    """Return the options of each process on this machine: GPUs and cores are shared.

    Raises
    ------
    StudyError
        If the number is negative.
    """
    devices = devices_of(options.device or analysis.recipe.device)
    number = len(devices) if number is None else number
    if number < 1:
        message = f"{number} processes cannot work."
        raise StudyError(message, "Give 1 or more, or 0 to work in this process.")
    threads = options.threads or (
        max(1, available_cores() // number) if number > 1 else 0
    )
    return [
        replace(options, device=devices[each % len(devices)], threads=threads)
        for each in range(number)
    ]
