"""Telling how far a run is."""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from tqdm.auto import tqdm

from workbench.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from workbench.progress import Stage, Status
    from workbench.results.run import Run

T = TypeVar("T")

_WINDOW_S: Final = 5.0
"""The rate is that of the last seconds..."""

_FEWEST: Final = 3
"""...but of no fewer marks than these, however slow the model."""

_MESSAGE: Final = 36
"""Characters of a message that stand beside a bar: its last."""

_MEMORY_S: Final = 0.25
"""How often the memory in use is asked for: each time costs as much as two tiles."""


class ProgressReporter:
    """Turns what a run does into `Progress` for whoever listens.

    Parameters
    ----------
    listen : callable, True or None
        Called with each `Progress`; True draws a bar, in a notebook as a widget.
    clock : callable
        Seconds, monotonic.

    Attributes
    ----------
    seconds : dict of str to float
        How long each stage took so far, and each part of answering tiles; the parts
        overlap, so they add up to more than the stage.
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
        self._now = Progress("running", "preparing", 0, 0)
        self._marks: deque[tuple[float, int]] = deque()
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
        """Tell of the error that ends the run."""
        if error is not None:
            status: Status = "failed" if isinstance(error, Exception) else "cancelled"
            self._tell(status=status, tiles_per_second=0.0, message=str(error))

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Say what is being done, and measure how long it takes."""
        self._tell(stage=stage)
        with self.part(stage):
            yield

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure how long something takes."""
        began = self._clock()
        try:
            yield
        finally:
            self.spent(name, self._clock() - began)

    def spent(self, name: str, seconds: float) -> None:
        """Add to the time that something took."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def measured(
        self, seconds: Mapping[str, float], memory: Callable[[], Mapping[str, int]]
    ) -> None:
        """Take over times that somebody else adds up, and now and then the memory."""
        self.seconds.update(seconds)
        if (now := self._clock()) >= self._memory_due:
            self._memory, self._memory_due = dict(memory()), now + _MEMORY_S

    def waits(self, items: Iterable[T], name: str) -> Iterator[T]:
        """Go through some items, and measure how long they are waited for."""
        remaining = iter(items)
        while True:
            try:
                with self.part(name):
                    item = next(remaining)
            except StopIteration:
                return
            yield item

    def begin(self, path: Path, done: int, total: int) -> None:
        """Say where the run is and how many tiles it has."""
        self._marks.append((self._clock(), done))
        self._tell(path=str(path), done=done, total=total)

    def tiles(self, done: int) -> None:
        """Say how many tiles are answered by now."""
        now = self._clock()
        self._marks.append((now, done))
        while now - self._marks[0][0] > _WINDOW_S and len(self._marks) > _FEWEST:
            self._marks.popleft()
        began, before = self._marks[0]
        rate = (done - before) / (now - began) if now > began else 0.0
        seconds = dict(self.seconds)
        self._tell(
            done=done, tiles_per_second=rate, seconds=seconds, memory=self._memory
        )

    def end(self, run: Run) -> None:
        """Say how it ended."""
        self._tell(
            status=run.status,
            stage="done",
            done=run.tiles_done,
            total=run.tiles_total,
            tiles_per_second=0.0,
            message=run.record["message"],
            path=str(run.path),
        )

    def _tell(self, **changes: Any) -> None:
        self._now = replace(self._now, **changes)
        self._listen(self._now)


class ProgressBar:
    """A progress bar: a line in a terminal, a widget in a notebook.

    A context manager, for what does not say that it has ended.

    Parameters
    ----------
    unit : str
        What is counted.
    wanted : bool
        Whether it is drawn at all.
    """

    def __init__(self, unit: str = "tiles", *, wanted: bool = True) -> None:
        self._unit = unit
        self._wanted = wanted
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bar as it is."""
        self.close()

    def __call__(self, progress: Progress) -> None:
        """Draw how far it is; the first call makes the bar, the last closes it."""
        if self._bar is None:
            self._bar = tqdm(
                unit=f" {self._unit}", dynamic_ncols=True, disable=not self._wanted
            )
        label = progress.stage if progress.status == "running" else progress.status
        self._bar.set_description(label, refresh=False)
        self._bar.set_postfix_str(progress.message[-_MESSAGE:], refresh=False)
        self._bar.total = progress.total or None
        self._bar.n = progress.done
        self._bar.refresh()
        if progress.status != "running":
            self.close()

    def close(self) -> None:
        """Draw no more; another call makes another bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
