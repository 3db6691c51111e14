"""The start: the command line, the server, and a page until the first tile is painted.

    python benchmarks/start.py [--rounds 3] [--keep FOLDER]

Processor seconds and wall seconds of `--help`, of each verb's help and of
`import workbench`; of a server from its start to its first answer; of the server for
one page. In Chromium (software rendering, 1366 x 768), on a slide of 50,000 px: the
first paint, the first tile, the requests and the bytes, in a first visit (an empty
cache, a server that has not shown a page) and in later ones. Wall times are of the
machine and its load; bytes, requests and processor times are less so. Figures: see
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import psutil

from read import picture
from viewer import write_slide

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from browser import _PROBES, free_port, launched, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, Page

SIDE = 50_000
WINDOW = {"width": 1366, "height": 768}
VERBS = [
    *("annotations", "demo", "export", "former", "info", "models", "normalize"),
    *("run", "serve", "stain", "synthesize"),
]

_WATCH = """
window.start = { seen: null, whole: null };
const tell = EventTarget.prototype.dispatchEvent;
EventTarget.prototype.dispatchEvent = function (event) {
  if (event.type === "painted" && !event.detail.missing) {
    const now = performance.now();
    start.seen ??= now;
    if (!this.closest?.("#shell")) start.whole ??= now;
  }
  return tell.call(this, event);
};
"""
"""The first paint without a missing tile: of the shell or the viewer; of the viewer."""


@dataclass(frozen=True)
class Cost:
    """Seconds of a command or of a stretch of work."""

    cpu: float
    wall: float

    def __str__(self) -> str:
        """Say both."""
        return f"{self.cpu:.2f} CPU s ({self.wall:.2f} s)"


def command_cost(arguments: list[str], rounds: int) -> Cost:
    """Run a Python command several times; return the smallest of each."""
    costs = []
    for _ in range(rounds):
        began, before = time.monotonic(), _children_seconds()
        command = [sys.executable, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        costs.append(Cost(_children_seconds() - before, time.monotonic() - began))
    return Cost(min(each.cpu for each in costs), min(each.wall for each in costs))


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextlib.contextmanager
def served(slides: Path, runs: Path) -> Iterator[tuple[str, psutil.Process, Cost]]:
    """Serve the app; yield its address, its process, and what its start has cost."""
    root = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "workbench.cli", "serve", "--slides", str(slides)]
    command += ["--runs", str(runs), "--port", root.rpartition(":")[2]]
    runs.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    env = {"OMP_NUM_THREADS": "1"}
    with running(command, f"{root}/health", runs / "log", env=env) as server:
        process = psutil.Process(server.pid)
        cost = Cost(_seconds(process), time.monotonic() - began)
        yield f"{root}/workbench", process, cost


def page_cost(url: str, process: psutil.Process) -> tuple[Cost, int]:
    """Ask for a page without a browser; return its cost to the server, and its size."""
    began, before = time.monotonic(), _seconds(process)
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own
        size = len(answer.read())
    return Cost(_seconds(process) - before, time.monotonic() - began), size


class Wire:
    """The requests of a page and their bytes, as the browser's network counts them."""

    def __init__(self, page: Page) -> None:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.responseReceived", self._answered)
        session.on("Network.dataReceived", self._came)
        session.on("Network.loadingFinished", self._finished)
        self._urls: dict[str, str] = {}
        self._cached: set[str] = set()
        self._plain: dict[str, int] = {}
        self._sent: dict[str, int] = {}

    def _answered(self, event: dict[str, Any]) -> None:
        url = event["response"]["url"]
        if url.startswith("http"):
            self._urls[event["requestId"]] = url
            if event["response"].get("fromDiskCache"):
                self._cached.add(event["requestId"])

    def _came(self, event: dict[str, Any]) -> None:
        key = event["requestId"]
        self._plain[key] = self._plain.get(key, 0) + event["dataLength"]

    def _finished(self, event: dict[str, Any]) -> None:
        self._sent[event["requestId"]] = event["encodedDataLength"]

    def _over(self, asked: Callable[[str], bool], sizes: dict[str, int]) -> int:
        found = [key for key, url in self._urls.items() if asked(url)]
        return sum(sizes.get(key, 0) for key in found if key not in self._cached)

    def __str__(self) -> str:
        """Say how many requests went out, and what came back."""
        asked = len(self._urls.keys() - self._cached)
        plain, sent = (
            self._over(lambda url: "/tiles/" not in url, sizes) / 1e6
            for sizes in (self._plain, self._sent)
        )
        tiles = self._over(lambda url: "/tiles/" in url, self._sent) / 1e6
        return (
            f"{asked} requests, {sent:.2f} MB sent of {plain:.2f} MB,"
            f" and {tiles:.2f} MB of tiles"
        )

    def largest(self, number: int) -> list[str]:
        """Return the largest answers, as lines."""
        order = sorted(self._urls, key=lambda key: -self._plain.get(key, 0))
        return [
            f"    {self._sent.get(key, 0):>9,} of {self._plain.get(key, 0):>9,} B"
            f"  {self._urls[key].partition('?')[0][-70:]}"
            for key in order[:number]
        ]


@dataclass(frozen=True)
class Visit:
    """One page, from the navigation to the first complete view; times in ms."""

    html: float
    paint: float
    seen: float
    whole: float
    cpu_html: float
    cpu: float
    wire: Wire

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"HTML {self.html:.0f} ms, first paint {self.paint:.0f} ms, first view"
            f" {self.seen:.0f} ms, in the viewer {self.whole:.0f} ms; server"
            f" {self.cpu_html:.2f} CPU s to the HTML,"
            f" {self.cpu:.2f} to the view; {self.wire}"
        )


def visit(context: BrowserContext, url: str, process: psutil.Process) -> Visit:
    """Open a page and wait for the first complete view."""
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(_PROBES)
    page.add_init_script(_WATCH)
    wire, before = Wire(page), _seconds(process)
    page.goto(url, wait_until="commit")
    html = _seconds(process) - before
    page.wait_for_function("() => start.whole", polling=200)
    cpu = _seconds(process) - before
    times = page.evaluate(
        """() => [
          performance.getEntriesByType("navigation")[0].responseStart,
          performance.getEntriesByType("paint").at(-1)?.startTime ?? NaN,
          start.seen,
          start.whole,
        ]"""
    )
    page.wait_for_timeout(1500)
    page.close()
    return Visit(*times, html, cpu, wire)


def _write_flat_slide(path: Path) -> None:
    """Write a slide whose tiles are small: a blurred picture, again and again."""
    if not path.exists():
        part = path.with_suffix(".part")
        write_slide(part, SIDE, cv2.GaussianBlur(picture(0), (0, 0), 12))
        part.rename(path)


def measure_commands(rounds: int) -> None:
    """Print what the command line costs."""
    print("python -c pass:", command_cost(["-c", "pass"], rounds))
    print("import workbench:", command_cost(["-c", "import workbench"], rounds))
    run = ["-m", "workbench.cli"]
    print("workbench --help:", command_cost([*run, "--help"], rounds))
    for verb in VERBS:
        print(f"workbench {verb} --help:", command_cost([*run, verb, "--help"], rounds))


def measure_pages(folder: Path, rounds: int) -> None:
    """Print what the server and its pages cost."""
    slides = folder / "slides"
    slides.mkdir(parents=True, exist_ok=True)
    _write_flat_slide(slides / "flat.svs")
    with (
        launched() as browser,
        served(slides, folder / "runs") as (url, process, cost),
    ):
        print("server until /health answers:", cost)
        context = browser.new_context(viewport=WINDOW)
        first = visit(context, url, process)
        print("first visit:", first, *first.wire.largest(12), sep="\n  ")
        later = [visit(context, url, process) for _ in range(rounds)]
        print("later visits:", *later, sep="\n  ")
        costs = [page_cost(url, process) for _ in range(rounds)]
        cpu = statistics.median(cost.cpu for cost, _ in costs)
        print(f"a page's HTML alone: {cpu:.2f} CPU s, {costs[0][1]:,} B")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder that keeps the slide")
    parser.add_argument("--only", choices=["commands", "pages"])
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as temporary:
        if options.only != "pages":
            measure_commands(options.rounds)
        if options.only != "commands":
            measure_pages(options.keep or Path(temporary), options.rounds)


if __name__ == "__main__":
    main()
