"""What the readout of the viewer says, against the same from Python."""

from __future__ import annotations

import re

import pytest
from stained_slide import write_stained

from app_page import AppPage
from browser import app_served
from workbench.engine import run
from workbench.slide.slide import open_slide

pytestmark = pytest.mark.browser

SLIDE = "stained.tif"
SIZE = (2048, 1536)
READ = r"x (-?\d+)  y (-?\d+)  ·  (-?\d+), (-?\d+) µm  ·  ([\d.]+) µm/px(.*)"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a served slide with a saved run."""
    slides, runs = map(tmp_path_factory.mktemp, ("slides", "runs"))
    write_stained(slides / SLIDE, width=SIZE[0], height=SIZE[1])
    with open_slide(slides / SLIDE) as slide:
        tissue = run(
            slide, model="tissue-classes", out=runs / "b-run-0002", device="cpu"
        )
        with app_served(slides, runs) as url:
            yield tissue, url


class Stage:
    """One of the viewers of a page, by its number."""

    def __init__(self, app, number=0):
        self.app, self.number = app, number

    def text(self, part):
        """Return the text of a part of it, and how wide that is without its border."""
        return self.app.frame.evaluate(
            """([number, part]) => {
              const found = probe.stage(number).querySelector(part);
              return [found.textContent, found.clientWidth, found.offsetWidth];
            }""",
            [self.number, part],
        )

    def readout(self):
        """Return x and y in px, the same in µm, µm to a pixel, and what layers say."""
        found = re.match(READ, self.text(".coordinates")[0])
        assert found, self.text(".coordinates")
        return [*map(float, found.groups()[:5]), found[6]]


def point(app, x, y):
    """Let the mouse rest on a level-0 point of the first viewer."""
    app.page.mouse.move(*app.figure.screen(x + 4, y + 4))
    app.page.mouse.move(*app.figure.screen(x, y))


def says(stage, x, y, text):
    """Let the mouse rest on a level-0 point, and wait for what layers say there."""
    point(stage.app, x, y)

    def holds():
        told = stage.readout()
        assert told[:2] == pytest.approx((x, y), abs=2)
        assert told[5] == (f"  ·  {text}" if text else "")

    stage.app.eventually(holds)


def test_the_readout_names_only_what_is_painted_there(watched, place):
    tissue, url = place
    app = AppPage.open(watched, url, slide=SLIDE, at="1000,750,2")
    stage = Stage(app)
    app.choose("Saved runs", re.compile("^tissue-classes"))
    app.press("Show")
    app.press("Compare")
    app.press("slide | overlays")
    left, right = (800, 700), (1200, 700)
    values = tissue.heatmap.at(*right)
    said = f"Most likely class {max(values, key=values.get)}"

    says(stage, *right, said)
    says(stage, *left, "")
    app.page.wait_for_timeout(400)  # for an answer that must not come
    says(stage, *left, "")
    says(stage, *right, said)
    # The divider goes over the pointer that rests.
    divider = app.frame.get_by_role("slider", name="Divider between layers")
    for _ in range(14):
        divider.press("ArrowRight")
    app.eventually(lambda: _is(stage.readout()[5], ""))
    for _ in range(14):
        divider.press("ArrowLeft")
    app.eventually(lambda: _is(stage.readout()[5], f"  ·  {said}"))
    app.frame.locator(".stage").first.focus()
    app.page.keyboard.press("h")
    app.eventually(lambda: _is(stage.readout()[5], ""))
    app.page.keyboard.press("h")
    app.eventually(lambda: _is(stage.readout()[5], f"  ·  {said}"))
    app.is_clean()


def _is(text, wanted):
    assert text == wanted
