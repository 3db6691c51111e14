"""The jobs of a pathologist in the app: clicks, keys, scrolls and seconds of each.

    python benchmarks/jobs.py SLIDE [--shots FOLDER] [--size 1366x768] [--dark]

plays the jobs of docs/jobs.md in Chromium (software rendering) on a real H&E slide,
which lies 311 times in the served folder, behind a login. A click is a press of the
mouse, a drag, or the choice of an option; a scroll is needed where what is to be
pressed lies outside of the sidebar's view. Seconds are from the first press until the
result is on the page, and are of the machine and its load.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from browser import free_port, launched, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

SLIDES: Final = 311
NAME: Final = "case-217.svs"
PASSWORD: Final = "of-the-benchmark"  # noqa: S105 - of a server of this program alone
PATIENCE_MS: Final = 240_000
FINISHED: Final = re.compile(r"Finished: [\d,]+ tiles")


@dataclass
class Job:
    """What one job has taken."""

    name: str
    clicks: int = 0
    keys: int = 0
    scrolls: int = 0
    seconds: float = 0.0
    before: str = ""

    def __str__(self) -> str:
        """Return it as a row of the table."""
        keys = f" + {self.keys} keys" if self.keys else ""
        return (
            f"| {self.name} | {self.before} | {self.clicks}{keys} | {self.scrolls}"
            f" | {self.seconds:.1f} |"
        )


@dataclass
class Hand:
    """The user's hand, which counts what it does."""

    page: Page
    shots: Path | None
    look: str
    jobs: list[Job] = field(default_factory=list)

    @contextlib.contextmanager
    def job(self, name: str, before: str) -> Iterator[None]:
        """Count what the block does as one job; save what is seen in the end."""
        self.jobs.append(Job(name, before=before))
        began = time.monotonic()
        yield
        self.jobs[-1].seconds = time.monotonic() - began
        print(self.jobs[-1], flush=True)
        if self.shots is not None:
            number = f"{len(self.jobs):02d}"
            self.page.wait_for_timeout(700)
            self.page.screenshot(path=self.shots / f"{number}-{self.look}.png")

    def find(self, role: Any, name: Any, **more: Any) -> Locator:
        """Return the first element of a role and name."""
        return self.page.get_by_role(role, name=name, **more).first

    def press(self, role: Any, name: Any, **more: Any) -> None:
        """Click on an element, after a scroll where it is out of view."""
        self.click(self.find(role, name, **more))

    def click(self, wanted: Locator, **more: Any) -> None:
        """Click on an element, after a scroll where it is out of view."""
        wanted.wait_for()
        self.reach(wanted)
        self.jobs[-1].clicks += 1
        wanted.click(**more)

    def reach(self, wanted: Locator) -> None:
        """Scroll to an element that is out of view, and count that."""
        wanted.element_handle().wait_for_element_state("stable")
        box, height = wanted.bounding_box(), self.page.viewport_size["height"]
        if box is None or box["y"] < 0 or box["y"] + box["height"] > height:
            self.jobs[-1].scrolls += 1
            wanted.scroll_into_view_if_needed()

    def tap(self, x: float, y: float) -> None:
        """Click on a place of the slide, given in shares of its view."""
        self.jobs[-1].clicks += 1
        self.page.mouse.click(*self.at(x, y))

    def drag(self, *places: tuple[float, float]) -> None:
        """Drag over places of the page."""
        self.jobs[-1].clicks += 1
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=6)
        self.page.mouse.up()

    def key(self, *keys: str) -> None:
        """Press keys."""
        self.jobs[-1].keys += len(keys)
        for each in keys:
            self.page.keyboard.press(each)

    def type(self, text: str) -> None:
        """Type letters."""
        self.jobs[-1].keys += len(text)
        self.page.keyboard.type(text)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return a place on the page, from shares of the slide's view."""
        box = self.page.locator(".stage").first.bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def settled(self) -> None:
        """Wait until the view is painted."""
        self.page.locator(".stage[data-state=ready]").first.wait_for()

    def says(self, text: Any) -> None:
        """Wait for a text."""
        self.page.get_by_text(text).first.wait_for()


def play(hand: Hand, url: str) -> None:
    """Play all jobs, in the order of the work."""
    with hand.job("log in", "2"):
        hand.page.goto(url)
        hand.type("anna")
        hand.key("Tab")
        hand.type(PASSWORD)
        hand.key("Enter")
        hand.settled()
    with hand.job("find 1 of 311 slides", "1 + 4 letters"):
        hand.click(hand.page.get_by_label("Search"))
        hand.type("217")
        hand.page.get_by_role("option").nth(1).wait_for(state="detached")
        hand.press("option", re.compile(NAME))
        hand.page.wait_for_function(f"() => document.title.startsWith('{NAME}')")
        hand.settled()
    with hand.job("look at cells with 10x", "1, and 1 for the focus"):
        hand.key("3")
        hand.settled()
    with hand.job("measure a vessel", "1 + drag"):
        hand.press("button", "Measure a distance")
        hand.drag(hand.at(0.3, 0.4), hand.at(0.5, 0.45))
        hand.says(re.compile("µm"))
        hand.page.keyboard.press("Escape")
    play_region(hand)
    play_divider(hand)
    play_run(hand)
    with hand.job("save a figure with scale and legend", "2"):
        hand.press("tab", "Views")
        with hand.page.expect_download():
            hand.press("button", re.compile("[Ff]igure"))
    with hand.job("send what is seen to a colleague", "0"):
        address = hand.page.url
    with hand.job("close the tab, come back", "0"):
        hand.page.goto("about:blank")
        hand.page.goto(address)
        hand.settled()
        hand.page.locator(".legend .entry").first.wait_for()


def play_region(hand: Hand) -> None:
    """Draw a region of a class."""
    with hand.job("a region of class Tumour", "1 + 5 corners + 4, scroll of 1,100 px"):
        hand.press("button", "Mark a polygon")
        for place in ((0.3, 0.3), (0.6, 0.28), (0.65, 0.5), (0.5, 0.65), (0.3, 0.6)):
            hand.tap(*place)
        hand.key("Enter")
        classes = hand.page.get_by_role("radiogroup", name="Class of annotations")
        hand.click(classes.get_by_role("radio").first)


def play_divider(hand: Hand) -> None:
    """Normalize, and compare both by a divider."""
    with hand.job("compare raw and normalized by a divider", "3, two long scrolls"):
        hand.press("tab", "Stain")
        hand.press("button", "macenko", exact=True)
        hand.says("Fitted to the whole slide.")
        hand.press("tab", "Views")
        hand.press("button", "raw | normalized")
        hand.page.get_by_role("slider", name="Divider").first.wait_for()
        hand.settled()
    with hand.job("colours as scanned, without the divider again", "3, two scrolls"):
        hand.press("button", "off", exact=True)
        hand.press("tab", "Stain")
        hand.press("button", "none", exact=True)


def play_run(hand: Hand) -> None:
    """Run a model on the region, and look at its instances."""
    with hand.job("nuclei on the annotation", "4, two scrolls"):
        hand.press("tab", "Run")
        hand.press("combobox", "Model")
        hand.press("menuitem", "nuclei", exact=True)
        hand.press("button", "annotation", exact=True)
        hand.press("button", "Run", exact=True)
        hand.says(FINISHED)
    with hand.job("counts with intervals", "0, scroll of 1,500 px"):
        hand.press("button", "Show the results")
        counts = hand.page.get_by_text(re.compile(r"mm²")).first
        counts.wait_for()
        hand.reach(counts)
    with hand.job("filter by area", "2 + drag"):
        hand.press("combobox", "Filter by")
        hand.press("menuitem", re.compile("^area"))
        thumb = hand.find("slider", re.compile("^[Aa]rea"))
        thumb.wait_for()
        hand.reach(thumb)
        box = thumb.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        hand.drag((x, y), (x + 40, y))
    with hand.job("one nucleus: select, delete, undo", "1, scroll, 1"):
        hand.page.keyboard.press("Escape")  # with a selection, numbers are classes
        hand.key("5")
        hand.settled()
        hand.page.wait_for_timeout(1500)
        nucleus(hand)
        hand.key("Delete", "Control+z")
    with hand.job("export the instances", "impossible"):
        hand.press("button", "Export")
        with hand.page.expect_download():
            hand.press("menuitem", "Table (.csv)", exact=True)


def nucleus(hand: Hand) -> None:
    """Click until a nucleus is selected; one click counts."""
    clear = hand.find("button", "Delete instance")
    for x in range(20, 80, 4):
        hand.page.mouse.click(*hand.at(x / 100, 0.5))
        hand.page.wait_for_timeout(300)
        if clear.count() and clear.is_enabled():
            break
    hand.jobs[-1].clicks += 1


@contextlib.contextmanager
def served(slide: Path, folder: Path) -> Iterator[str]:
    """Serve the slide under many names, behind a login."""
    slides = folder / "slides"
    slides.mkdir()
    shutil.copy(slide, slides / "case-001.svs")
    for number in range(2, SLIDES + 1):
        os.link(slides / "case-001.svs", slides / f"case-{number:03d}.svs")
    root = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "workbench.cli", "serve", "--slides", str(slides)]
    command += ["--runs", str(folder / "runs"), "--port", root.rpartition(":")[2]]
    command += ["--basic-auth", PASSWORD]
    with running(command, f"{root}/health", folder / "log"):
        yield f"{root}/workbench"


def main() -> None:
    """Play the jobs, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slide", type=Path)
    parser.add_argument("--shots", type=Path, help="folder for screenshots")
    parser.add_argument("--size", default="1366x768")
    parser.add_argument("--dark", action="store_true")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    if options.shots is not None:
        options.shots.mkdir(parents=True, exist_ok=True)
    scheme: Any = "dark" if options.dark else "light"
    with (
        tempfile.TemporaryDirectory() as folder,
        served(options.slide, Path(folder)) as url,
        launched() as browser,
    ):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        hand = Hand(page, options.shots, f"{options.size}-{scheme}")
        try:
            play(hand, url)
        except Exception:
            if options.shots is not None:
                page.screenshot(path=options.shots / f"stopped-{hand.look}.png")
            raise


if __name__ == "__main__":
    main()
