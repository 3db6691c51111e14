"""The task that Dask gives to each of its workers.

The scheduler imports this module to place the task, so it imports nothing large: what
computes is imported in the worker.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.study.analysis import Analysis

_LOOK_S: Final = 0.5


def draw_slides(
    study: str, name: str, options: dict[str, Any], token: str, place: tuple[int, int]
) -> None:
    """Draw slides in a worker of the cluster, which sees the folder of the study.

    It ends after the current chunk when it is asked to, when its client is gone, and
    when its worker is being closed.

    Parameters
    ----------
    study, name : str
        Folder of the study, and the analysis.
    options : dict
        Fields of `WorkerOptions`.
    token : str
        Names the file that asks it to end.
    place : (int, int)
        Number of this worker on its host, and of all there, which share the GPUs.
    """
    from workbench.study.analysis import find_analysis  # noqa: PLC0415 - see above
    from workbench.study.study import open_study  # noqa: PLC0415
    from workbench.study.worker import WorkerOptions, devices_of, work  # noqa: PLC0415

    analysis = find_analysis(open_study(study), name)
    cancel, ended = threading.Event(), threading.Event()
    stop, is_wanted = stop_file(analysis, token), _wanted()

    def look() -> None:
        while not ended.wait(_LOOK_S):
            if stop.exists() or not is_wanted():
                cancel.set()

    watching = threading.Thread(target=look, daemon=True)
    watching.start()
    try:
        devices = devices_of(options["device"] or analysis.recipe.device)
        number, of = place
        share = devices[number::of] or [devices[number % len(devices)]]
        options["device"] = ",".join(share)
        options["shard"] = tuple(options["shard"])
        work(analysis, WorkerOptions(**options), cancel=cancel)
    finally:
        ended.set()


def _wanted() -> Callable[[], bool]:
    """Return a function that says whether the task of this thread is still wanted."""
    from distributed import get_worker  # noqa: PLC0415 - an extra

    worker = get_worker()
    key = worker.get_current_task()

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        known = task is not None and task.state != "cancelled"
        return known and worker.status.name in ("running", "paused")

    return is_wanted


def stop_file(analysis: Analysis, token: str) -> Path:
    """Return the file whose presence asks the tasks of a client to end."""
    return analysis.path / "workers" / f"stop-{token}"
