"""Fair per-device run queue: round-robin between users."""

from __future__ import annotations

import os
import sys
import threading
import time
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TURN_S: Final = 20.0
"""Seconds after which a run yields to another user; loading a model takes seconds."""


_NICENESS: Final = 10
"""Increment of the niceness of a run: page requests have priority."""


class QueuedJob(Protocol):
    """A job in the queue: `Job`."""

    user: str
    """Name of the user."""

    @property
    def devices(self) -> frozenset[str]:
        """Devices that it needs, all at the same time."""

    def work(self) -> bool:
        """Run in the calling thread; return True to be queued again."""

    def on_position_changed(self) -> None:
        """Notify the job that its position has changed."""


class DeviceQueue:
    """A queue for each device, in which users take turns.

    A device works on one run at a time, with all its memory: two at once would both be
    slower. The user who was served least recently is next; runs of one user keep their
    order. A run whose turn is over is queued again if another user waits for its
    device, and resumes from the disk. So a long run, or fifty runs of one user, delay
    other users by one turn at most. A run on several devices waits until all of them
    are free; later runs do not overtake it on them.

    Thread-safe.

    Parameters
    ----------
    turn_s : float
        Seconds of a turn.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self,
        *,
        turn_s: float = TURN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turn_s = turn_s
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[QueuedJob] = []
        self._running: dict[QueuedJob, float] = {}
        self._served: dict[str, int] = {}
        self._turns = 0

    def __iter__(self) -> Iterator[QueuedJob]:
        """Iterate over the running jobs, then the waiting ones in order."""
        with self._lock:
            return iter([*self._running, *self._service_order()])

    def position(self, job: QueuedJob) -> int:
        """Return how many jobs are ahead; 0 if it runs or is not queued."""
        with self._lock:
            queue = self._service_order()
            if job not in queue:
                return 0
            before = [*self._running, *queue[: queue.index(job)]]
            return sum(1 for other in before if other.devices & job.devices)

    def add(self, job: QueuedJob) -> None:
        """Add a job at the end of its user's queue."""
        with self._lock:
            self._waiting.append(job)
        self._start_free()

    def withdraw(self, job: QueuedJob) -> bool:
        """Remove a waiting job; return False if it was not waiting."""
        with self._lock:
            if job not in self._waiting:
                return False
            self._waiting.remove(job)
        self._start_free()
        return True

    def begin_turn(self, job: QueuedJob) -> None:
        """Start the time of a running job's turn, once its model is loaded."""
        with self._lock:
            self._running[job] = self._clock()

    def turn_is_over(self, job: QueuedJob) -> bool:
        """Return whether a running job must yield to another user's job."""
        with self._lock:
            since = self._running.get(job)
            if since is None or self._clock() - since < self._turn_s:
                return False
            return any(
                other.user != job.user and other.devices & job.devices
                for other in self._waiting
            )

    def _start_free(self) -> None:
        """Start all jobs whose devices are free; notify the others."""
        started: list[QueuedJob] = []
        with self._lock:
            busy = frozenset(chain.from_iterable(j.devices for j in self._running))
            for job in self._service_order():
                if not job.devices & busy:
                    self._waiting.remove(job)
                    self._running[job] = self._clock()
                    self._turns += 1
                    self._served[job.user] = self._turns
                    started.append(job)
                busy |= job.devices
            waiting = list(self._waiting)
        for job in started:
            name = f"run-{'-'.join(sorted(job.devices))}"
            threading.Thread(
                target=self._run_turn, args=(job,), name=name, daemon=True
            ).start()
        for job in waiting:
            job.on_position_changed()

    def _run_turn(self, job: QueuedJob) -> None:
        _lower_priority()
        unfinished = job.work()
        with self._lock:
            del self._running[job]
            if unfinished:
                self._waiting.insert(0, job)  # before later jobs of the same user
        self._start_free()

    def _service_order(self) -> list[QueuedJob]:
        """Return waiting jobs in order of service: one of each user in turn."""
        queues: dict[str, list[QueuedJob]] = {}
        for job in self._waiting:
            queues.setdefault(job.user, []).append(job)
        users = sorted(queues, key=lambda user: self._served.get(user, 0))
        rounds = zip_longest(*(queues[user] for user in users))
        return [job for each in rounds for job in each if job is not None]


def _lower_priority() -> None:
    """Lower the priority of the calling thread and of threads that it starts.

    Requests of a page are short: a tile is served at once, and delays the run by no
    more than the time to draw it. Only Linux has priorities of threads.
    """
    if sys.platform == "linux":
        own = threading.get_native_id()
        os.setpriority(
            os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _NICENESS
        )
