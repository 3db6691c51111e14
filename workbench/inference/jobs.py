"""Runs in the background: started, paused, cancelled, watched from anywhere."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from workbench.errors import RecipeError, WorkbenchError
from workbench.inference.engine import run
from workbench.inference.fair_queue import DeviceQueue
from workbench.models.devices import resolve_devices
from workbench.progress import ENDED, Progress
from workbench.results.run import open_run

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from workbench.geometry import Box
    from workbench.progress import Status
    from workbench.recipe import Recipe
    from workbench.results.run import Run
    from workbench.slide.slide import Slide

_TELL_EVERY_S: Final = 0.2

_log = logging.getLogger(__name__)


JOBS: Final = DeviceQueue()
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
        Folder of the run; see `workbench.inference.engine.run`.
    user : str
        Whose it is; users take turns on a device.
    jobs : DeviceQueue
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
        user: str = "",
        jobs: DeviceQueue = JOBS,
    ) -> None:
        self.user = user
        self.slide = slide
        self.recipe = recipe
        self.out = out
        self.error: Exception | None = None
        self._jobs = jobs
        self._progress = Progress("waiting", "preparing", 0, 0)
        self._run: Run | None = None
        self._focus: Box | None = None
        self._wish: Literal["", "pause", "cancel"] = ""
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._before: int | None = None
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

    @property
    def devices(self) -> frozenset[str]:
        """The devices before which it waits; the run says if there is none."""
        try:
            devices = resolve_devices(self.recipe.device)
        except RecipeError:
            return frozenset([self.recipe.device])
        return frozenset(map(str, devices))

    def start(self) -> None:
        """Go to the end of the line; only once."""
        self._jobs.add(self)

    def pause(self) -> None:
        """Give the device back after the chunk in hand, until `resume`.

        All that is done is on disk, so nothing is lost if this process ends.
        """
        with self._lock:
            if self._wish == "cancel" or self._ended.is_set():
                return
            self._wish = "pause"
            self._stop.set()
        if self._jobs.withdraw(self):
            self._rest()

    def resume(self) -> None:
        """Go to the end of the line again; for a job that was paused."""
        with self._lock:
            if self._wish != "pause" or self._ended.is_set():
                return
            self._wish = ""
            rests = self._progress.status == "paused"
        if rests:
            self._jobs.add(self)

    def cancel(self) -> None:
        """Stop after the chunk in hand; the same request goes on from there later."""
        with self._lock:
            rests = self._progress.status == "paused"
            self._wish = "cancel"
            self._stop.set()
        if rests or self._jobs.withdraw(self):
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

    def work(self) -> bool:
        """Do it, in this thread, until it ends or its turn is over; for `DeviceQueue`.

        Returns
        -------
        bool
            Whether it is to go back into the line.
        """
        with self._lock:
            if not self._wish:
                self._stop.clear()
        self._before = None
        if self._stop.is_set():
            return self._leave("cancelled")
        try:
            self._run = run(
                self.slide,
                self.recipe,
                out=self.out,
                progress=self._hear,
                cancel=self._stop,
                focus=lambda: self._focus,
                need_tiles=True,
            )
        except WorkbenchError as error:
            self._fail(error, str(error))
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to
            _log.exception("A run failed")
            self._fail(error, _unexpected(error))
        else:
            return self._leave(self._run.status)
        return False

    def _leave(self, status: Status) -> bool:
        """Say how a turn ended; tell whether it is to have another."""
        with self._lock:
            wish = self._wish
            if status == "cancelled" and wish == "pause":
                self._rest()
                return False
        if status != "cancelled" or wish == "cancel":
            self._end(status)
            return False
        self._tell(replace(self._progress, status="waiting", tiles_per_second=0.0))
        return True

    def _rest(self) -> None:
        message = "Paused. What is done is kept."
        self._tell(replace(self._progress, status="paused", message=message))

    def moved(self) -> None:
        """Tell listeners of its new place in line; for `DeviceQueue`."""
        place = self.place
        if not place:  # it began in the meantime
            return
        runs = "1 run" if place == 1 else f"{place} runs"
        self._tell(replace(self._progress, message=f"Waiting for {runs} before it."))

    def _hear(self, progress: Progress) -> None:
        if progress.path and self._run is None:
            self._run = open_run(progress.path)
        if progress.stage == "tiles":
            self._mind_the_turn(progress.done)
        if progress.status == "running":
            self._tell(progress)
        else:
            # The last word is said when the folder is closed and unlocked.
            self._progress = replace(progress, status="running")

    def _mind_the_turn(self, done: int) -> None:
        """Stop when the turn is over, but not before it answered something."""
        if self._before is None:
            self._before = done
            self._jobs.begin_turn(self)
        elif done > self._before and self._jobs.turn_is_over(self):
            self._stop.set()

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
            if progress.status in ENDED:
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


def _unexpected(error: Exception) -> str:
    return (
        f"The run stopped on an unexpected error ({type(error).__name__}: {error})."
        " What was done is kept; the log says more."
    )
