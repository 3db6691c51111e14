"""The threads that decode beside whoever reads."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST: Final = 64
"""Threads, for all who read at once; they are started as they are needed."""


class DecodingTeam:
    """Threads of one reader, kept: to start them costs as much as a stored tile.

    Safe from any number of threads, and in a process that was forked.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def work(self, task: Callable[[], None], threads: int) -> None:
        """Have so many threads do a task together, this one among them.

        Raises
        ------
        Exception
            What one of them raises, once all have ended.
        """
        if threads == 1:
            task()
            return
        pool = self._helpers()
        others = [pool.submit(task) for _ in range(threads - 1)]
        try:
            task()
        finally:
            errors = [each.exception() for each in others]
        for error in errors:
            if error is not None:
                raise error

    def end(self) -> None:
        """Let the threads end; those that are needed later are started anew."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None and self._process == os.getpid():
            pool.shutdown(wait=False)

    def _helpers(self) -> ThreadPoolExecutor:
        """Return the threads; a forked process has none of those it was forked from."""
        with self._lock:
            if self._pool is None or self._process != os.getpid():
                self._pool = ThreadPoolExecutor(_MOST, thread_name_prefix="decode")
                self._process = os.getpid()
            return self._pool
