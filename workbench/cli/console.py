"""What a run says to a console, and how one is stopped from there."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.results.run import Run


def counts_of(run: Run) -> str:
    """Return how many objects a run found, as a line; empty if it looks for none."""
    found = run.record.get("objects")
    if not found:
        return ""
    each = ", ".join(f"{count:,} {name}" for name, count in found["classes"].items())
    outside = found.get("outside", 0)
    rest = f"; {outside:,} more lie outside the region, left out" if outside else ""
    return f"{found['count']:,} objects: {each}{rest}"


def told_of(run: Run) -> dict[str, Any]:
    """Return what there is to say of a run, ready for JSON."""
    return {
        "path": str(run.path),
        "status": run.status,
        "tiles_done": run.tiles_done,
        "tiles_total": run.tiles_total,
        "record": run.record,
    }


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Turn Ctrl-C and a polite kill into a wish to stop after the present batch."""
    wish = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda *_: wish.set()) for kind in kinds]
    try:
        yield wish
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
