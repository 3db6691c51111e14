"""The gallery of a study in a real browser: first paint, scrolling, sorting.

    python benchmarks/gallery.py [--rows 50000] [--rounds 5] [--keep FOLDER]

A study with a table of so many slides, 16 columns wide, whose rows point at 32 small
slides, served by `workbench serve` and shown in Chromium (software rendering, 1366 x
768). First paint: from the navigation to the frame after the first cards, on a server
that has answered before and a browser that has nothing kept. Scrolling: frames each
second while the list moves by 1,500 px in each of 120 frames, which no thumbnail
follows, and by 60 px, with thumbnails. Sorting, filtering, grouping: from the call to
the frame that shows it. Figures: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import workbench as wb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from browser import launched, study_served
from made_slides import write_tiff

if TYPE_CHECKING:
    from playwright.sync_api import Page

FILES = 32
SIDE = 512
WINDOW = {"width": 1366, "height": 768}

_FRAMES = """async ([step, frames]) => {
  const list = document.getElementById("list");
  list.scrollTop = 0;
  await new Promise(requestAnimationFrame);
  const began = performance.now();
  let longest = 0;
  let last = began;
  for (let n = 0; n < frames; n += 1) {
    list.scrollTop += step;
    await new Promise(requestAnimationFrame);
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }
  return [(1000 * frames) / (last - began), longest];
}"""

_CHANGE = """async ([id, value]) => {
  const element = document.getElementById(id);
  await new Promise(requestAnimationFrame);
  const began = performance.now();
  element.value = value;
  element.dispatchEvent(new Event(id === "search" ? "input" : "change"));
  await new Promise(requestAnimationFrame);
  await new Promise((done) => setTimeout(done));
  return performance.now() - began;
}"""

_PAINTED = """async () => {
  const look = () => document.querySelector(".card .name")?.textContent;
  while (!look()) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now();
}"""


def write_study(folder: Path, rows: int) -> Path:
    """Write a study whose table has so many rows, without opening each of them."""
    slides = folder / "slides"
    slides.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(FILES):
        noise = random.integers(0, 40, (SIDE, SIDE, 3))
        pixels = (np.array((200, 150, 190)) + noise).astype(np.uint8)
        write_tiff(slides / f"{number}.tif", pixels, compression="jpeg")
    study = wb.make_study(folder / "study", slides)
    few = study.slides
    table = few.iloc[np.arange(rows) % FILES].reset_index(drop=True)
    order = random.permutation(rows)
    table["slide"] = [f"S{number}" for number in order]
    table["case"] = [f"P{number // 3}" for number in order]
    table["id"] = [f"{number:032x}" for number in order]
    labels = {
        "diagnosis": ["benign", "dysplasia", "carcinoma", ""],
        "scanner": ["Aperio", "Hamamatsu", "3DHISTECH"],
        "centre": [f"centre {number}" for number in range(40)],
    }
    for name, values in labels.items():
        table[name] = random.choice(values, rows)
    table["age"] = random.integers(20, 90, rows)
    for name in ("tumour", "stroma", "lymphocytes", "fat", "necrosis"):
        table[name] = random.random(rows)
    table["remark"] = [f"remark {number} of a reader" for number in order]
    table.to_parquet(study.path / "slides.parquet", index=False)
    return study.path


def measured(page: Page, url: str) -> dict[str, float]:
    """Return the figures of one visit."""
    page.goto(url, wait_until="commit")
    found = {"first paint, ms": page.evaluate(_PAINTED)}
    for name, step, frames in (("fast", 1500, 120), ("with thumbnails", 60, 120)):
        rate, longest = page.evaluate(_FRAMES, [step, frames])
        found[f"scroll {name}, frames/s"] = rate
        found[f"scroll {name}, longest frame, ms"] = longest
    changes = {
        "sort by name": ("sort", "slide"),
        "sort": ("sort", "remark"),
        "sort by number": ("sort", "tumour"),
        "group by case": ("group", "case"),
        "no groups": ("group", ""),
    }
    for name, change in changes.items():
        found[f"{name}, ms"] = page.evaluate(_CHANGE, list(change))
    page.click("#as-table")
    page.wait_for_selector(".row .name")
    rate, longest = page.evaluate(_FRAMES, [600, 120])
    found["scroll the table, frames/s"] = rate
    return found


def measure(folder: Path, rows: int, rounds: int) -> dict[str, list[float]]:
    """Return the figures of several visits, each of a browser without anything kept."""
    study = write_study(folder, rows)
    figures: dict[str, list[float]] = {}
    with study_served(study, folder / "log") as (url, _), launched() as browser:
        for number in range(rounds + 1):
            context = browser.new_context(viewport=WINDOW)
            found = measured(context.new_page(), url)
            context.close()
            for name, value in found.items():
                if number:  # the first visit makes the table
                    figures.setdefault(name, []).append(value)
    return figures


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory())
        )
        figures = measure(folder, options.rows, options.rounds)
    print(f"{options.rows:,} rows, median (range) of {options.rounds} visits")
    for name, values in figures.items():
        low, high = min(values), max(values)
        print(f"{name:40} {statistics.median(values):7.0f} ({low:.0f} to {high:.0f})")


if __name__ == "__main__":
    main()
