"""Parts of a batch side by side: each answered once, torch left as it was."""

from __future__ import annotations

import gc
import threading
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from patience import LONG_S
from workbench.inference.cpu_workers import CpuWorkers


@pytest.fixture
def three():
    """Let torch use three threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@given(number=st.integers(1, 500), most=st.integers(1, 64), count=st.integers(1, 16))
def test_parts_are_alike_and_as_many_for_each(number, most, count):
    processors = CpuWorkers(1)
    processors.count = count
    ends = processors.ends(number, most)
    sizes = [after - before for before, after in pairwise(ends)]
    assert (ends[0], ends[-1]) == (0, number)
    assert 1 <= min(sizes) <= max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) % count == 0 or len(sizes) == number


@pytest.mark.usefixtures("three")
def test_parts_are_answered_at_the_same_time_each_by_one_thread():
    meeting = threading.Barrier(3, timeout=LONG_S)

    def answer(part):
        meeting.wait()
        return part, torch.get_num_threads(), threading.get_ident()

    processors = CpuWorkers(8)
    assert processors.count == 3
    with processors.joined():
        found = processors.map(answer, "abc")
    assert [part for part, _, _ in found] == ["a", "b", "c"]
    assert {threads for _, threads, _ in found} == {1}
    assert len({thread for _, _, thread in found}) == 3
    assert threading.get_ident() in {thread for _, _, thread in found}


@pytest.mark.usefixtures("three")
def test_others_use_all_threads_meanwhile_and_later():
    def threads_of_another():
        heard = []
        other = threading.Thread(target=lambda: heard.append(torch.get_num_threads()))
        other.start()
        other.join()
        return heard[0]

    meeting = threading.Barrier(2, timeout=LONG_S)
    processors = CpuWorkers(2)
    with processors.joined():
        processors.map(lambda _: meeting.wait(), "ab")  # both have begun
        assert torch.get_num_threads() == 1
        assert threads_of_another() == 3
    assert torch.get_num_threads() == threads_of_another() == 3


@pytest.mark.usefixtures("three")
def test_an_error_of_a_part_is_told():
    def fail(part):
        if part == 5:
            raise KeyError(part)
        return part

    processors = CpuWorkers(3)
    with pytest.raises(KeyError), processors.joined():
        processors.map(fail, range(9))
    assert torch.get_num_threads() == 3


@pytest.mark.slow
@pytest.mark.usefixtures("three")
def test_the_threads_end_with_their_owner():
    meeting = threading.Barrier(3, timeout=LONG_S)
    before = set(threading.enumerate())
    processors = CpuWorkers(3)
    with processors.joined():
        processors.map(lambda _: meeting.wait(), "abc")
    others = set(threading.enumerate()) - before
    assert len(others) == 2
    del processors
    gc.collect()
    for thread in others:
        thread.join(LONG_S)
        assert not thread.is_alive()


@pytest.mark.usefixtures("three")
def test_with_one_part_at_once_torch_calculates_as_it_does():
    processors = CpuWorkers(1)
    with processors.joined():
        assert processors.map(lambda _: torch.get_num_threads(), "ab") == [3, 3]


@pytest.mark.usefixtures("three")
def test_what_costs_nothing_is_done_by_one_and_what_costs_more_by_all_again(
    monkeypatch,
):
    seconds, lock = [0.0], threading.Lock()
    clock = SimpleNamespace(perf_counter=lambda: seconds[0])
    monkeypatch.setattr("workbench.inference.cpu_workers.time", clock)

    def costs():
        with lock:
            seconds[0] += 0.02

    def costs_and_meets():
        costs()
        meeting.wait()

    meeting = threading.Barrier(3, timeout=LONG_S)

    def threads_of(task):
        seen = set()

        def answer(_):
            seen.add(threading.get_ident())
            task()

        with processors.joined():
            processors.map(answer, range(12))
        return len(seen)

    processors = CpuWorkers(3)
    threads_of(lambda: None)
    assert threads_of(lambda: None) == 1
    threads_of(costs)
    assert threads_of(costs_and_meets) == 3
