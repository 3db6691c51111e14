"""Who runs when: lines before the devices, in which users take turns."""

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
"""A run gives way to another user's after so long; loading a model takes seconds."""


_NICE: Final = 10
"""How much less urgent a run is than what somebody waits for at a page."""


class Entry(Protocol):
    """What waits in line: a `Job`."""

    user: str
    """Whose it is."""

    @property
    def devices(self) -> frozenset[str]:
        """The devices that it needs, all of them at once."""

    def work(self) -> bool:
        """Do it, in this thread; tell whether it wants another turn."""

    def moved(self) -> None:
        """Hear that its place in line has changed."""


class DeviceQueue:
    """A line before each device, in which users take turns.

    A device does one run at a time, with all its memory: two at once would both be
    slower. Whoever was served least recently is next; runs of one user keep their
    order. A run that has had its turn goes back into the line when somebody else
    waits for its device, and goes on from what is on disk: so one long run, or fifty
    of one user, keep nobody else waiting for more than a turn. A run on several
    devices waits until all of them are free; nobody overtakes it on them.

    Safe from any number of threads.

    Parameters
    ----------
    turn_s : float
        Seconds of a turn.
    clock : callable
        Seconds, monotonic.
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
        self._waiting: list[Entry] = []
        self._running: dict[Entry, float] = {}
        self._served: dict[str, int] = {}
        self._turns = 0

    def __iter__(self) -> Iterator[Entry]:
        """Go through the jobs that run, then those that wait, in line."""
        with self._lock:
            return iter([*self._running, *self._in_turn()])

    def place(self, job: Entry) -> int:
        """Return how many jobs a job waits for; 0 if it runs or is in no line."""
        with self._lock:
            line = self._in_turn()
            if job not in line:
                return 0
            before = [*self._running, *line[: line.index(job)]]
            return sum(1 for other in before if other.devices & job.devices)

    def add(self, job: Entry) -> None:
        """Put a job at the end of its user's line."""
        with self._lock:
            self._waiting.append(job)
        self._go_on()

    def withdraw(self, job: Entry) -> bool:
        """Take a job that waits out of its line; False if it does not wait."""
        with self._lock:
            if job not in self._waiting:
                return False
            self._waiting.remove(job)
        self._go_on()
        return True

    def begin_turn(self, job: Entry) -> None:
        """Count a running job's turn from now on: its model is loaded."""
        with self._lock:
            self._running[job] = self._clock()

    def turn_is_over(self, job: Entry) -> bool:
        """Tell whether a running job is to give way to somebody who waits."""
        with self._lock:
            since = self._running.get(job)
            if since is None or self._clock() - since < self._turn_s:
                return False
            return any(
                other.user != job.user and other.devices & job.devices
                for other in self._waiting
            )

    def _go_on(self) -> None:
        """Start all jobs whose devices are free; tell the others their place."""
        begun: list[Entry] = []
        with self._lock:
            taken = frozenset(chain.from_iterable(j.devices for j in self._running))
            for job in self._in_turn():
                if not job.devices & taken:
                    self._waiting.remove(job)
                    self._running[job] = self._clock()
                    self._turns += 1
                    self._served[job.user] = self._turns
                    begun.append(job)
                taken |= job.devices
            waiting = list(self._waiting)
        for job in begun:
            name = f"run-{'-'.join(sorted(job.devices))}"
            threading.Thread(
                target=self._serve, args=(job,), name=name, daemon=True
            ).start()
        for job in waiting:
            job.moved()

    def _serve(self, job: Entry) -> None:
        _give_way()
        again = job.work()
        with self._lock:
            del self._running[job]
            if again:
                self._waiting.insert(0, job)  # before what its user added later
        self._go_on()

    def _in_turn(self) -> list[Entry]:
        """Return who waits in the order of service: one of each user, and again."""
        lines: dict[str, list[Entry]] = {}
        for job in self._waiting:
            lines.setdefault(job.user, []).append(job)
        users = sorted(lines, key=lambda user: self._served.get(user, 0))
        rounds = zip_longest(*(lines[user] for user in users))
        return [job for each in rounds for job in each if job is not None]


def _give_way() -> None:
    """Let this thread, and those that it starts, wait for those that serve pages.

    Whoever looks asks for little at a time: a tile comes at once, and costs the run
    no more than the time to draw it. Only Linux knows priorities of threads.
    """
    if sys.platform == "linux":
        own = threading.get_native_id()
        os.setpriority(
            os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _NICE
        )
