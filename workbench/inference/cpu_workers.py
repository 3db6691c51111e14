"""The processors of this machine, each calculating its own part of a batch.

torch lets all processors share each layer of a network. They wait for each other at
the end of each, at full speed, so that whatever else needs one of them for a moment
stops all. With a part of the batch for each of them nobody waits, and parts fit into
the cache: see benchmarks/README.md.
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
"""For a part; to have another thread do what takes less costs more."""

Part = TypeVar("Part")
Answer = TypeVar("Answer")


class CpuWorkers:
    """Threads that calculate side by side; together they use what torch uses.

    Parameters
    ----------
    most : int
        Parts that there are at once, at most.

    Attributes
    ----------
    count : int
        Threads, he who asks included. If that is all, torch calculates as it does.
    """

    def __init__(self, most: int) -> None:
        self._usual = torch.get_num_threads()
        self.count = max(1, min(self._usual, most))
        self._wanted = self.count
        self._shares = self._usual // self.count, self._usual
        self._others = ThreadPoolExecutor(
            max(1, self.count - 1), "processor", _take_a_share, self._shares
        )

    def ends(self, number: int, most: int) -> list[int]:
        """Return where to divide so many tiles: 0, the ends of parts, and `number`.

        Parts differ by one tile at most; there are as many for each processor.

        Parameters
        ----------
        number : int
            At least 1.
        most : int
            Tiles of a part.
        """
        parts = -(-number // (most * self.count)) * self.count
        parts = min(number, parts)
        return [part * number // parts for part in range(parts + 1)]

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Let this thread be one of them meanwhile."""
        if self.count == 1:
            yield
            return
        _take_a_share(*self._shares)
        try:
            yield
        finally:
            torch.set_num_threads(self._usual)

    def answers(
        self, task: Callable[[Part], Answer], parts: Sequence[Part]
    ) -> list[Answer]:
        """Return what a task answers to each part; call it while `joined`.

        Raises
        ------
        Exception
            What the task raises, once no part is being answered any more.
        """
        found: dict[int, Answer] = {}

        def answer(number: int) -> None:
            found[number] = task(parts[number])

        jobs = [partial(answer, number) for number in range(len(parts))]
        began = time.perf_counter()
        run_parallel(jobs, self._wanted, self._others)
        spent = (time.perf_counter() - began) * self._wanted / max(1, len(parts))
        self._wanted = self.count if spent > _WORTHWHILE_S else 1
        return [found[number] for number in range(len(parts))]


def _take_a_share(share: int, usual: int) -> None:
    """Let torch use so many threads for what this one asks, and no more."""
    torch.get_num_threads()  # or else a new thread asks for the usual number later
    torch.set_num_threads(share)
    # Threads that are still to come have what was set last, in whichever thread.
    last = threading.Thread(target=torch.set_num_threads, args=(usual,))
    last.start()
    last.join()
