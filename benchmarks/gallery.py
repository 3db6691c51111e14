"""The gallery of a study in a real browser: first paint, scrolling, sorting.

    python benchmarks/gallery.py [--rows 50000] [--rounds 5] [--keep FOLDER]
    python benchmarks/gallery.py --finished [--rows 50000]

A study with a table of so many slides, 16 columns wide, whose rows point at 32 small
slides, served by `workbench serve` and shown in Chromium (software rendering, 1366 x
768). First paint: from the navigation to the frame after the first cards, on a server
that has answered before and a browser that has nothing kept. Scrolling: frames each
second while the list moves by 1,500 px in each of 120 frames, which no thumbnail
follows, and by 60 px, with thumbnails. Sorting, filtering, grouping: from the call to
the frame that shows it. Figures: see benchmarks/README.md.

--finished: all slides have a finished run, so that the columns of its results are in
the table, too; and what the server does before: seconds of processor time of a look at
the progress, of the table of results and of the gallery's snapshot, for the first time
in a process, and again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import workbench as wb
from workbench.app.gallery.columns import message_of
from workbench.app.gallery.snapshots import Snapshots
from workbench.study.study_progress import StudyWatch
from workbench.study.study_table import table_of

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from browser import launched, study_served
from made_slides import write_tiff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


def write_study(folder: Path, rows: int, *, finished: bool = False) -> Path:
    """Write a study whose table has so many rows, without opening each of them."""
    slides = folder / "slides"
    slides.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(FILES):
        noise = random.integers(0, 40, (SIDE, SIDE, 3))
        pixels = (np.array((200, 150, 190)) + noise).astype(np.uint8)
        write_tiff(slides / f"{number}.tif", pixels, compression="jpeg")
    study = wb.make_study(folder / "study", slides)
    if finished:
        study.run(wb.Recipe(device="cpu", tissue_only=False), name="classes", workers=0)
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
    if finished:
        finish_all(study.path / "runs" / "classes", few["slide"], table["slide"])
    return study.path


def finish_all(analysis: Path, made: Sequence[str], names: Sequence[str]) -> None:
    """Give each slide the run of one of those that were made, as if it were its own."""
    runs = [analysis / name for name in made]
    (log,) = (analysis / ".results").iterdir()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    results = {name: row for name, *row in lines}
    claims = [(analysis / "claims" / f"{name}.jsonl").read_text() for name in made]
    kept = []
    for number, name in enumerate(names):
        run, place = runs[number % FILES], analysis / name
        if number < FILES:
            shutil.copytree(run, place, copy_function=os.link)
        else:
            place.mkdir()
            os.link(run / "run.json", place / "run.json")
        claim = analysis / "claims" / f"{name}.jsonl"
        claim.write_text(claims[number % FILES])
        kept.append(json.dumps([name, *results[run.name]]))
    log.write_text("\n".join(kept) + "\n")


def served(path: Path) -> dict[str, float]:
    """Return what a server does of a study with finished runs, in processor seconds."""
    found: dict[str, float] = {}

    def timed(name: str, call: Callable[[], object]) -> None:
        began = time.process_time()
        call()
        found[name] = round(time.process_time() - began, 2)

    for when in ("first", "in another process"):
        analysis = wb.open_study(path).analysis()
        watch = StudyWatch(analysis)
        for how in ("", ", again"):
            timed(f"look, {when}{how}", watch.look)
            timed(f"table, {when}{how}", partial(table_of, analysis))
    snapshots = Snapshots(wb.open_study(path))
    timed("snapshot, first", snapshots.renew)
    last = snapshots.last()
    timed("message", lambda: message_of(each.text for each in last.columns))
    found["columns"] = len(last.columns)
    return found


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


def measure(study: Path, folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the figures of several visits, each of a browser without anything kept."""
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
    parser.add_argument("--finished", action="store_true")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory())
        )
        study = write_study(folder, options.rows, finished=options.finished)
        if options.finished:
            print(json.dumps(served(study), indent=1), flush=True)
        figures = measure(study, folder, options.rounds)
    print(f"{options.rows:,} rows, median (range) of {options.rounds} visits")
    for name, values in figures.items():
        low, high = min(values), max(values)
        print(f"{name:40} {statistics.median(values):7.0f} ({low:.0f} to {high:.0f})")


if __name__ == "__main__":
    main()
