"""From another filter to the repainted view, in a real browser.

    python benchmarks/repaint.py [--polygons FILE] [--objects 1000000] [--rounds 12]

Opens the app on a slide that is covered with objects (made ones, or the polygons of a
GeoParquet file as in `overlay.py`), and moves the lower end of the filter by score with
clicks on its slider. The time goes from the press, as the browser hears of it, to the
end of the paint after which the canvas is another one and no tile is missing: over the
server, the table of colours or new tiles, and all layers. Chromium with software
rendering, 1400 x 900. Outlines are drawn up to a downsample of 8; beyond, what
is covered is drawn on the server, so there the tiles come anew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
import tifffile

import workbench as wb
from overlay import SIDE, build, read_polygons
from workbench.results.instances import INSTANCES
from workbench.tiling.coverage import Coverage

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from app_page import AppPage
from browser import Watched, app_served, launched
from made_instances import CLASSES, made_instances

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

    from workbench.instances.instances import Instances

DOWNSAMPLES = (1, 4, 8, 16, 64)
TILE = 256
PALE = (238, 216, 230)
SLIDE = "slide.svs"
SHARES = (0.1, 0.4, 0.2, 0.45, 0.3)
"""Of the range, where the lower end is put in turn."""

SETTLE_MS = 800

_WATCH = """
window.repaint = {
  pressed: 0, paints: [],
  /** A number for the pixels in the middle of the canvas: all would take long. */
  look() {
    const { canvas } = probe.figure().canvas_view.primary;
    const corner = [canvas.width, canvas.height].map((length) => (length - 256) >> 1);
    const { data } = canvas.getContext("2d").getImageData(...corner, 256, 256);
    let sum = 0;
    for (const word of new Uint32Array(data.buffer)) {
      sum = (Math.imul(sum, 31) + word) | 0;
    }
    return sum;
  },
  start() {
    window.addEventListener("pointerdown", () => {
      Object.assign(this, { pressed: performance.now(), paints: [] });
    }, { capture: true });
    probe.stage().addEventListener("painted", ({ detail }) => {
      const paint = { at: performance.now(), missing: detail.missing, sum: 0 };
      this.paints.push(paint);
      // Once Bokeh has painted, in the same task.
      queueMicrotask(() => { paint.sum = this.look(); });
    });
  },
  /** Milliseconds to the first whole paint with the new filter; null: none yet. */
  took(before) {
    const done = this.paints.find(({ missing, sum }) => !missing && sum !== before);
    return done ? done.at - this.pressed : null;
  },
};
"""


def write_slide(path: Path, size: tuple[int, int]) -> None:
    """Write a pale slide of that size, in levels of 1, 4, 16 and 64."""
    tile = np.full((TILE, TILE, 3), PALE, np.uint8)
    encoded = simplejpeg.encode_jpeg(tile, quality=80, colorsubsampling="420")
    about = f"Aperio Image Library v12.0\r\n{size[0]}x{size[1]} |AppMag = 40|MPP = 0.25"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for factor in (1, 4, 16, 64):
            width, height = (-(-length // factor) for length in size)
            tiles = -(-width // TILE) * -(-height // TILE)
            writer.write(
                (encoded for _ in range(tiles)),
                shape=(height, width, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="ycbcr",
                compression="jpeg",
                subsampling=(2, 2),
                description=about,
                metadata=None,
            )
            if factor == 1:  # Aperio keeps its thumbnail second
                writer.write(tile, photometric="rgb", description=about, metadata=None)


def prepare(folder: Path, objects: Instances, classes: list[str]) -> np.ndarray:
    """Write a slide and a run of these objects; return where most of them are."""
    slides, runs = folder / "slides", folder / "runs"
    slides.mkdir()
    runs.mkdir()
    high = objects.points.max(0)
    write_slide(slides / SLIDE, (int(high[0]) + 1, int(high[1]) + 1))
    with wb.open_slide(slides / SLIDE) as slide:
        run = wb.run(
            slide,
            model="nuclear-density",
            region=(0, 0, 512, 512),
            tissue_only=False,
            out=runs / "a-run-0001",
        )
    everywhere = Coverage(run.grid, np.arange(len(run.grid)))
    build(run.path / INSTANCES, objects, classes, everywhere)
    first = objects.points[np.concatenate([[0], objects.ends[:-1]])]
    cells, counts = np.unique(first // TILE, axis=0, return_counts=True)
    return (cells[counts.argmax()] + 0.5) * TILE


class Repaints(AppPage):
    """The app's page, whose filter is moved."""

    def filter(self, rounds: int) -> list[float]:
        """Return the milliseconds of each change of the filter by score."""
        track = self.frame.locator(".MuiSlider-root", has=self._thumbs)
        track.scroll_into_view_if_needed()
        box = track.bounding_box()
        took = []
        for number in range(rounds + 1):
            before = self.frame.evaluate("() => repaint.look()")
            share = SHARES[number % len(SHARES)]
            place = box["x"] + share * box["width"], box["y"] + box["height"] / 2
            self.page.mouse.click(*place)
            self.frame.wait_for_function("(sum) => repaint.took(sum)", arg=before)
            took.append(self.frame.evaluate("(sum) => repaint.took(sum)", before))
            self.page.wait_for_timeout(SETTLE_MS)  # tiles nearby come, and counts
            self.figure.settle()
        return took[1:]  # the first one warms up

    @property
    def _thumbs(self) -> Locator:
        return self.frame.get_by_role("slider", name="Score")


def measure(
    browser: Browser, url: str, place: np.ndarray, rounds: int
) -> dict[int, list[float]]:
    """Return the milliseconds of each repaint, by downsample."""
    found = {}
    for downsample in DOWNSAMPLES:
        context = browser.new_context()
        watched = Watched(context.new_page())
        at = f"{place[0]:.0f},{place[1]:.0f},{downsample}"
        page = Repaints.open(watched, url, slide=SLIDE, at=at)
        page.tab("Results")
        page.says("instances shown")
        page.frame.evaluate(_WATCH)
        page.frame.evaluate("() => repaint.start()")
        found[downsample] = page.filter(rounds)
        context.close()
    return found


def report(
    objects: Instances, classes: list[str], rounds: int, browser: Browser
) -> list[str]:
    """Return what is found, line by line."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        place = prepare(folder, objects, classes)
        with app_served(folder / "slides", folder / "runs") as url:
            found = measure(browser, url, place, rounds)
    lines = [
        f"{len(objects):,} objects; from the press to the repainted view, ms.",
        "",
        "| downsample | rounds | p50 | p95 | most |",
        "| --: | --: | --: | --: | --: |",
    ]
    for downsample, took in found.items():
        p50, p95 = np.percentile(took, [50, 95])
        cells = (f"{value:.0f}" for value in (p50, p95, max(took)))
        lines.append(f"| {downsample} | {len(took)} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--polygons", type=Path, help="a GeoParquet file")
    parser.add_argument("--rounds", type=int, default=12, help="at each zoom")
    options = parser.parse_args()
    if options.polygons:
        objects, classes = read_polygons(options.polygons)
    else:
        objects, classes = made_instances(options.objects, (SIDE, SIDE)), list(CLASSES)
    with launched() as browser:
        print("\n".join(report(objects, classes, options.rounds, browser)))


if __name__ == "__main__":
    main()
