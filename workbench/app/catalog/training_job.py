"""`TrainingJob`: a training in the background, in the queue of the devices."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import RecipeError, WorkbenchError
from workbench.inference.job_state import NEXT_STATES
from workbench.inference.jobs import JOBS
from workbench.models.devices import resolve_devices
from workbench.progress import ENDED

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.inference.fair_queue import DeviceQueue
    from workbench.inference.job_state import JobEvent, JobState
    from workbench.progress import Status
    from workbench.training.loop.recipe import TrainingRecipe

_log = logging.getLogger(__name__)

_UNEXPECTED: Final = "What was learnt up to the last checkpoint is kept."


@dataclass(frozen=True, slots=True)
class TrainingState:
    """How far a training is."""

    status: Status
    step: int = 0
    """Steps done, including those before it was stopped; 0: not known yet."""

    message: str = ""


class TrainingJob:
    """A training in the background; it takes turns with runs and other trainings.

    At the end of a turn, and when it is paused or cancelled, it saves its state, from
    which it goes on with the same weights as without the stop. Thread-safe.

    Parameters
    ----------
    recipe : TrainingRecipe
    out : Path
        Folder of the training.
    user : str
        Users take turns on a device.
    jobs : DeviceQueue
    """

    def __init__(
        self,
        recipe: TrainingRecipe,
        out: Path,
        *,
        user: str = "",
        jobs: DeviceQueue = JOBS,
    ) -> None:
        self.recipe, self.out, self.user = recipe, out, user
        self.state = TrainingState("waiting")
        self._jobs = jobs
        self._phase: JobState = "active"
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.RLock()

    @property
    def devices(self) -> frozenset[str]:
        """Devices that it waits for."""
        try:
            return frozenset(map(str, resolve_devices(self.recipe.device)))
        except RecipeError:
            return frozenset([self.recipe.device])

    @property
    def ended(self) -> bool:
        """Whether it has finished, failed or been cancelled."""
        return self._ended.is_set()

    def start(self) -> None:
        """Join the end of the queue; call it once."""
        self._jobs.add(self)

    def pause(self) -> None:
        """Save the state after the current step and free the device, until `resume`."""
        self._stop_by("pause")

    def cancel(self) -> None:
        """Save the state after the current step, and end; it can be continued."""
        with self._lock:
            paused = self._phase == "paused"
        self._stop_by("cancel")
        if paused:
            self._end("cancelled")

    def resume(self) -> None:
        """Join the end of the queue again, after `pause`."""
        with self._lock:
            paused = self._phase == "paused"
            resumed = self._advance("resume")
        if paused and resumed:
            self._set(status="waiting", message="")
            self._jobs.add(self)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds; return whether it has ended."""
        return self._ended.wait(timeout)

    def on_position_changed(self) -> None:
        """Say how many jobs are ahead; for `DeviceQueue`."""
        ahead = self._jobs.position(self)
        if ahead:
            jobs = "1 run or training" if ahead == 1 else f"{ahead} runs and trainings"
            self._set(status="waiting", message=f"Waiting for {jobs} before it.")

    def work(self) -> bool:
        """Train in this thread until the end or that of the turn; for `DeviceQueue`.

        Returns
        -------
        bool
            Whether it must be queued again.
        """
        from workbench.training.loop.train import train  # noqa: PLC0415 - loads torch

        with self._lock:
            if self._phase == "active":
                self._stop.clear()
        if self._stop.is_set():
            return self._finish_turn("cancelled")
        self._set(status="running", message="Reading labels and slides …")
        try:
            done = train(
                self.recipe, out=self.out, cancel=self._stop, report=self._stepped
            )
        except WorkbenchError as error:
            self._end("failed", str(error))
        except Exception as error:  # noqa: BLE001 - reported by `state`
            _log.exception("A training failed")
            name = type(error).__name__
            self._end("failed", f"Unexpected error ({name}: {error}). {_UNEXPECTED}")
        else:
            return self._finish_turn("finished" if done.status == "finished" else "")
        return False

    def _stepped(self, line: dict[str, Any]) -> None:
        if self.state.message:  # of preparing, which is no part of the turn
            self._jobs.begin_turn(self)
        self._set(status="running", step=line["step"], message="")
        if self._jobs.turn_is_over(self):
            self._stop.set()

    def _finish_turn(self, status: str) -> bool:
        if status == "finished":
            self._end("finished")
            return False
        with self._lock:
            self._advance("stop")
            phase = self._phase
        if phase == "paused":
            self._set(status="paused", message="")
        elif phase == "ended":
            self._end("cancelled")
        elif phase == "active":
            self._set(status="waiting", message="Another user's turn.")
        return phase == "active"

    def _stop_by(self, event: JobEvent) -> None:
        with self._lock:
            if not self._advance(event):
                return
            self._stop.set()
        if self._jobs.withdraw(self) and self._finish_turn(""):
            self._jobs.add(self)

    def _advance(self, event: JobEvent) -> bool:
        with self._lock:
            phase = NEXT_STATES[self._phase].get(event)
            if phase is not None:
                self._phase = phase
        return phase is not None

    def _end(self, status: Status, message: str = "") -> None:
        self._advance("end")
        self._set(status=status, message=message)

    def _set(self, **changes: Any) -> None:
        with self._lock:
            self.state = replace(self.state, **changes)
            if self.state.status in ENDED:
                self._ended.set()
