"""Threads that work together: all is done once, errors are told, a fork has its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import partial

import pytest

from workbench.system.thread_pool import run_parallel

TIMEOUT_S = 60
REASON = "no"


@pytest.mark.parametrize("threads", [1, 2, 7, 200])
def test_each_job_is_done_once(threads):
    done = []
    run_parallel((partial(done.append, number) for number in range(100)), threads)
    assert sorted(done) == list(range(100))


def test_nothing_to_do_is_done_at_once():
    run_parallel([], 3)


def test_jobs_are_done_at_the_same_time_and_by_the_one_who_asks():
    meeting = threading.Barrier(3, timeout=TIMEOUT_S)
    present = set()

    def meet():
        meeting.wait()
        present.add(threading.current_thread())

    run_parallel([meet] * 3, 3)
    assert threading.current_thread() in present
    assert len(present) == 3


@pytest.mark.parametrize("error", [ValueError, IndexError, KeyboardInterrupt])
@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_is_told_and_the_rest_left(error, threads):
    done = []

    def fail():
        raise error(REASON)

    with pytest.raises(error, match=REASON):
        run_parallel([fail, *[partial(done.append, n) for n in range(10_000)]], threads)
    assert len(done) < 10_000
    run_parallel([partial(done.append, "later")], threads)
    assert done[-1] == "later"


def test_an_error_of_another_thread_is_told():
    meeting = threading.Barrier(2, timeout=TIMEOUT_S)
    caller = threading.current_thread()

    def fail_elsewhere():
        meeting.wait()
        if threading.current_thread() is not caller:
            raise ValueError(REASON)

    with pytest.raises(ValueError, match=REASON):
        run_parallel([fail_elsewhere] * 2, 2)


@pytest.mark.slow
def test_many_may_ask_at_once():
    counts = [0] * 100

    def count(place):
        counts[place] += 1

    def ask(place):
        for _ in range(20):
            run_parallel([partial(count, place)] * 5, 4)

    askers = [threading.Thread(target=ask, args=(place,)) for place in range(100)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(TIMEOUT_S)
    # Each place is counted by several threads, and += is not one step: no exact sum.
    assert min(counts) > 0
    assert not any(asker.is_alive() for asker in askers)


_FORKED = """
import os
from workbench.system.thread_pool import run_parallel

done = []
run_parallel([lambda: done.append(1)] * 8, 4)
child = os.fork()
if not child:
    run_parallel([lambda: done.append(1)] * 8, 4)
    os._exit(0 if len(done) == 16 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_it_works_in_a_forked_process():
    subprocess.run([sys.executable, "-c", _FORKED], check=True, timeout=TIMEOUT_S)
