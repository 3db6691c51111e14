"""Progress reports of a run."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from workbench.progress import Progress, Speed
from workbench.system.long_work import ProgressBar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from workbench.progress import Stage, Status
    from workbench.results.run import Run

T = TypeVar("T")

_MEMORY_S: Final = 0.25
"""Seconds between queries of the memory in use; one costs as much as two tiles."""


class ProgressReporter:
    """Collects the events of a run and reports them as `Progress`.

    Parameters
    ----------
    listen : callable, True or None
        Called with each `Progress`; True draws a bar, in a notebook a widget.
    clock : callable
        Returns monotonic seconds.

    Attributes
    ----------
    seconds : dict of str to float
        Seconds of each stage so far, and of each step of the tiles; steps overlap, so
        they add up to more than their stage.
    """

    def __init__(
        self,
        listen: Callable[[Progress], None] | bool | None,  # noqa: FBT001 - True is short for a bar
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if listen is True:
            listen = ProgressBar()
        self.seconds: dict[str, float] = {}
        self._listen = listen or (lambda _: None)
        self._clock = clock
        self._progress = Progress("running", "preparing", 0, 0)
        self._speed = Speed()
        self._memory: dict[str, int] = {}
        self._memory_due = -math.inf

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Report the error that ends the run."""
        if error is not None:
            status: Status = "failed" if isinstance(error, Exception) else "cancelled"
            self._publish(status=status, tiles_per_second=0.0, message=str(error))

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Report a stage, and measure its time."""
        self._publish(stage=stage)
        with self.part(stage):
            yield

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure the time of a block."""
        began = self._clock()
        try:
            yield
        finally:
            self.add_seconds(name, self._clock() - began)

    def add_seconds(self, name: str, seconds: float) -> None:
        """Add to the seconds of a step."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def update(
        self, seconds: Mapping[str, float], memory: Callable[[], Mapping[str, int]]
    ) -> None:
        """Take over seconds measured elsewhere, and now and then the memory in use."""
        self.seconds.update(seconds)
        if (now := self._clock()) >= self._memory_due:
            self._memory, self._memory_due = dict(memory()), now + _MEMORY_S

    def timed(self, items: Iterable[T], name: str) -> Iterator[T]:
        """Yield items, and measure the time that each one is waited for."""
        remaining = iter(items)
        while True:
            try:
                with self.part(name):
                    item = next(remaining)
            except StopIteration:
                return
            yield item

    def begin(self, path: Path, done: int, total: int) -> None:
        """Report the run folder and the number of its tiles."""
        self._speed.mark(self._clock(), done)
        self._publish(path=str(path), done=done, total=total)

    def tiles(self, done: int) -> None:
        """Report the number of finished tiles."""
        rate = self._speed.mark(self._clock(), done)
        seconds = dict(self.seconds)
        self._publish(
            done=done, tiles_per_second=rate, seconds=seconds, memory=self._memory
        )

    def end(self, run: Run) -> None:
        """Report the end of the run."""
        self._publish(
            status=run.status,
            stage="done",
            done=run.tiles_done,
            total=run.tiles_total,
            tiles_per_second=0.0,
            message=run.record["message"],
            path=str(run.path),
        )

    def _publish(self, **changes: Any) -> None:
        self._progress = replace(self._progress, **changes)
        self._listen(self._progress)
