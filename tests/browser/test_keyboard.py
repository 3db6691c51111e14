"""The whole job by keyboard alone, with the focus always in sight."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from app_page import AppPage
from browser import IN_A_PAGE, app_served
from stained_slide import write_stained
from workbench.results.run import open_run

pytestmark = IN_A_PAGE

MODEL = "tissue-classes"
_MOST_TABS = 70
"""Presses of Tab within which anything on the page is reached."""

_ROOM_PX = 4
_HAS_FOCUS = "element => element.getRootNode().activeElement === element"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def url(tmp_path_factory, runs):
    folder = tmp_path_factory.mktemp("slides")
    for name in ("first.tif", "second.tif"):
        write_stained(folder / name, width=1280, height=1024)
    with app_served(folder, runs) as address:
        yield address


class Keys:
    """The app's page, for one who has no mouse."""

    def __init__(self, watched, url):
        self.page = watched.page
        self.page.set_viewport_size({"width": 1366, "height": 768})
        self.page.goto(url)
        self.app = AppPage(watched)
        self.app.figure.settle()

    def find(self, role, name, **more):
        return self.page.get_by_role(role, name=name, **more).first

    def go(self, role, name, *, back=False, **more):
        """Press Tab until an element has the focus, and see that this is seen."""
        wanted = self.find(role, name, **more)
        expect(wanted).to_be_visible()
        for _ in range(_MOST_TABS):
            self.press("Shift+Tab" if back else "Tab")
            if wanted.evaluate(_HAS_FOCUS):
                self.is_seen(wanted)
                return wanted
        message = f"Tab does not come to the {role} {name!r}"
        raise AssertionError(message)

    def step(self, key, wanted):
        """Press a key until an element of a group has the focus."""
        for _ in range(_MOST_TABS):
            if wanted.evaluate(_HAS_FOCUS):
                self.is_seen(wanted)
                return
            self.press(key)
        message = f"{key} does not come to {wanted}"
        raise AssertionError(message)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def is_seen(self, element):
        """See that the focus changes the picture of an element."""
        self.app.eventually(lambda: self.looks_focused(element))

    def looks_focused(self, element):
        box = element.bounding_box()
        clip = {
            "x": max(0, box["x"] - _ROOM_PX),
            "y": max(0, box["y"] - _ROOM_PX),
            "width": box["width"] + 2 * _ROOM_PX,
            "height": box["height"] + 2 * _ROOM_PX,
        }

        def picture():
            png = self.page.screenshot(clip=clip, animations="disabled", caret="hide")
            return np.asarray(Image.open(io.BytesIO(png)).convert("L"), int)

        focused = picture()
        element.evaluate("element => element.blur()")
        without = picture()
        element.evaluate("element => element.focus()")
        changed = np.abs(focused - without) > 20
        assert changed.sum() > 30, f"the focus is not seen on {element}"

    def open_tab(self, name, steps):
        """Open a tab of the sidebar, `steps` to the right of the open one."""
        chosen = self.page.get_by_role("tab", selected=True)
        for _ in range(_MOST_TABS):
            self.press("Shift+Tab")
            if chosen.evaluate(_HAS_FOCUS):
                break
        for _ in range(steps):
            self.press("ArrowRight")
        self.is_seen(self.find("tab", name))
        self.press("Enter")
        expect(self.find("tab", name)).to_have_attribute("aria-selected", "true")


def test_the_whole_job_is_done_by_keys_alone(watched, url, runs):
    user = Keys(watched, url)
    open_the_second_slide(user)
    reference = choose_a_reference(user)
    run_the_model(user)
    run = open_run(max(runs.glob("*/run.json")).parent)
    assert (run.card.name, run.recipe.reference) == (MODEL, reference)
    look_at_the_result(user)
    export_it(user)
    user.app.is_clean()


def open_the_second_slide(user):
    user.go("listbox", "Slides")
    user.press("ArrowDown", "Enter")
    second = user.find("option", "second.tif")
    expect(second).to_have_attribute("aria-selected", "true")
    expect(user.page).to_have_title(re.compile("second.tif"))
    user.app.figure.settle()


def choose_a_reference(user):
    """Return the name of the chosen reference."""
    user.open_tab("Stain", 1)
    user.go("button", "none")
    user.step("ArrowRight", user.find("button", "macenko"))
    user.press("Enter")
    user.app.says("Fitted to the whole slide.")
    user.go("radio", re.compile("^he-"))
    user.press("ArrowRight")
    chosen = user.page.get_by_role("radio", checked=True)
    name = chosen.get_attribute("aria-label")
    user.app.says("Fitted to the whole slide.")
    return name


def run_the_model(user):
    user.open_tab("Run", 1)
    user.go("combobox", "Model")
    user.press("Enter")
    user.step("ArrowDown", user.find("menuitem", MODEL, exact=True))
    user.press("Enter")
    expect(user.find("combobox", "Model")).to_contain_text(MODEL)
    user.go("button", "Run", exact=True)
    user.press("Enter")
    user.app.says(re.compile(r"Finished: \d+ tiles"))


def look_at_the_result(user):
    user.go("button", "Show the results")
    user.press("Enter")
    expect(user.find("tab", "Results")).to_have_attribute("aria-selected", "true")
    user.go("application", re.compile("^Slide"))
    before = user.app.scale()
    user.press("+")
    user.app.eventually(lambda: closer(user.app, before))


def export_it(user):
    user.go("button", "Export", back=True)
    user.press("Enter")
    expect(user.page.get_by_role("menuitem").first).to_be_visible()
    with user.page.expect_download() as download:
        user.press("Enter")
    assert download.value.path().stat().st_size > 0


def closer(app, before):
    assert app.scale() > 1.5 * before
