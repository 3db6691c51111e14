"""While a run goes on at full speed: does the app answer, and what does that cost?

    python benchmarks/live.py [--model tissue-classes] [--windows 3] [--seconds 2]

The app is served, a run over a whole slide is started in Chromium, and then windows of
time alternate: in one nobody touches anything, in the next somebody zooms, pans and
switches the overlay. So both rates are of the same run, the same minute and the same
machine. Measured in the browser: how long each tile took from the request that asked
for it, with others, to its last byte; how long those requests took; and how long it was
from a click on the overlay's switch until the picture had changed. The rate
is counted in the run folder. The browser works on the same processors; how many it
keeps busy is told beside, and the rate in what it leaves. A pair of windows in which
the run ended is left out; with fewer than three whole pairs there is no figure.
Figures: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
from playwright.sync_api import Page, sync_playwright

import workbench as wb
from viewer import write_slide

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from browser import _FLAGS, _PROBES, chromium_path, free_port, open_tab, running

if TYPE_CHECKING:
    from workbench.results.run import Run

SIDE = 81_920
"""A run that lasts: the file has about 1.7 GB."""

LEAST_PAIRS = 3
WINDOW = {"width": 1366, "height": 768}
TILE_MS, EVENT_MS, DROP = 100, 200, 0.15
"""What is asked for: p95 of tiles and of events, and the loss of rate."""

_WATCH = """() => {
  window.live = { tiles: [], requests: [], events: [] };
  const ask = window.fetch;
  const isOfTiles = (url) => /(^|\\/)tiles\\//.test(url);
  // Of the 12 bytes of a frame the last 8 say how much follows: tileserver/group.py.
  const timed = (began) => {
    let [head, left] = [[], 0];
    return new TransformStream({
      transform(chunk, controller) {
        for (let at = 0; at < chunk.length; ) {
          if (left) {
            const step = Math.min(left, chunk.length - at);
            [left, at] = [left - step, at + step];
          } else {
            head.push(chunk[at++]);
            if (head.length < 12) continue;
            const view = new DataView(new Uint8Array(head).buffer);
            [head, left] = [[], view.getUint32(4) + view.getUint32(8)];
          }
          if (!left && !head.length) live.tiles.push(performance.now() - began);
        }
        controller.enqueue(chunk);
      },
      flush() {
        live.requests.push(performance.now() - began);
      },
    });
  };
  window.fetch = async (url, options) => {
    const began = performance.now();
    const answer = await ask(url, options);
    if (!isOfTiles(String(url)) || !answer.ok) return answer;
    if (String(url).includes("tiles=")) {
      const body = answer.body.pipeThrough(timed(began));
      return new Response(body, { status: answer.status });
    }
    const blob = await answer.blob();
    live.tiles.push(performance.now() - began);
    live.requests.push(performance.now() - began);
    return new Response(blob, { status: answer.status });
  };
}"""

_SWITCH = """(name) => new Promise((answer) => {
  const walk = (root) => {
    for (const el of root.querySelectorAll("*")) {
      const label = el.type === "checkbox" && el.closest("label");
      if (label && label.textContent === name) return el;
      const inner = el.shadowRoot && walk(el.shadowRoot);
      if (inner) return inner;
    }
  };
  const began = performance.now();
  const seen = () => requestAnimationFrame(() => {
    live.events.push(performance.now() - began);
    answer(true);
  });
  probe.stage().addEventListener("painted", seen, { once: true });
  setTimeout(() => answer(false), 5000);
  walk(document).click();
})"""


def rate(run: Run, seconds: float, busy) -> tuple[float, float]:
    """Return the tiles/s of a run over some time, in which somebody is busy or not.

    And how many processors the browser kept busy meanwhile.
    """
    before, spent, began = run.tiles_done, browser_seconds(), time.monotonic()
    while time.monotonic() - began < seconds:
        busy()
    took = time.monotonic() - began
    return (run.tiles_done - before) / took, (browser_seconds() - spent) / took


def browser_seconds() -> float:
    """Return the processor time of all that we started but the server."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "workbench.cli" not in process.cmdline():
                times = process.cpu_times()
                total += times.user + times.system
    return total


def interact(page: Page, rng: np.random.Generator, name: str) -> None:
    """Zoom in and out somewhere, pan, and switch the overlay off and on."""
    x, y = rng.uniform(0.45, 0.8) * WINDOW["width"], rng.uniform(0.3, 0.7) * 768
    page.mouse.move(x, y)
    for turn in (-120, -120, -120, 120, 120):
        page.mouse.wheel(0, turn)
        page.wait_for_timeout(120)
    page.mouse.down()
    page.mouse.move(x - 150, y + 80, steps=8)
    page.mouse.up()
    page.wait_for_timeout(200)
    page.evaluate(_SWITCH, name)
    page.evaluate(_SWITCH, name)


def measure(page: Page, runs: Path, model: str, windows: int, seconds: float) -> None:
    """Start the run, alternate the windows, and print."""
    page.wait_for_function("() => window.probe && probe.stage()?.dataset.state")
    page.evaluate(_WATCH)
    open_tab(page, "Run")
    page.get_by_role("button", name="Run", exact=True).first.click()
    open_tab(page, "Results")
    page.get_by_text(model, exact=True).first.wait_for(timeout=180_000)
    run = wb.open_run(next(runs.glob("*/run.json")).parent)
    rng = np.random.default_rng(0)
    quiet, busy = [], []
    for _ in range(windows):
        alone = rate(run, seconds, lambda: page.wait_for_timeout(200))
        watched = rate(run, seconds, lambda: interact(page, rng, model))
        if run.status != "running":
            break
        quiet.append(alone)
        busy.append(watched)
    print(f"{len(quiet)} of {windows} pairs of windows while the run went on")
    if len(quiet) < LEAST_PAIRS:
        sys.exit(f"Too few: {run.tiles_total} tiles do not last. Give a larger --side.")
    told = page.evaluate("() => live")
    tiles, requests, events = (
        np.percentile(told[k], [50, 95]) for k in ("tiles", "requests", "events")
    )
    (alone, idle), (watched, shown) = (np.median(w, axis=0) for w in (quiet, busy))
    drop = 1 - watched / alone
    left = (psutil.cpu_count() - shown) / (psutil.cpu_count() - idle)
    print(f"tiles, n={len(told['tiles'])}: p50 {tiles[0]:.0f}, p95 {tiles[1]:.0f} ms")
    print(
        f"requests for them, n={len(told['requests'])}: p50 {requests[0]:.0f},"
        f" p95 {requests[1]:.0f} ms"
    )
    print(
        f"events, n={len(told['events'])}: p50 {events[0]:.0f}, p95 {events[1]:.0f} ms"
    )
    print(
        f"rate: {alone:.2f} tiles/s alone, {watched:.2f} with somebody looking:"
        f" {drop:.0%} less"
    )
    print(
        f"the browser kept {shown:.2f} of {psutil.cpu_count()} processors busy, not"
        f" {idle:.2f}: of what it left, {1 - watched / alone / left:.0%} less"
    )
    met = tiles[1] < TILE_MS and events[1] < EVENT_MS and drop < DROP
    print("as asked for" if met else "not as asked for")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tissue-classes")
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--side", type=int, default=SIDE, help="of the slide, in px")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        (folder / "slides").mkdir()
        write_slide(folder / "slides" / "slide.svs", options.side)
        port = free_port()
        root = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "workbench.cli", "serve", "--port", str(port)]
        command += ["--slides", str(folder / "slides")]
        command += ["--runs", str(folder / "runs")]
        with running(command, f"{root}/liveness", folder / "log"):
            browser = playwright.chromium.launch(
                executable_path=chromium_path(), args=_FLAGS
            )
            page = browser.new_page(viewport=WINDOW)
            page.set_default_timeout(180_000)
            page.add_init_script(_PROBES)
            page.goto(f"{root}/workbench?slide=slide.svs&model={options.model}")
            measure(
                page,
                folder / "runs",
                options.model,
                options.windows,
                options.seconds,
            )
            browser.close()


if __name__ == "__main__":
    main()
