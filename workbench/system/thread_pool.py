"""Shared thread pool; the calling thread takes part in the work."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MAX_THREADS: Final = 64
"""Maximum number of threads for all callers; they are started on demand."""

_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}
"""Pools by thread priority: a new thread inherits the priority of its creator, so
threads of different priorities must not be mixed."""


@cache
def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_parallel(
    jobs: Iterable[Callable[[], None]],
    threads: int,
    others: ThreadPoolExecutor | None = None,
) -> None:
    """Run jobs on the calling thread and `threads` - 1 others from one queue.

    The other threads are reused, since starting one costs as much as a job. This also
    works in a forked process. A job must not wait for another job.

    Parameters
    ----------
    jobs : iterable of callable
        The work; each is called once.
    threads : int
        Number of threads including the caller, at least 1.
    others : ThreadPoolExecutor, optional
        Pool of the other threads; default: the shared pool.

    Raises
    ------
    Exception
        The exception of a job, after all running jobs have ended; the remaining jobs
        are not started.
    """
    remaining = deque(jobs)

    def work() -> None:
        while True:
            try:
                job = remaining.popleft()
            except IndexError:
                return
            try:
                job()
            except BaseException:
                remaining.clear()
                raise

    pool = others or _shared_pool()
    futures = [pool.submit(work) for _ in range(min(threads, len(remaining)) - 1)]
    try:
        work()
    finally:
        errors = [future.exception() for future in futures if not future.cancel()]
    for error in errors:
        if error is not None:
            raise error


def _shared_pool() -> ThreadPoolExecutor:
    """Return the pool of threads with the priority of the calling thread."""
    priority = 0
    if sys.platform == "linux":  # other systems have no priority per thread
        priority = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    with _lock:
        if priority not in _pools:
            _pools[priority] = ThreadPoolExecutor(
                _MAX_THREADS, thread_name_prefix="workbench-pool"
            )
        return _pools[priority]


def _reset_after_fork() -> None:
    """Drop the pools in a forked process: the parent's threads do not exist there."""
    global _lock  # noqa: PLW0603 - the parent's lock may be held
    _lock = threading.Lock()
    _pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
