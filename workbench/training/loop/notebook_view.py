"""Progress of a training: its steps; in a notebook a bar and curves below the cell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from workbench.progress import Counter, Progress
from workbench.system.long_work import ProgressBar
from workbench.training.loop.curves import curves_of
from workbench.training.loop.folder import read_metrics, read_record, total_steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_EVERY_S: Final = 1.0
"""Seconds between two pictures of the curves."""


class TrainingCounter:
    """Reports the steps of a training as `Progress`.

    Parameters
    ----------
    listen : callable
        Called with each `Progress`.
    path : Path
        Folder of the training.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self,
        listen: Callable[[Progress], None],
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listen, self._path, self._clock = listen, path, clock
        self._count: Counter | None = None
        self._total, self._figure = 0, ""
        self._epoch = ""

    def __call__(self, line: dict[str, Any]) -> None:
        """Report a line of the metrics."""
        step = int(line["step"])
        if self._count is None:
            record = read_record(self._path) or {}
            self._total, self._figure = total_steps(record), record.get("figure", "")
            self._count = Counter(
                self._listen,
                "training",
                "steps",
                before=step - 1,
                clock=self._clock,
            )
        if "epoch" in line:
            self._epoch = f", epoch {line['epoch']}{self._held_out(line)}"
        self._count(step, self._total, f"loss {line['loss']:.3f}{self._epoch}")

    def _held_out(self, line: dict[str, Any]) -> str:
        """Return the held-out figure of an epoch in words; empty if there is none."""
        value = (line.get("held_out") or {}).get(self._figure)
        if value is None:
            return ""
        return f": {self._figure.replace('_', ' ')} {value:.3f}"


class NotebookView:
    """Shows each step of a training below the cell that runs it.

    Parameters
    ----------
    path : Path
        Folder of the training.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bar = ProgressBar()
        self._count = TrainingCounter(self._bar, path)
        self._total, self._figure = 0, ""
        self._lines: list[dict[str, Any]] = []
        self._handle: Any = None
        self._drawn_at = 0.0

    def __call__(self, line: dict[str, Any]) -> None:
        """Show a line of the metrics."""
        if not self._total:
            self._begin()
        self._lines.append(line)
        self._count(line)
        now = time.monotonic()
        if "epoch" in line or now - self._drawn_at >= _EVERY_S:
            self._drawn_at = now
            self._draw()

    def close(self) -> None:
        """Draw the last picture, and end the bar."""
        if self._total:
            self._draw()
        self._bar.close()

    def _begin(self) -> None:
        record = read_record(self._path) or {}
        self._total, self._figure = total_steps(record), record.get("figure", "")
        self._lines = read_metrics(self._path)[:-1]

    def _draw(self) -> None:
        from IPython.display import HTML, display  # noqa: PLC0415 - it calls this

        curves = curves_of(self._lines, total=self._total, figure=self._figure)
        picture = HTML(str(curves))
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)
