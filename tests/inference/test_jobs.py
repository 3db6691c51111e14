"""Runs in the background: told of, stopped, in line, and never lost."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from fakes import FakeSlide, MeanColour, fake_model
from patience import LONG_S
from workbench.errors import ModelError, ModelNotFoundError
from workbench.geometry import Box
from workbench.inference.jobs import DeviceQueue, Job
from workbench.recipe import Recipe

RECIPE = Recipe(tissue_only=False, batch_size=16, device="cpu")


class Gate(MeanColour):
    """Answers one batch each time it is let through."""

    def __init__(self):
        super().__init__()
        self.tickets = threading.Semaphore(0)
        self.reached = threading.Semaphore(0)
        self.is_shut = False

    def forward(self, rgb):
        self.reached.release()
        assert self.tickets.acquire(timeout=LONG_S)
        assert not self.is_shut, "the test is over"
        return super().forward(rgb)

    def begun(self):
        """Wait until the next batch is in its hands."""
        assert self.reached.acquire(timeout=LONG_S)

    def open(self):
        for _ in range(1000):
            self.tickets.release()

    def shut(self):
        """Let no run go on for which a test that failed has left it."""
        self.is_shut = True
        self.open()


pytestmark = pytest.mark.usefixtures("undivided")


@pytest.fixture
def use(monkeypatch):
    gates = []

    def use(network):
        monkeypatch.setattr(
            "workbench.inference.plan.find_model", lambda *_, **__: fake_model(network)
        )
        if isinstance(network, Gate):
            gates.append(network)
        return network

    yield use
    for gate in gates:
        gate.shut()


@pytest.fixture
def slide():
    return FakeSlide()


def test_a_job_runs_and_tells(use, slide, tmp_path):
    use(MeanColour())
    heard = []
    job = Job(slide, RECIPE, tmp_path / "run", jobs=DeviceQueue())
    job.subscribe(heard.append)
    assert (job.progress.status, job.run, job.wait(0)) == ("waiting", None, False)
    job.start()
    assert job.wait(LONG_S)
    assert job.progress.status == "finished"
    assert job.progress.fraction == 1
    assert job.run.status == "finished"
    assert job.error is None
    assert heard[-1] == job.progress
    assert {p.status for p in heard[:-1]} == {"running"}


def test_it_tells_of_each_stage_but_not_of_each_chunk(
    use, slide, tmp_path, monkeypatch
):
    use(MeanColour())
    monkeypatch.setattr("workbench.inference.jobs.time.monotonic", lambda: 1.0)
    heard = []
    job = Job(slide, RECIPE, tmp_path / "run", jobs=DeviceQueue())
    job.subscribe(heard.append)
    job.start()
    assert job.wait(LONG_S)
    told = [(p.status, p.stage) for p in heard]
    assert len(told) == len(set(told))
    assert told[-1] == ("finished", "done")
    assert heard[-1].done == 176


def test_its_run_can_be_looked_at_while_it_grows(use, slide, tmp_path):
    gate = use(Gate())
    job = Job(slide, RECIPE, tmp_path / "run", jobs=DeviceQueue())
    job.start()
    gate.tickets.release()
    gate.begun()
    gate.begun()  # the second chunk begins: the first is kept
    before = job.run.heatmap
    assert job.run.status == "running"
    assert np.isfinite(before.values[0]).sum() == 16
    gate.tickets.release()
    gate.begun()
    assert job.run.heatmap.version > before.version
    gate.open()
    assert job.wait(LONG_S)
    assert np.isfinite(job.run.heatmap.values).all()


def test_a_cancelled_job_goes_on_in_another(use, slide, tmp_path):
    gate = use(Gate())
    job = Job(slide, RECIPE, tmp_path / "run", jobs=DeviceQueue())
    job.start()
    gate.tickets.release()
    gate.begun()
    gate.begun()
    job.cancel()
    gate.tickets.release()
    assert job.wait(LONG_S)
    assert (job.progress.status, job.run.tiles_done) == ("cancelled", 32)
    gate.open()
    again = Job(slide, RECIPE, tmp_path / "run", jobs=DeviceQueue())
    again.start()
    assert again.wait(LONG_S)
    assert again.progress.status == "finished"
    assert sum(gate.batches) == 176


def test_the_focus_of_a_job_is_done_first(use, tmp_path):
    gate = use(Gate())
    slide = FakeSlide((2000, 2000))
    job = Job(slide, RECIPE, tmp_path / "run", jobs=DeviceQueue())
    job.focus(Box.around(1700, 1700, 60, 60))
    job.start()
    gate.tickets.release()
    gate.begun()
    gate.begun()
    assert np.isfinite(job.run.heatmap.at(1700, 1700)["red"])
    job.cancel()
    gate.open()
    assert job.wait(LONG_S)


def test_jobs_wait_in_line_and_see_their_place(use, slide, tmp_path):
    gate = use(Gate())
    line = DeviceQueue()
    jobs = [Job(slide, RECIPE, tmp_path / str(i), jobs=line) for i in range(4)]
    heard = []
    jobs[3].subscribe(lambda p: heard.append(p.message))
    for job in jobs:
        job.start()
    gate.begun()
    assert [job.position for job in jobs] == [0, 1, 2, 3]
    assert list(line) == jobs
    assert jobs[3].progress.message == "Waiting for 3 runs before it."
    jobs[1].cancel()
    assert jobs[1].progress.status == "cancelled"
    assert jobs[1].wait(0)
    assert [job.position for job in jobs] == [0, 0, 1, 2]
    gate.open()
    assert all(job.wait(LONG_S) for job in jobs)
    assert [j.progress.status for j in jobs] == [
        "finished",
        "cancelled",
        "finished",
        "finished",
    ]
    created = [jobs[i].run.record["created"] for i in (0, 2, 3)]
    assert created == sorted(created)
    assert jobs[0].run.record["ended"] <= created[1]
    assert list(line) == []


def test_a_line_that_was_empty_takes_jobs_again(use, slide, tmp_path):
    use(MeanColour())
    line = DeviceQueue()
    for i in range(3):
        job = Job(slide, RECIPE, tmp_path / str(i), jobs=line)
        job.start()
        assert job.wait(LONG_S)
        assert job.progress.status == "finished"


def test_what_a_user_can_mend_is_said_as_it_is(slide, tmp_path):
    job = Job(
        slide, RECIPE.replace(model="no-such"), tmp_path / "r", jobs=DeviceQueue()
    )
    job.start()
    assert job.wait(LONG_S)
    assert job.progress.status == "failed"
    assert "There is no model 'no-such'" in job.progress.message
    assert isinstance(job.error, ModelNotFoundError)
    assert isinstance(job.error, ModelError)
    assert job.run is None


def test_what_nobody_expected_is_logged_and_said(
    use, slide, tmp_path, caplog, monkeypatch
):
    use(MeanColour())
    line = DeviceQueue()
    with monkeypatch.context() as patch:
        patch.setattr("workbench.inference.engine._tile_results", lambda *_: 1 / 0)
        job = Job(slide, RECIPE, tmp_path / "run", jobs=line)
        job.start()
        assert job.wait(LONG_S)
    assert job.progress.status == "failed"
    assert "unexpected error (ZeroDivisionError: " in job.progress.message
    assert job.run.status == "failed"
    assert "Traceback" in caplog.text
    after = Job(slide, RECIPE, tmp_path / "after", jobs=line)
    after.start()
    assert after.wait(LONG_S)
    assert after.progress.status == "finished"


def test_a_listener_that_fails_or_leaves_does_not_matter(use, slide, tmp_path, caplog):
    use(MeanColour())
    job = Job(slide, RECIPE, tmp_path / "run", jobs=DeviceQueue())
    heard = []

    def fail(_):
        message = "a listener's own fault"
        raise ValueError(message)

    job.subscribe(fail)
    leave = job.subscribe(heard.append)
    leave()
    leave()
    job.start()
    assert job.wait(LONG_S)
    assert job.progress.status == "finished"
    assert heard == []
    assert "a listener's own fault" in caplog.text


def test_a_device_that_is_not_there_fails_the_job_alone(use, slide, tmp_path):
    use(MeanColour())
    job = Job(
        slide, RECIPE.replace(device="cuda:77"), tmp_path / "r", jobs=DeviceQueue()
    )
    job.start()
    assert job.wait(LONG_S)
    assert "cuda:77" in job.progress.message


def until(job, status):
    """Wait for a job to come to a status, and hear of it."""
    there = threading.Event()
    leave = job.subscribe(lambda p: p.status == status and there.set())
    assert job.progress.status == status or there.wait(LONG_S)
    leave()


def test_a_paused_job_gives_the_device_back_and_goes_on(use, slide, tmp_path):
    gate = use(Gate())
    line = DeviceQueue()
    jobs = [Job(slide, RECIPE, tmp_path / str(i), jobs=line) for i in range(2)]
    jobs[0].start()
    gate.tickets.release()
    gate.begun()
    gate.begun()
    jobs[1].start()
    jobs[0].pause()
    gate.tickets.release()
    until(jobs[0], "paused")
    assert jobs[0].run.tiles_done == 32
    assert not jobs[0].wait(0)
    assert jobs[0].position == 0
    gate.begun()  # the other has the device
    assert list(line) == [jobs[1]]
    jobs[0].resume()
    jobs[0].resume()
    assert jobs[0].position == 1
    assert jobs[0].progress.message == "Waiting for 1 run before it."
    gate.open()
    assert all(job.wait(LONG_S) for job in jobs)
    assert [job.progress.status for job in jobs] == ["finished"] * 2
    assert sum(gate.batches) == 2 * 176  # nothing was answered twice


def test_a_job_that_waits_can_be_paused_and_cancelled(use, slide, tmp_path):
    gate = use(Gate())
    line = DeviceQueue()
    first, second, third = (
        Job(slide, RECIPE, tmp_path / str(i), jobs=line) for i in range(3)
    )
    for job in (first, second, third):
        job.start()
    gate.begun()
    second.pause()
    assert second.progress.status == "paused"
    assert third.position == 1
    second.cancel()
    assert second.wait(LONG_S)
    second.resume()
    second.pause()
    assert second.progress.status == "cancelled"
    gate.open()
    assert first.wait(LONG_S)
    assert third.wait(LONG_S)


def test_pausing_and_resuming_within_one_chunk_changes_nothing(use, slide, tmp_path):
    gate = use(Gate())
    job = Job(slide, RECIPE, tmp_path / "run", jobs=DeviceQueue())
    job.start()
    gate.begun()
    job.pause()
    job.resume()
    gate.open()
    assert job.wait(LONG_S)
    assert job.progress.status == "finished"
    assert sum(gate.batches) == 176


def test_users_take_turns_and_nothing_is_answered_twice(use, slide, tmp_path):
    gate = use(Gate())
    seconds = [0.0]
    line = DeviceQueue(turn_s=10, clock=lambda: seconds[0])
    names = {"a": "ada", "b": "ada", "c": "ben"}
    jobs = {
        name: Job(slide, RECIPE, tmp_path / name, user=user, jobs=line)
        for name, user in names.items()
    }
    jobs["a"].start()
    gate.begun()
    jobs["b"].start()
    seconds[0] = 10
    gate.tickets.release()
    gate.begun()  # a goes on: who waits is the same user's
    jobs["c"].start()
    assert [jobs[name].position for name in "abc"] == [0, 2, 1]
    gate.tickets.release()
    gate.begun()
    until(jobs["a"], "waiting")
    assert jobs["a"].run.tiles_done == 32
    assert [jobs[name].position for name in "abc"] == [1, 2, 0]
    gate.open()
    assert all(job.wait(LONG_S) for job in jobs.values())
    assert {job.progress.status for job in jobs.values()} == {"finished"}
    assert sum(gate.batches) == 3 * 176
