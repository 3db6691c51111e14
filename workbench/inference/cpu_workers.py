"""CPU workers, each of which computes a part of a batch.

By default all torch threads share each layer of a network and wait for each other, at
full load, at the end of each layer; anything else that needs a core for a moment then
delays all of them. With one part of the batch per worker there is no such wait, and a
part fits into the cache: see benchmarks/README.md.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import torch

from workbench.system.thread_pool import run_parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_WORTHWHILE_S: Final = 0.002
"""Seconds of a part below which another thread costs more than it saves."""

Part = TypeVar("Part")
Result = TypeVar("Result")


class CpuWorkers:
    """Threads that compute side by side, with as many torch threads in all as before.

    Parameters
    ----------
    most : int
        Maximum number of parts at once.

    Attributes
    ----------
    count : int
        Number of worker threads, including the caller. If 1, torch divides the layers.
    """

    def __init__(self, most: int) -> None:
        self._torch_threads = torch.get_num_threads()
        self.count = max(1, min(self._torch_threads, most))
        self._active = self.count
        self._thread_limits = self._torch_threads // self.count, self._torch_threads
        self._pool = ThreadPoolExecutor(
            max(1, self.count - 1),
            "cpu-worker",
            _limit_torch_threads,
            self._thread_limits,
        )

    def ends(self, number: int, most: int) -> list[int]:
        """Return the bounds of equal parts: 0, the ends of the parts, and `number`.

        The sizes of parts differ by at most one tile; each worker has equally many.

        Parameters
        ----------
        number : int
            Number of tiles, at least 1.
        most : int
            Maximum tiles of a part.
        """
        parts = -(-number // (most * self.count)) * self.count
        parts = min(number, parts)
        return [part * number // parts for part in range(parts + 1)]

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Context manager in which the calling thread acts as one CPU worker."""
        if self.count == 1:
            yield
            return
        _limit_torch_threads(*self._thread_limits)
        try:
            yield
        finally:
            torch.set_num_threads(self._torch_threads)

    def map(
        self, task: Callable[[Part], Result], parts: Sequence[Part]
    ) -> list[Result]:
        """Return the results of a task for each part; call it while `joined`.

        Raises
        ------
        Exception
            The error of a task, raised once no part is in work any more.
        """
        results: dict[int, Result] = {}

        def compute(number: int) -> None:
            results[number] = task(parts[number])

        jobs = [partial(compute, number) for number in range(len(parts))]
        began = time.perf_counter()
        run_parallel(jobs, self._active, self._pool)
        part_s = (time.perf_counter() - began) * self._active / max(1, len(parts))
        self._active = self.count if part_s > _WORTHWHILE_S else 1
        return [results[number] for number in range(len(parts))]


def _limit_torch_threads(limit: int, usual: int) -> None:
    """Limit the torch threads of the calling thread, but not those of later threads."""
    torch.get_num_threads()  # otherwise a new thread resets the number later
    torch.set_num_threads(limit)
    # New threads take the number that was set last, by whichever thread.
    last = threading.Thread(target=torch.set_num_threads, args=(usual,))
    last.start()
    last.join()
