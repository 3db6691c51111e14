"""Background runs: start, pause, resume, cancel and progress."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from workbench.errors import RecipeError, WorkbenchError
from workbench.geometry import Box
from workbench.inference.engine import run
from workbench.inference.fair_queue import DeviceQueue
from workbench.inference.job_state import NEXT_STATES
from workbench.models.devices import resolve_devices
from workbench.progress import ENDED, Progress
from workbench.results.run import open_run

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from workbench.geometry import BoxLike
    from workbench.inference.job_state import JobEvent, JobState
    from workbench.models.live_model import Model
    from workbench.progress import Status
    from workbench.recipe import Recipe
    from workbench.results.run import Run
    from workbench.slide.slide import Slide

_PUBLISH_EVERY_S: Final = 0.2

_log = logging.getLogger(__name__)


JOBS: Final = DeviceQueue()
"""The device queue of this process."""


class Job:
    """A run in the background.

    Its state and its errors are reported by `progress`; nothing is raised in the
    thread that it runs in. Thread-safe.

    Parameters
    ----------
    slide : Slide
    recipe : Recipe
    out : path, optional
        Folder of the run; see `workbench.inference.engine.run`.
    model : Model, optional
        A network in memory, in place of the model that the recipe names.
    user : str
        Name of the user; users take turns on a device.
    jobs : DeviceQueue
        Queue of the job.

    Attributes
    ----------
    error : Exception or None
        Error that ended the job, if it failed.

    Examples
    --------
    >>> job = wb.Job(slide, wb.Recipe(model="tissue-classes"), "runs/b")
    >>> job.start()
    >>> job.wait()
    True
    >>> job.progress.status
    'finished'
    """

    def __init__(
        self,
        slide: Slide,
        recipe: Recipe,
        out: str | os.PathLike[str] | None = None,
        *,
        model: Model | None = None,
        user: str = "",
        jobs: DeviceQueue = JOBS,
    ) -> None:
        self.user = user
        self.slide = slide
        self.recipe = recipe
        self.out = out
        self.model = model
        self.error: Exception | None = None
        self._jobs = jobs
        self._progress = Progress("waiting", "preparing", 0, 0)
        self._run: Run | None = None
        self._focus: Box | None = None
        self._state: JobState = "active"
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._done_at_start: int | None = None
        self._lock = threading.RLock()
        self._listeners: list[Callable[[Progress], None]] = []
        self._published_at = 0.0

    @property
    def progress(self) -> Progress:
        """Current progress."""
        return self._progress

    @property
    def run(self) -> Run | None:
        """The run, once it has a folder; it grows while the job works."""
        return self._run

    @property
    def position(self) -> int:
        """Number of jobs ahead in the queue."""
        return self._jobs.position(self)

    @property
    def devices(self) -> frozenset[str]:
        """Devices that the job waits for; a missing one is an error of the run."""
        try:
            devices = resolve_devices(self.recipe.device)
        except RecipeError:
            return frozenset([self.recipe.device])
        return frozenset(map(str, devices))

    def start(self) -> None:
        """Join the end of the queue; call it once."""
        self._jobs.add(self)

    def pause(self) -> None:
        """Free the device after the current chunk, until `resume`.

        All results are on disk, so nothing is lost if this process ends.
        """
        with self._lock:
            if not self._advance("pause"):
                return
            self._stop.set()
        if self._jobs.withdraw(self) and self._finish_turn("cancelled"):
            self._jobs.add(self)

    def resume(self) -> None:
        """Join the end of the queue again, after `pause`."""
        with self._lock:
            paused = self._state == "paused"
            resumed = self._advance("resume")
        if paused and resumed:
            self._jobs.add(self)

    def cancel(self) -> None:
        """Stop after the current chunk; the same options resume the run later."""
        with self._lock:
            paused = self._state == "paused"
            if not self._advance("cancel"):
                return
            self._stop.set()
        if paused:
            self._end("cancelled")
        elif self._jobs.withdraw(self):
            self._finish_turn("cancelled")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds; return whether the job has ended."""
        return self._ended.wait(timeout)

    def focus(self, box: BoxLike | None) -> None:
        """Process the tiles in `box` (level-0 pixels) first; None: the usual order."""
        self._focus = None if box is None else Box.of(box)

    def subscribe(self, callback: Callable[[Progress], None]) -> Callable[[], None]:
        """Call `callback` with each later progress.

        It is called from the thread of the job, at most five times a second, and
        whenever status or stage change.

        Returns
        -------
        callable
            Function that ends the subscription.
        """
        with self._lock:
            self._listeners.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._listeners:
                    self._listeners.remove(callback)

        return unsubscribe

    def work(self) -> bool:
        """Run in this thread until the run or its turn ends; for `DeviceQueue`.

        Returns
        -------
        bool
            Whether the job must be queued again.
        """
        with self._lock:
            if self._state == "active":
                self._stop.clear()
        self._done_at_start = None
        if self._stop.is_set():
            return self._finish_turn("cancelled")
        try:
            self._run = run(
                self.slide,
                self.recipe,
                out=self.out,
                progress=self._on_progress,
                cancel=self._stop,
                focus=lambda: self._focus,
                need_tiles=True,
                model=self.model or self.recipe.model,
            )
        except WorkbenchError as error:
            self._fail(error, str(error))
        except Exception as error:  # noqa: BLE001 - reported by `progress`
            _log.exception("A run failed")
            self._fail(error, _unexpected_error_message(error))
        else:
            return self._finish_turn(self._run.status)
        return False

    def _finish_turn(self, status: Status) -> bool:
        """Report how a turn ended; return whether the job needs another one."""
        if status != "cancelled":
            self._end(status)
            return False
        with self._lock:
            self._advance("stop")
            state = self._state
            if state == "paused":
                message = "Paused. Finished tiles are kept."
                self._publish(replace(self._progress, status="paused", message=message))
        if state == "ended":
            self._end(status)
        if state != "active":
            return False
        self._publish(replace(self._progress, status="waiting", tiles_per_second=0.0))
        return True

    def _advance(self, event: JobEvent) -> bool:
        """Enter the state after an event; return False if it has no effect."""
        with self._lock:
            state = NEXT_STATES[self._state].get(event)
            if state is not None:
                self._state = state
        return state is not None

    def on_position_changed(self) -> None:
        """Report the new position in the queue; for `DeviceQueue`."""
        position = self.position
        if not position:  # it started in the meantime
            return
        runs = "1 run" if position == 1 else f"{position} runs"
        self._publish(replace(self._progress, message=f"Waiting for {runs} before it."))

    def _on_progress(self, progress: Progress) -> None:
        if progress.path and self._run is None:
            self._run = open_run(progress.path)
        if progress.stage == "tiles":
            self._check_turn(progress.done)
        if progress.status == "running":
            self._publish(progress)
        else:
            # The end is reported once the folder is closed and unlocked.
            self._progress = replace(progress, status="running")

    def _check_turn(self, done: int) -> None:
        """Stop when the turn is over, after at least one result."""
        if self._done_at_start is None:
            self._done_at_start = done
            self._jobs.begin_turn(self)
        elif done > self._done_at_start and self._jobs.turn_is_over(self):
            self._stop.set()

    def _fail(self, error: Exception, message: str) -> None:
        self.error = error
        self._end("failed", message)

    def _end(self, status: Status, message: str = "") -> None:
        self._advance("end")
        message = message or (self._run.record["message"] if self._run else "")
        self._publish(
            replace(self._progress, status=status, message=message, stage="done")
        )

    def _publish(self, progress: Progress) -> None:
        with self._lock:
            before, self._progress = self._progress, progress
            if progress.status in ENDED:
                self._ended.set()
            now = time.monotonic()
            changed = (before.status, before.stage) != (progress.status, progress.stage)
            if not changed and now - self._published_at < _PUBLISH_EVERY_S:
                return
            self._published_at = now
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener(progress)
            except Exception:  # noqa: BLE001 - a listener must not end the run
                _log.exception("A progress listener of a run failed")


def _unexpected_error_message(error: Exception) -> str:
    return (
        f"The run stopped on an unexpected error ({type(error).__name__}: {error})."
        " Finished tiles are kept; see the log for details."
    )
