"""Runs in the background, one at a time on each device."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from workbench.devices import resolve_device
from workbench.engine import run
from workbench.errors import RecipeError, WorkbenchError
from workbench.results import Progress
from workbench.store import open_run

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from workbench.geometry import Box
    from workbench.recipe import Recipe
    from workbench.results import Status
    from workbench.slide.slide import Slide
    from workbench.store import Run

_TELL_EVERY_S: Final = 0.2
_ENDED: Final = ("finished", "cancelled", "failed")

_log = logging.getLogger(__name__)


class Jobs:
    """A line before each device: who came first is served first.

    Two runs at once on one device would share its memory and both be slower. Safe
    from any number of threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[str, deque[Job]] = {}

    def __iter__(self) -> Iterator[Job]:
        """Go through the jobs that run or wait, device by device, in line."""
        with self._lock:
            jobs = [job for line in self._lines.values() for job in line]
        return iter(jobs)

    def place(self, job: Job) -> int:
        """Return how many jobs a job waits for; 0 if it runs or is in no line."""
        with self._lock:
            lines = self._lines.values()
            return next((line.index(job) for line in lines if job in line), 0)

    def add(self, job: Job) -> None:
        """Put a job at the end of the line before its device."""
        with self._lock:
            line = self._lines.setdefault(_device_of(job.recipe), deque())
            line.append(job)
            alone = len(line) == 1
        if alone:
            name = f"runs-{_device_of(job.recipe)}"
            threading.Thread(
                target=self._serve, args=(line,), name=name, daemon=True
            ).start()
        else:
            job.moved()

    def withdraw(self, job: Job) -> bool:
        """Take a job that waits out of its line; False if it does not wait."""
        with self._lock:
            for line in self._lines.values():
                if job in line and line[0] is not job:
                    line.remove(job)
                    behind = list(line)
                    break
            else:
                return False
        for other in behind:
            other.moved()
        return True

    def _serve(self, line: deque[Job]) -> None:
        """Do the jobs of a line until it is empty."""
        job: Job | None = line[0]
        while job is not None:
            job.work()
            with self._lock:
                line.popleft()
                job = line[0] if line else None
                waiting = list(line)[1:]
            for other in waiting:
                other.moved()


JOBS: Final = Jobs()
"""The lines of this process."""


class Job:
    """A run in the background.

    Whatever happens to it is told by its `progress`; nothing is raised in the thread
    that it runs in. Safe from any number of threads.

    Parameters
    ----------
    slide : Slide
    recipe : Recipe
    out : path, optional
        Folder of the run; see `workbench.engine.run`.
    jobs : Jobs
        Where it stands in line.

    Attributes
    ----------
    error : Exception or None
        What ended it, if it failed.
    """

    def __init__(
        self,
        slide: Slide,
        recipe: Recipe,
        out: str | os.PathLike[str] | None = None,
        *,
        jobs: Jobs = JOBS,
    ) -> None:
        self.slide = slide
        self.recipe = recipe
        self.out = out
        self.error: Exception | None = None
        self._jobs = jobs
        self._progress = Progress("waiting", "preparing", 0, 0)
        self._run: Run | None = None
        self._focus: Box | None = None
        self._cancel = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.RLock()
        self._listeners: list[Callable[[Progress], None]] = []
        self._told = 0.0

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    @property
    def run(self) -> Run | None:
        """The run, as soon as it has a folder; it grows while the job works."""
        return self._run

    @property
    def place(self) -> int:
        """How many jobs it waits for."""
        return self._jobs.place(self)

    def start(self) -> None:
        """Go to the end of the line; only once."""
        self._jobs.add(self)

    def cancel(self) -> None:
        """Stop after the chunk in hand; the same request goes on from there later."""
        self._cancel.set()
        if self._jobs.withdraw(self):
            self._end("cancelled")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds; tell whether it has ended, in any way."""
        return self._ended.wait(timeout)

    def focus(self, box: Box | None) -> None:
        """Do the tiles in `box` (level-0 pixels) first; None: in their order."""
        self._focus = box

    def subscribe(self, callback: Callable[[Progress], None]) -> Callable[[], None]:
        """Call `callback` with its progress from now on.

        It is called from the thread of the job, at most five times a second, and
        whenever status or stage change.

        Returns
        -------
        callable
            Ends the subscription.
        """
        with self._lock:
            self._listeners.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._listeners:
                    self._listeners.remove(callback)

        return unsubscribe

    def work(self) -> None:
        """Do it, in this thread; for `Jobs`."""
        if self._cancel.is_set():
            self._end("cancelled")
            return
        try:
            self._run = run(
                self.slide,
                self.recipe,
                out=self.out,
                progress=self._hear,
                cancel=self._cancel,
                focus=lambda: self._focus,
            )
        except WorkbenchError as error:
            self._fail(error, str(error))
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to
            _log.exception("A run of %s failed", self.slide.name)
            self._fail(error, _unexpected(error))
        else:
            self._end(self._run.status)

    def moved(self) -> None:
        """Tell listeners of its new place in line; for `Jobs`."""
        place = self.place
        runs = "1 run" if place == 1 else f"{place} runs"
        self._tell(replace(self._progress, message=f"Waiting for {runs} before it."))

    def _hear(self, progress: Progress) -> None:
        if progress.path and self._run is None:
            self._run = open_run(progress.path)
        if progress.status == "running":
            self._tell(progress)
        else:
            # The last word is said when the folder is closed and unlocked.
            self._progress = replace(progress, status="running")

    def _fail(self, error: Exception, message: str) -> None:
        self.error = error
        self._end("failed", message)

    def _end(self, status: Status, message: str = "") -> None:
        message = message or (self._run.record["message"] if self._run else "")
        self._tell(
            replace(self._progress, status=status, message=message, stage="done")
        )

    def _tell(self, progress: Progress) -> None:
        with self._lock:
            before, self._progress = self._progress, progress
            if progress.status in _ENDED:
                self._ended.set()
            now = time.monotonic()
            news = (before.status, before.stage) != (progress.status, progress.stage)
            if not news and now - self._told < _TELL_EVERY_S:
                return
            self._told = now
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener(progress)
            except Exception:  # noqa: BLE001 - a listener's fault must not end the run
                _log.exception("A listener to the progress of a run failed")


def _device_of(recipe: Recipe) -> str:
    """Return before which device a recipe waits; the run says if there is none."""
    try:
        return str(resolve_device(recipe.device))
    except RecipeError:
        return recipe.device


def _unexpected(error: Exception) -> str:
    return (
        f"The run stopped on an unexpected error ({type(error).__name__}: {error})."
        " What was done is kept; the log says more."
    )
