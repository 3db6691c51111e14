"""Two readers in two browsers on one worklist: nothing lost, nothing doubled, blind."""

from __future__ import annotations

import contextlib
import json
import os
import signal

import pandas as pd
import pytest
from playwright.sync_api import Error as PlaywrightError
from sklearn.metrics import cohen_kappa_score

import workbench as wb
from browser import IN_A_PAGE, Figure, Watched, free_port, study_served
from made_slides import write_tiff
from patience import eventually
from studies import two_coloured

pytestmark = IN_A_PAGE

NAMES = [f"secretname{number}" for number in range(6)]
LABEL, MODEL = "secretlabel", "secretmodel"
GRADES = {
    "annabel": ["none", "low", "high", "low", "none", "high"],
    "roberta": ["none", "high", "high", "low", "low", "high"],
}
CHOICES = ["none", "low", "high"]
PERCENT = {"annabel": "31", "roberta": "77.125"}
FORM = {
    "title": "Grading",
    "properties": {
        "grade": {"title": "Grade", "enum": CHOICES},
        "percent": {"title": "Percent", "type": "number", "minimum": 0, "maximum": 100},
    },
    "required": ["grade"],
}


@pytest.fixture
def study(tmp_path):
    """A study of six slides with a run, and a worklist that hides all from readers."""
    (tmp_path / "slides").mkdir()
    for number, name in enumerate(NAMES):
        path = tmp_path / "slides" / f"{name}.tif"
        write_tiff(path, two_coloured(256, seed=number), compression="zlib", levels=2)
    rows = {
        "path": [str(tmp_path / "slides" / f"{name}.tif") for name in NAMES],
        "diagnosis": [f"{LABEL}{number}" for number in range(6)],
    }
    made = wb.make_study(tmp_path / "study", pd.DataFrame(rows))
    made.run(wb.Recipe(device="cpu", batch_size=4), name=MODEL, workers=0)
    (made.path / "forms").mkdir()
    (made.path / "forms" / "grading.json").write_text(json.dumps(FORM))
    made.readings().assign("blind", list(GRADES), blind=["model", "readers", "labels"])
    users = {name: name for name in GRADES}
    users["lea"] = {"password": "lea", "role": "lead"}
    (tmp_path / "users.json").write_text(json.dumps(users))
    return made


class Reader:
    """A user with a browser of their own, and all that the server has sent to it."""

    def __init__(self, chromium, name, url):
        self.name, self.received = name, []
        self.context = chromium.new_context(viewport={"width": 1366, "height": 768})
        self.page = self.context.new_page()
        self.watched = Watched(self.page)
        self.page.on("websocket", lambda socket: socket.on("framereceived", self.take))
        self.log_in(url)

    def note(self, route):
        """Note what the server answers, and pass it on to the page."""
        try:
            response = route.fetch()
            body = response.body()
        except PlaywrightError:  # there is no server
            route.abort()
            return
        self.received.append((route.request.url, body.decode("latin-1")))
        route.fulfill(response=response, body=body)

    def take(self, frame):
        text = frame if isinstance(frame, str) else frame.decode("latin-1")
        self.received.append(("websocket", text))

    def log_in(self, url):
        self.page.goto(url)
        self.page.get_by_label("User").fill(self.name)
        self.page.get_by_label("Password").fill(self.name)
        self.page.get_by_role("button", name="Log in").click()
        self.page.locator(".card").first.wait_for()
        # Not the pages themselves: Chromium distrusts those that a test hands on.
        for path in ("**/study/**", "**/tiles/**"):
            self.page.route(path, self.note)
        for path in (url, url.replace("/study", "/workbench?framed=1")):
            text = self.context.request.get(path).text()
            self.received.append((path, text))
        self.page.reload()
        self.page.locator(".card").first.wait_for()

    def saved(self):
        self.page.locator("#reading-said").get_by_text("Saved", exact=True).wait_for()

    def answer_to_nobody(self, study):
        """Answer the slide in view while no server takes it."""
        self.page.locator("#form .answer").first.wait_for()
        name = aliases(study)[self.page.locator("#shown").inner_text()]
        grade = GRADES[self.name][NAMES.index(name)]
        self.page.locator("#form [data-number='0'] input").first.focus()
        self.page.keyboard.press(str(CHOICES.index(grade) + 1))
        self.page.locator("#reading-said").get_by_text("Not saved").wait_for()

    def read(self, grade):
        """Answer the slide in view by keys, and go on to the next."""
        self.page.locator("#form .answer").first.wait_for()
        shown = self.page.locator("#shown").inner_text()
        self.page.locator("#form [data-number='0'] input").first.focus()
        self.page.keyboard.press(str(CHOICES.index(grade) + 1))
        self.page.keyboard.type(PERCENT[self.name])
        self.page.keyboard.press("Enter")
        self.page.keyboard.press("d")
        return shown


def aliases(study):
    made = study.readings().worklist("blind")
    return {made.alias(name): name for name in NAMES}


def read_all(readers, study, restart):
    """Let the readers read by turns; kill the server after some answers."""
    known = aliases(study)
    number = {name: place for place, name in enumerate(NAMES)}
    for reader in readers:
        reader.page.keyboard.press("n")
        reader.page.frame_locator("iframe").locator("body").wait_for()
        Figure(reader.page.frames[-1], reader.watched.errors).settle()
    for turn in range(len(NAMES)):
        for reader in readers:
            page = reader.page
            page.locator("#form .answer").first.wait_for()
            name = known[page.locator("#shown").inner_text()]
            shown = reader.read(GRADES[reader.name][number[name]])
            last = turn == len(NAMES) - 1
            if not last:
                page.wait_for_function(
                    "(shown) => document.getElementById('shown').textContent !== shown",
                    arg=shown,
                )
            if turn == 2 and reader is readers[-1]:
                restart()


def test_two_readers_lose_and_double_nothing_and_see_nothing_hidden(
    chromium, study, tmp_path, monkeypatch
):
    monkeypatch.setenv("PANEL_COOKIE_SECRET", "a" * 64)  # logins outlive the server
    port = free_port()
    options = ("--basic-auth", str(tmp_path / "users.json"))

    def served():
        return study_served(study.path, tmp_path / "log", *options, port=port)

    with contextlib.ExitStack() as stack:
        url, process = stack.enter_context(served())
        readers = [Reader(chromium, name, url) for name in GRADES]
        for reader in readers:
            stack.callback(reader.context.close)

        def restart():
            for reader in readers:
                reader.page.locator("#form .answer").first.wait_for()
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            for reader in readers:
                reader.answer_to_nobody(study)
            stack.enter_context(served())
            for reader in readers:
                reader.saved()

        read_all(readers, study, restart)
        log = study.readings()
        eventually(lambda: len(log.frame().query("state == 'done'")) == 12)
        check_answers(study)
        for reader in readers:
            check_blind(reader, study)
        lea = Reader(chromium, "lea", url)
        stack.callback(lea.context.close)
        lea.page.get_by_role("button", name="Readers…").click()
        kappa = cohen_kappa_score(*GRADES.values())
        lea.page.get_by_role("cell", name=f"{kappa:.2f}", exact=True).wait_for()


def check_answers(study):
    """See that each reader has one final answer to each slide, as it was given."""
    readings = study.readings()
    table = readings.frame()
    for reader, grades in GRADES.items():
        own = table[table["reader"] == reader].set_index("slide")
        assert own["grade"].to_dict() == dict(zip(NAMES, grades, strict=True))
        assert set(own["percent"]) == {float(PERCENT[reader])}
    history = readings.history()
    assert len({each.id for each in history}) == len(history)
    done = [(each.reader, each.slide) for each in history if each.state == "done"]
    assert len(done) == len(set(done)) == 12
    (kappa, *_) = readings.agreements()
    assert kappa.value == pytest.approx(cohen_kappa_score(*GRADES.values()))


def check_blind(reader, study):
    """See that nothing that the server has sent holds what is hidden."""
    (other,) = set(GRADES) - {reader.name}
    hidden = [*NAMES, LABEL, MODEL, other, PERCENT[other], str(study.path)]
    if PERCENT[other] == PERCENT["annabel"]:  # a short number, which may be any
        hidden.remove(PERCENT[other])
    found = [
        (source, word)
        for source, text in reader.received
        for word in hidden
        if word in text
    ]
    assert found == []
    sources = {source for source, _ in reader.received}
    for part in ("websocket", "study/table", "study/reading", "/workbench?", "/tiles/"):
        assert any(part in source for source in sources), part
