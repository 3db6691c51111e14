"""Console output of runs, and their cancellation by signals."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.results.run import Run


def counts_of(run: Run) -> str:
    """Return the instance counts of a run as a line; empty if it has no instances."""
    found = run.record.get("objects")
    if not found:
        return ""
    each = ", ".join(f"{count:,} {name}" for name, count in found["classes"].items())
    outside = found.get("outside", 0)
    rest = f"; {outside:,} more lie outside the region, left out" if outside else ""
    return f"{found['count']:,} instances: {each}{rest}"


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
    """Set an event on SIGINT and SIGTERM, so that the run stops after this batch."""
    cancel = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda *_: cancel.set()) for kind in kinds]
    try:
        yield cancel
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
