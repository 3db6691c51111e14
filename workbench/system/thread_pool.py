"""Threads that work together with whoever has much to do at once."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MOST: Final = 64
"""Threads, for all who ask at once; they are started as they are needed."""

_guard = threading.Lock()
_crews: dict[int, ThreadPoolExecutor] = {}
"""By priority: threads have that of who started them, and must not pass it on."""


def run_parallel(
    jobs: Iterable[Callable[[], None]],
    threads: int,
    others: ThreadPoolExecutor | None = None,
) -> None:
    """Do jobs, this thread and `threads` - 1 others, each taking the next one.

    The others are kept: to start one costs as much as a job. They are there in a
    process that was forked, too. A job must not wait for another one.

    Parameters
    ----------
    jobs : iterable of callable
    threads : int
        At least 1.
    others : ThreadPoolExecutor, optional
        By default those whom all share.

    Raises
    ------
    Exception
        What a job raises, once none is being done any more; those left are not begun.
    """
    left = deque(jobs)

    def work() -> None:
        while True:
            try:
                job = left.popleft()
            except IndexError:
                return
            try:
                job()
            except BaseException:
                left.clear()
                raise

    crew = others or _crew()
    begun = [crew.submit(work) for _ in range(min(threads, len(left)) - 1)]
    try:
        work()
    finally:
        errors = [each.exception() for each in begun if not each.cancel()]
    for error in errors:
        if error is not None:
            raise error


def _crew() -> ThreadPoolExecutor:
    """Return threads of the same priority as this one."""
    priority = 0
    if sys.platform == "linux":  # elsewhere a thread has none of its own
        priority = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    with _guard:
        if priority not in _crews:
            _crews[priority] = ThreadPoolExecutor(_MOST, thread_name_prefix="crew")
        return _crews[priority]


def _forget() -> None:
    """Begin anew in a process that was forked: its parent's threads are not there."""
    global _guard  # noqa: PLW0603 - that of the parent may be held
    _guard = threading.Lock()
    _crews.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
