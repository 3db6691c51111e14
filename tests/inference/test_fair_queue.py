"""Lines before devices: fair to users, and no device idle or shared."""

from __future__ import annotations

import os
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patience import LONG_S, eventually
from workbench.inference.fair_queue import DeviceQueue


class Work:
    """Does nothing, in as many turns as it takes."""

    def __init__(self, office, user, devices, *, turns=1):
        self.office, self.user, self.devices = office, user, frozenset(devices)
        self.turns = turns
        self.ended = threading.Event()

    def work(self):
        with self.office.lock:
            assert not self.devices & self.office.busy
            self.office.busy |= self.devices
            self.office.log.append(self)
        self.office.door.wait(LONG_S)
        with self.office.lock:
            self.office.busy -= self.devices
        self.turns -= 1
        if not self.turns:
            self.ended.set()
        return self.turns > 0

    def on_position_changed(self):
        pass


class Office:
    """Notes who works, and lets nobody finish until the door is open."""

    def __init__(self):
        self.lock = threading.Lock()
        self.busy = set()
        self.log = []
        self.door = threading.Event()
        self.line = DeviceQueue(turn_s=0)

    def add(self, user, devices=("cpu",), **more):
        work = Work(self, user, devices, **more)
        self.line.add(work)
        return work

    def wait_for(self, count):
        eventually(lambda: len(self.log) >= count)


def test_one_run_of_a_user_does_not_wait_for_fifty_of_another():
    office = Office()
    many = [office.add("ada") for _ in range(50)]
    one = office.add("ben")
    assert office.line.position(one) == 1
    assert office.line.position(many[1]) == 2
    office.door.set()
    assert all(work.ended.wait(LONG_S) for work in [*many, one])
    assert office.log[:3] == [many[0], one, many[1]]
    assert office.log[1:].index(one) == 0
    assert [work for work in office.log if work is not one] == many


def test_long_runs_of_two_users_alternate():
    office = Office()
    first, second = (office.add(user, turns=4) for user in ("ada", "ben"))
    office.door.set()
    assert first.ended.wait(LONG_S)
    assert second.ended.wait(LONG_S)
    assert office.log == [first, second] * 4


def test_a_turn_is_over_only_for_somebody_else():
    seconds = [0.0]
    office = Office()
    office.line = DeviceQueue(turn_s=10, clock=lambda: seconds[0])
    running = office.add("ada")
    office.add("ada")
    seconds[0] = 11
    assert not office.line.turn_is_over(running)
    other = office.add("ben", ("gpu",))
    office.add("ben", ("gpu",))
    assert not office.line.turn_is_over(running)
    waiting = office.add("ben")
    assert office.line.turn_is_over(running)
    assert not office.line.turn_is_over(other)
    assert not office.line.turn_is_over(waiting)
    seconds[0] = 9
    assert not office.line.turn_is_over(running)
    office.door.set()


def test_devices_work_side_by_side_and_nobody_overtakes():
    office = Office()
    first = office.add("ada", ("cuda:0",))
    both = office.add("ben", ("cuda:0", "cuda:1"))
    second = office.add("cleo", ("cuda:1",))
    other = office.add("dora", ("cuda:2",))
    office.wait_for(2)
    assert set(office.log) == {first, other}
    assert [office.line.position(w) for w in (first, both, second, other)] == [
        0,
        1,
        1,
        0,
    ]
    office.door.set()
    assert both.ended.wait(LONG_S)
    assert second.ended.wait(LONG_S)
    assert office.log.index(both) < office.log.index(second)


works = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sets(st.sampled_from(["0", "1", "2"]), min_size=1),
        st.integers(1, 3),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(works)
def test_everybody_is_served_and_no_device_does_two_things(given_works):
    office = Office()
    office.door.set()
    done = [office.add(user, devices, turns=t) for user, devices, t in given_works]
    assert all(work.ended.wait(LONG_S) for work in done)
    assert len(office.log) == sum(turns for *_, turns in given_works)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority here")
def test_a_run_gives_way_to_those_who_serve_pages():
    priorities = []

    class Told(Work):
        def work(self):
            inner = threading.Thread(target=self._tell)
            inner.start()
            inner.join()
            return super().work()

        def _tell(self):
            own = threading.get_native_id()
            priorities.append(os.getpriority(os.PRIO_PROCESS, own))

    office = Office()
    office.door.set()
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    job = Told(office, "ann", ["cpu"])
    office.line.add(job)
    assert job.ended.wait(LONG_S)
    assert priorities == [min(before + 10, 19)]  # 19 is the lowest that there is
    now = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert now == before
