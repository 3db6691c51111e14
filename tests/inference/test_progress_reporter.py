"""How far a run is, and how fast."""

from __future__ import annotations

import pytest

from workbench.app.panels.run_progress import ProgressCard
from workbench.inference.progress_reporter import ProgressReporter
from workbench.progress import Counter, Progress
from workbench.system import long_work
from workbench.system.long_work import ProgressBar


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def report(clock, tmp_path):
    heard = []
    reporter = ProgressReporter(heard.append, clock=clock)
    reporter.begin(tmp_path, done=40, total=1000)
    return reporter, heard


def test_the_rate_is_that_of_the_last_seconds(clock, tmp_path):
    reporter, heard = report(clock, tmp_path)
    for second in range(1, 21):
        clock.now += 1
        reporter.tiles(40 + 10 * second)
    assert heard[-1].tiles_per_second == pytest.approx(10)
    for second in range(1, 7):
        clock.now += 1
        reporter.tiles(240 + 50 * second)
    assert heard[-1].tiles_per_second == pytest.approx(50)
    assert heard[-1].eta_s == pytest.approx((1000 - 540) / 50)


def test_what_was_done_before_is_no_part_of_the_rate(clock, tmp_path):
    reporter, heard = report(clock, tmp_path)
    assert heard[-1].tiles_per_second == 0
    assert heard[-1].eta_s is None
    clock.now += 2
    reporter.tiles(44)
    assert heard[-1].tiles_per_second == pytest.approx(2)


def test_a_slow_model_has_a_rate_too(clock, tmp_path):
    reporter, heard = report(clock, tmp_path)
    for done in (41, 42, 43):
        clock.now += 100
        reporter.tiles(done)
    assert heard[-1].tiles_per_second == pytest.approx(0.01)


def test_batches_that_end_together_have_the_rate_of_their_time(clock, tmp_path):
    reporter, heard = report(clock, tmp_path)
    clock.now += 6
    for done in range(41, 47):
        clock.now += 1e-4
        reporter.tiles(done)
    assert heard[-1].tiles_per_second == pytest.approx(1, rel=1e-3)


def test_stages_are_timed_and_add_up(clock):
    reporter = ProgressReporter(None, clock=clock)
    for _ in range(2):
        with reporter.stage("tiles"):
            clock.now += 1.5
    assert reporter.seconds == {"tiles": 3.0}


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("why"), "failed"), (KeyboardInterrupt(), "cancelled")],
)
def test_an_error_is_the_last_that_is_told(clock, error, status):
    heard = []
    reporter = ProgressReporter(heard.append, clock=clock)
    reporter.__exit__(type(error), error, None)
    assert (heard[-1].status, heard[-1].message) == (status, str(error))


def test_waiting_for_items_is_measured_and_nothing_else(clock):
    reporter = ProgressReporter(None, clock=clock)

    def slow():
        for item in range(3):
            clock.now += 2
            yield item

    for _ in reporter.timed(slow(), "waiting"):
        clock.now += 5
    assert reporter.seconds == {"waiting": 6.0}


@pytest.mark.parametrize(
    ("seconds", "word"),
    [
        ({"answering": 1.0, "waiting": 0.9, "writing": 0.1}, ""),
        ({"answering": 10.0, "waiting": 9.0, "writing": 0.1}, "Reading"),
        ({"answering": 10.0, "waiting": 9.0, "reading": 9.0, "disk": 1.0}, "Decoding"),
        (
            {"answering": 10.0, "waiting": 9.0, "reading": 9.0, "disk": 6.0},
            "faster disk",
        ),
        ({"answering": 10.0, "normalizing": 6.0, "model": 3.0}, "normalization"),
        ({"answering": 10.0, "waiting": 1.0, "writing": 0.1}, "model"),
        ({"answering": 10.0, "waiting": 6.0, "writing": 20.0}, "Writing"),
    ],
)
def test_the_advice_names_what_sets_the_pace(seconds, word):
    progress = Progress("running", "tiles", 1, 9, seconds=seconds)
    assert word in progress.advice
    assert bool(progress.advice) == bool(word)


def test_the_memory_is_asked_for_four_times_a_second(clock, tmp_path):
    reporter, heard = report(clock, tmp_path)
    asked = iter(range(100))
    for _ in range(10):
        clock.now += 0.1
        reporter.update({}, lambda: {"host": next(asked)})
        reporter.tiles(41)
    told = [progress.memory["host"] for progress in heard[-10:]]
    assert told == sorted(told)
    assert 3 <= len(set(told)) <= 5


@pytest.fixture
def terminal(monkeypatch):
    """Let standard error be drawn on, as a terminal is."""
    monkeypatch.setattr(long_work, "is_drawn_on", lambda: True)


@pytest.mark.usefixtures("terminal")
def test_a_bar_says_what_is_done_and_closes_with_its_block(capsys):
    with ProgressBar() as bar:
        bar(Progress("running", "tiles", 1, 4, message="core 7.svs", unit="slides"))
        assert bar._bar is not None
    said = capsys.readouterr().err
    assert "1 of 4 slides, core 7.svs" in said
    assert "\n" not in said
    assert said.endswith("\r")
    assert said.rpartition("\r")[0].endswith(" ")  # nothing is left on the line
    assert bar._bar is None
    with ProgressBar(enabled=False) as bar:
        bar(Progress("running", "tiles", 1, 4))
    assert capsys.readouterr().err == ""


WORK = {
    "run": (Progress("running", "tiles", 40, 100, 8.0), "40 of 100 tiles, 8 tiles/s"),
    "last seconds": (Progress("running", "tiles", 40, 100, 8.0), "8 s left"),
    "long": (Progress("running", "tiles", 0, 10_000, 2.0), "10,000 tiles, 2 tiles/s"),
    "hours": (Progress("running", "tiles", 0, 10_000, 1.0), "2.8 h left"),
    "slides": (
        Progress("running", "opening slides", 3, 12, 0.5, "core.svs", unit="slides"),
        "3 of 12 slides, 0.5 slides/s, 18 s left, core.svs",
    ),
    "before": (Progress("running", "fitting stains", 0, 0), "Fitting stains …"),
    "waiting": (Progress("waiting", "tiles", 0, 0, message="Waits."), "Waits."),
    "paused": (Progress("paused", "tiles", 40, 100), "Paused at 40 of 100 tiles."),
    "stopped": (Progress("cancelled", "tiles", 40, 100), "Stopped at 40 of 100 tiles."),
    "ended": (Progress("finished", "done", 100, 100), "Finished: 100 tiles."),
    "failed": (Progress("failed", "tiles", 40, 100, message="Full."), "Failed."),
}


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("progress", "words"), WORK.values(), ids=WORK)
def test_app_terminal_and_notebook_have_the_same_words(progress, words, capsys):
    assert words in progress.sentence
    with ProgressBar() as bar:  # of a terminal; in a notebook tqdm shows the same text
        bar(progress)
    assert progress.sentence in capsys.readouterr().err
    card = ProgressCard(pause=str, cancel=str)
    card.show(progress)
    assert card.text == progress.sentence


def test_a_counter_reports_speed_and_time_left():
    clock, heard = Clock(), []
    count = Counter(heard.append, "indexing", "tiles", clock=clock)
    clock.now += 2
    count(10, 40)
    assert heard[-1].sentence == "10 of 40 tiles, 5 tiles/s, 6 s left"
