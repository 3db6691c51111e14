"""Latency of the viewer, in a real browser: from the wheel to the last tile painted.

    python benchmarks/viewer.py [--small] [--rounds 40] [--scale 1] [--keep FOLDER]

A slide of 50,000 px with a heatmap and a tissue outline over it, served by the
workbench and shown in Chromium (software rendering, 1280 x 800). A round goes to a
random place at a random zoom, waits until the viewer is idle, turns the wheel by 5 to 8
steps, and takes the time from the last step to the frame in which no tile of any of the
three layers is missing, each at the screen's full resolution. Panning: a drag to and
fro, in frames painted for each second of it. Figures: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import panel as pn
import simplejpeg
import tifffile

import workbench as wb
from read import picture
from workbench.app.viewer.viewer import Viewer
from workbench.layers.heatmap import HeatmapLayer
from workbench.layers.layer import overlay_pyramid
from workbench.layers.slide import SlideLayer
from workbench.layers.tissue import TissueLayer
from workbench.results.heatmap import Heatmap
from workbench.tissue import Tissue

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from browser import _PROBES, launched, panel_serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

SIDE = 50_000
SMALL_SIDE = 8_192
TILE = 256
CELL = 224.0
SLIDE = "WORKBENCH_BENCH_SLIDE"
WINDOW = {"width": 1280, "height": 800}

_WATCH = """
window.timing = {
  wheel: 0, done: 0, paints: [], missing: 1,
  start() {
    window.addEventListener("wheel", () => {
      this.wheel = performance.now();
      this.done = 0;
    }, { capture: true });
    probe.stage().addEventListener("painted", ({ detail }) => {
      const now = performance.now();
      this.paints.push(now);
      this.missing = detail.missing;
      if (detail.missing) this.done = 0;
      else this.done ||= now;
    });
  },
  // The frame after the paint is the one that people see.
  async settled() {
    const end = performance.now() + 20000;
    let calm = 0;
    while (performance.now() < end) {
      await new Promise(requestAnimationFrame);
      calm = this.done ? calm + 1 : 0;
      if (calm >= 8) return this.done - this.wheel;
    }
    return null;
  },
};
"""


def write_slide(path: Path, side: int, part: np.ndarray | None = None) -> None:
    """Write a slide of levels 1, 4 and 16 that repeats one picture of 4,096 px."""
    part = picture(0) if part is None else part
    about = f"Aperio Image Library v12.0\r\n{side}x{side} |AppMag = 40|MPP = 0.25"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for number, factor in enumerate((1, 4, 16)):
            period = part.shape[0] // factor
            level = cv2.resize(part, (period, period), interpolation=cv2.INTER_AREA)
            length = side // factor
            writer.write(
                _repeated(level, -(-length // TILE)),
                shape=(length, length, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="ycbcr",
                compression="jpeg",
                subsampling=(2, 2),
                description=about,
                metadata=None,
            )
            if number == 0:  # Aperio keeps its thumbnail second
                small = cv2.resize(part, (768, 768), interpolation=cv2.INTER_AREA)
                writer.write(small, photometric="rgb", description=about, metadata=None)


def _repeated(level: np.ndarray, count: int) -> Iterator[bytes]:
    """Yield the JPEG tiles of a level of count x count tiles, each encoded once."""
    times = level.shape[0] // TILE
    tiles = [
        simplejpeg.encode_jpeg(
            np.ascontiguousarray(
                level[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE]
            ),
            quality=80,
            colorsubsampling="420",
        )
        for y in range(times)
        for x in range(times)
    ]
    for y in range(count):
        for x in range(count):
            yield tiles[(y % times) * times + x % times]


def show() -> Viewer:
    """Return the viewer that is measured: a slide, a heatmap and a tissue outline."""
    slide = wb.open_slide(os.environ[SLIDE])
    rng = np.random.default_rng(0)
    count = int(slide.size[0] / CELL) + 1
    values = cv2.resize(rng.random((count // 8, count // 8), np.float32), (count,) * 2)
    pyramid = overlay_pyramid(slide.size)
    viewer = Viewer(slide)
    viewer.add_layer(SlideLayer(slide))
    heatmap = Heatmap(values[None], ("tumour",), CELL)
    viewer.add_layer(HeatmapLayer(heatmap, pyramid), opacity=0.4)
    viewer.add_layer(TissueLayer(Tissue(values > 0.5, CELL), pyramid))
    return viewer


@dataclass(frozen=True)
class Figures:
    """What was measured; times in ms."""

    wheel: list[float]
    pan_frames: float
    """Painted for each second of a drag."""

    def __str__(self) -> str:
        """Say it in one line."""
        p50, p95 = np.percentile(self.wheel, [50, 95])
        return (
            f"wheel to last tile, n={len(self.wheel)}: p50 {p50:.0f} ms, "
            f"p95 {p95:.0f} ms; pan: {self.pan_frames:.0f} frames/s"
        )


def measure(page: Page, side: int, rounds: int, *, seed: int = 0) -> Figures:
    """Zoom at random places, then pan."""
    page.set_default_timeout(60_000)
    page.wait_for_function("() => probe.stage()?.dataset.state === 'ready'")
    page.evaluate(_WATCH)
    page.evaluate("() => timing.start()")
    rng = np.random.default_rng(seed)
    times = [_zoom(page, rng, side) for _ in range(rounds)]
    return Figures(times, _pan(page, side))


def _go(page: Page, x: float, y: float, downsample: float) -> None:
    page.evaluate(
        """([x, y, downsample]) => {
          const { x_range, y_range } = probe.figure().model;
          const { width, height } = probe.figure().frame.bbox;
          const [dx, dy] = [width * downsample / 2, height * downsample / 2];
          x_range.setv({ start: x - dx, end: x + dx });
          y_range.setv({ start: y + dy, end: y - dy });
        }""",
        [x, y, downsample],
    )
    page.wait_for_timeout(100)
    page.wait_for_function("() => probe.stage().dataset.state === 'ready'")
    page.wait_for_timeout(600)


def _zoom(page: Page, rng: np.random.Generator, side: int) -> float:
    x, y = rng.uniform(0.2 * side, 0.8 * side, 2)
    _go(page, x, y, float(2 ** rng.uniform(0, np.log2(side / 1100))))
    left, top = rng.uniform(0.3, 0.7, 2)
    page.mouse.move(left * WINDOW["width"], top * WINDOW["height"])
    turn = -120 if rng.random() < 0.5 else 120
    for _ in range(int(rng.integers(5, 9))):
        page.mouse.wheel(0, turn)
    time = page.evaluate("() => timing.settled()")
    if time is None:
        message = "the tiles did not all come within 20 s"
        raise TimeoutError(message)
    return float(time)


_DRAG = """async (ms) => {
  const target = probe.figure().canvas_view.events_el;
  const start = performance.now();
  timing.paints = [];
  for (let t = 0; t < ms; t = performance.now() - start) {
    await new Promise(requestAnimationFrame);
    const clientX = 640 + 300 * Math.sin(t / 400);
    const clientY = 400 + 200 * Math.sin(t / 570);
    const mouse = { pointerId: 1, pointerType: "mouse", isPrimary: true, buttons: 1 };
    const options = { clientX, clientY, bubbles: true, composed: true, ...mouse };
    target.dispatchEvent(new PointerEvent("pointermove", options));
  }
  return 1000 * timing.paints.length / (performance.now() - start);
}"""


def _pan(page: Page, side: int) -> float:
    """Drag to and fro, the mouse moving with every frame."""
    _go(page, side / 2, side / 2, 2.0)
    page.mouse.move(640, 400)
    page.mouse.down()
    frames = page.evaluate(_DRAG, 4000)
    page.mouse.up()
    return float(frames)


@contextlib.contextmanager
def shown(
    folder: Path, side: int, browser: Browser, *, scale: float = 1.0
) -> Iterator[Page]:
    """Show the slide in a browser, writing it first if it is not there."""
    slide = folder / f"slide-{side}.svs"
    if not slide.exists():
        write_slide(slide.with_suffix(".part"), side)
        slide.with_suffix(".part").rename(slide)
    env = {SLIDE: str(slide), "OMP_NUM_THREADS": "1"}
    with panel_serve(Path(__file__), folder / "log", env=env) as url:
        page = browser.new_page(viewport=WINDOW, device_scale_factor=scale)
        page.add_init_script(_PROBES)
        page.goto(url)
        yield page
        page.close()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a slide of 8,192 px")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--scale", type=float, default=1.0, help="devicePixelRatio")
    parser.add_argument("--keep", type=Path, help="folder that keeps the slide")
    options = parser.parse_args()
    side = SMALL_SIDE if options.small else SIDE
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with (
            launched() as browser,
            shown(folder, side, browser, scale=options.scale) as page,
        ):
            print(measure(page, side, options.rounds))


if __name__ == "__main__":
    main()
elif __name__.startswith("bokeh_app"):  # `panel serve` runs this file
    pn.extension()
    show().servable()
