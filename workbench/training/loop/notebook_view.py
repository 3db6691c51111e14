"""Progress of a training in a notebook: a bar, and curves that grow below it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

from tqdm.auto import tqdm

from workbench.training.loop.curves import curves_of
from workbench.training.loop.folder import read_metrics, read_record, total_steps

if TYPE_CHECKING:
    from pathlib import Path

_EVERY_S: Final = 1.0
"""Seconds between two pictures of the curves."""


class NotebookView:
    """Shows each step of a training below the cell that runs it.

    Parameters
    ----------
    path : Path
        Folder of the training.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bar: tqdm[Any] | None = None
        self._total, self._figure = 0, ""
        self._lines: list[dict[str, Any]] = []
        self._handle: Any = None
        self._drawn_at = 0.0

    def __call__(self, line: dict[str, Any]) -> None:
        """Show a line of the metrics."""
        if self._bar is None:
            self._begin()
        self._lines.append(line)
        assert self._bar is not None  # noqa: S101 - `_begin` has made it
        self._bar.update(line["step"] - self._bar.n)
        self._bar.set_postfix(loss=f"{line['loss']:.3f}", refresh=False)
        now = time.monotonic()
        if "epoch" in line or now - self._drawn_at >= _EVERY_S:
            self._drawn_at = now
            self._draw()

    def close(self) -> None:
        """Draw the last picture, and end the bar."""
        if self._bar is not None:
            self._draw()
            self._bar.close()

    def _begin(self) -> None:
        record = read_record(self._path) or {}
        self._total, self._figure = total_steps(record), record.get("figure", "")
        self._lines = read_metrics(self._path)[:-1]
        self._bar = tqdm(total=self._total, unit="step", desc=self._path.name)

    def _draw(self) -> None:
        from IPython.display import HTML, display  # noqa: PLC0415 - it calls this

        curves = curves_of(self._lines, total=self._total, figure=self._figure)
        picture = HTML(str(curves))
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)


def in_notebook() -> bool:
    """Return whether this code runs in the kernel of a notebook."""
    known = sys.modules.get("IPython")
    shell = None if known is None else known.get_ipython()
    return getattr(shell, "kernel", None) is not None
