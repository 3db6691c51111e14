"""Long work at all doors: the same words, one line that goes, a stop without rests."""

from __future__ import annotations

import re
import signal
import threading

import pytest

import workbench as wb
from exported_runs import instance_run, score_run
from workbench.app.panels.export_menu import content_of
from workbench.app.widgets.background import Background
from workbench.app.widgets.work_line import WorkLine
from workbench.cli.console import shown
from workbench.errors import EXIT_CODES, StoppedError, code_for
from workbench.export.formats import FORMATS
from workbench.progress import Progress, counted_noun
from workbench.synthetic import write_slide
from workbench.system import long_work
from workbench.system.long_work import Count, ProgressBar, counted, followed

WORDS = re.compile(
    r"[\d,]+ of [\d,]+ [a-z]+(, [\d.,]+ [a-z]+/s)?(, [\d.]+ (s|min|h) left)?(, .+)?"
)
"""Count, speed and time left, as every door says them."""


@pytest.fixture(autouse=True)
def every_report(monkeypatch):
    monkeypatch.setattr(long_work, "_AGAIN_S", 0.0)
    monkeypatch.setattr("workbench.app.widgets.work_line._DELAY_S", 0.0)
    monkeypatch.setattr("workbench.app.widgets.work_line._AGAIN_S", 0.0)


@pytest.fixture
def terminal(monkeypatch):
    """Let standard error be drawn on, as a terminal is."""
    monkeypatch.setattr(long_work, "is_drawn_on", lambda: True)


def work(number=4):
    return [item for item in counted(range(number), number, "tiles")]  # noqa: C416 - it is consumed


def test_what_is_counted_is_reported_however_deep():
    heard: list[Progress] = []
    with followed(heard.append, "exporting"):
        assert work() == [0, 1, 2, 3]
    assert [each.done for each in heard] == [0, 0, 1, 2, 3, 4]
    assert heard[0].sentence == "Exporting …"
    assert heard[-1].unit == "tiles"
    assert all(WORDS.fullmatch(each.sentence) for each in heard[1:])
    assert work() == [0, 1, 2, 3]  # without a block it is heard by nothing
    assert len(heard) == 6


def test_sizes_and_former_work_are_counted():
    heard: list[Progress] = []
    with followed(heard.append, "converting", path="part"):
        list(counted(["ab", "cde"], 9, "tiles", size=len, before=4))
    assert [each.done for each in heard[1:]] == [4, 6, 9]
    with followed(heard.append, "registering", "steps"):
        count = Count(2)
        count.add()
    assert heard[-1].sentence.startswith("1 of 2 steps")


def test_an_outer_block_hears_what_an_inner_one_passes_on():
    heard: list[Progress] = []
    with followed(heard.append, "exporting"), followed(None, "converting"):
        work()
    assert heard[-1].stage == "exporting"


def test_a_stop_ends_the_work_at_the_next_item():
    cancel, heard = threading.Event(), []

    def listen(progress):
        heard.append(progress)
        if progress.done == 2:
            cancel.set()

    with (
        pytest.raises(StoppedError, match=r"^Stopped at 2 of 4 tiles\. Nothing was"),
        followed(listen, "exporting", cancel=cancel),
    ):
        work()
    assert heard[-1].status == "cancelled"
    assert code_for(StoppedError(""), EXIT_CODES) == 130
    with (
        pytest.raises(StoppedError, match="Run again to continue"),
        followed(None, "converting", cancel=cancel, path="x.part"),
    ):
        work()


@pytest.mark.usefixtures("terminal")
def test_a_terminal_app_and_notebook_say_the_same(capsys, monkeypatch):
    heard: list[str] = []
    with followed(lambda p: heard.append(p.sentence), "exporting"):
        work()
    with shown("exporting", progress=True):
        work()
    said = capsys.readouterr().err
    plain = re.compile(r", [\d.,]+ tiles/s|, \d+ s left")
    for sentence in heard[:-1]:
        assert plain.sub("", sentence) in plain.sub("", said)
    assert "\n" not in said  # one line
    assert said.rpartition("\r")[0].endswith(" ")  # of which nothing stays
    line = WorkLine(Background(heard.append), "exporting")
    texts: list[str] = []
    line._status.param.watch(lambda event: texts.append(event.new), "object")
    line.run(work, lambda _: None)
    assert [plain.sub("", each) for each in texts] == [
        plain.sub("", each) for each in dict.fromkeys(heard)
    ]
    assert line.text == ""
    drawn: list[str] = []

    class Widget:
        total = n = 0

        def set_description_str(self, text, **_):
            drawn.append(text)

        def refresh(self):
            pass

        close = refresh

    monkeypatch.setattr(long_work, "tqdm", lambda **_: Widget())
    with followed(True, "exporting"):  # noqa: FBT003 - a bar
        work()
    assert [plain.sub("", each) for each in drawn] == [
        plain.sub("", each) for each in heard
    ]


def test_a_log_has_a_line_each_minute(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(long_work.time, "monotonic", lambda: now[0])
    with ProgressBar() as bar:
        for done in range(1, 5):
            now[0] += 40
            bar(Progress("running", "tiles", done, 9))
    assert capsys.readouterr().err == "2 of 9 tiles\n4 of 9 tiles\n"


def test_a_second_interrupt_stops_at_once():
    with shown("exporting", progress=False):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with (
        pytest.raises(StoppedError, match="Stopped at 0 of 4 tiles"),
        shown("exporting", progress=False),
    ):
        signal.raise_signal(signal.SIGTERM) or work()


def test_work_of_a_panel_is_stopped_and_says_so():
    told: list[str] = []
    line, ended = WorkLine(Background(told.append), "indexing", "tiles"), []

    def stopped_at_once():
        line.cancel()
        return work()

    line.run(stopped_at_once, ended.append, otherwise=lambda: ended.append("stopped"))
    assert ended == ["stopped"]
    assert line.text.startswith("Stopped at 0 of 4 tiles")
    assert not line.busy
    assert not line.cancel_button.visible
    assert told == []
    line.run(work, ended.append)
    assert (ended[-1], line.text) == ([0, 1, 2, 3], "")
    line.run(lambda: 1 / 0, ended.append, otherwise=lambda: ended.append("failed"))
    assert ended[-1] == "failed"
    assert told


def test_made_slides_fits_and_indexes_are_counted(tmp_path):
    heard: list[Progress] = []
    with followed(heard.append, "making the slide"):
        write_slide(tmp_path / "s.tif", size=(1100, 700), seed=3)
    assert [each.done for each in heard] == [0, 0, 1, 2]
    with (
        wb.open_slide(tmp_path / "s.tif") as slide,
        followed(heard.append, "fitting stains"),
    ):
        wb.fit_normalizer(slide)
    assert (heard[-1].unit, heard[-1].fraction) == ("tiles", 1.0)
    assert all(WORDS.fullmatch(each.sentence) for each in heard if each.total)


COUNTED = {
    "instances": sorted(
        {each.name for each in FORMATS if "instances" in each.writers}
        - {"cvat", "dicom", "dicom-pm", "dicom-sr", "dicom-ann"}
    ),
    "classification": ["geojson", "csv", "xopat", "tiatoolbox", "wsinfer"],
}
"""Formats of which something is counted; the others take a moment."""


@pytest.mark.parametrize(
    ("task", "name"),
    [(task, name) for task, names in COUNTED.items() for name in names],
)
def test_exports_count_and_stop_without_rests(tmp_path, task, name):
    make = instance_run if task == "instances" else score_run
    run = make(tmp_path / "run")
    suffix = next((f.suffixes[0] for f in FORMATS if f.name == name and f.suffixes), "")
    heard: list[Progress] = []
    cancel = threading.Event()

    def stop(progress):
        heard.append(progress)
        if progress.done:
            cancel.set()

    with pytest.raises(StoppedError, match="Nothing was written"):
        wb.export_run(
            run, tmp_path / f"a{suffix}", to=name, progress=stop, cancel=cancel
        )
    assert [each.name for each in tmp_path.iterdir()] == ["run"]
    assert any(WORDS.fullmatch(each.sentence) for each in heard)
    assert content_of(run, name, f"a{suffix}")[1]


@pytest.mark.parametrize(
    ("number", "plural", "said"),
    [
        (1, "tiles", "1 tile"),
        (0, "tiles", "0 tiles"),
        (1200, "analyses", "1,200 analyses"),
        (1, "analyses", "1 analysis"),
        (1, "studies", "1 study"),
        (1, "classes", "1 class"),
        (1, "boxes", "1 box"),
        (1, "nuclei", "1 nucleus"),
        (1, "matches", "1 match"),
    ],
)
def test_a_noun_follows_its_number(number, plural, said):
    assert counted_noun(number, plural) == said
