"""Console output of long work, and its stop by signals."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workbench.progress import counted_noun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.progress import Stage
    from workbench.results.run import Run


def counts_of(run: Run) -> str:
    """Return the instance counts of a run as a line; empty if it has no instances."""
    found = run.record.get("objects")
    if not found:
        return ""
    each = ", ".join(f"{count:,} {name}" for name, count in found["classes"].items())
    outside = found.get("outside", 0)
    rest = f"; {outside:,} more lie outside the region, left out" if outside else ""
    return f"{counted_noun(found['count'], 'instances')}: {each}{rest}"


def summary_of(run: Run) -> dict[str, Any]:
    """Return the summary of a run that `--json` prints."""
    return {
        "path": str(run.path),
        "status": run.status,
        "tiles_done": run.tiles_done,
        "tiles_total": run.tiles_total,
        "record": run.record,
    }


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Set an event on SIGINT and SIGTERM, so that work stops after what it is at.

    A second SIGINT stops it at once, as without this.
    """
    cancel = threading.Event()

    def stop(kind: int, _: object) -> None:
        if cancel.is_set() and kind == signal.SIGINT:
            raise KeyboardInterrupt
        cancel.set()

    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, stop) for kind in kinds]
    try:
        yield cancel
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


@contextmanager
def shown(stage: Stage, *, progress: bool) -> Iterator[None]:
    """Show the long work of this block as one line that goes; stop it on signals.

    Parameters
    ----------
    stage : str
        What is done.
    progress : bool
        Whether the line is shown.

    Raises
    ------
    StoppedError
        If it was stopped; the exit status is then 130.
    """
    from workbench.system.long_work import followed  # noqa: PLC0415 - see LazyGroup

    with stop_on_signal() as cancel, followed(progress, stage, cancel=cancel):
        yield
