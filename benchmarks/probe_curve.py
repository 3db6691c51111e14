"""How many clicks a probe takes: at random, and as `suggest` proposes.

    python benchmarks/probe_curve.py [--data ../shared/data] [--side 4096] [--seeds 5]
        [--encoders tissue-features EfficientNet]

Made slides: tiles of a scanner that the bundled models never saw are clicked on one
slide, and judged on another. Real tissue: the tiles of `benchmarks/encoders.py`,
clicked on three pictures and judged on the fourth, in turn, with `tissue-features` and
with the ImageNet weights of EfficientNet-Lite0. Every start is two random tiles of
each class; suggestions come nine at a time. Prints the AUC (mean over classes, one
against the rest; mean over seeds and pictures) after numbers of clicks, and how many
suggested clicks give the figure of random ones. Figures: features.md.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np

import encoders
import training
import workbench as wb

EACH = (5, 10, 15, 20, 25, 35, 50)
"""Clicks of each class."""

APART = 1e5
"""Distance between the pictures of a pool, in pixels."""


def pool_of(values, tiles, which):
    """Return tiles of pictures as one slide, and the names of their classes."""
    names, numbers = np.unique(tiles.picture[which], return_inverse=True)
    corners = tiles.place[which] + APART * np.stack([numbers, 0 * numbers], axis=1)
    features = wb.Features(
        path=Path(" ".join(names)),
        format="made",
        boxes=np.hstack([corners, corners + encoders.SIDE]).astype(float),
        vectors=values[which].astype(np.float32),
    )
    slide = wb.training.EmbeddedSlide.of(features, " ".join(names))
    return slide, np.array(list(encoders.CLASSES))[tiles.label[which]]


def curves(pairs, seeds):
    """Return the mean AUC by clicks, at random and suggested: (2, budgets)."""
    found = []
    for suggested in (False, True):
        runs = []
        for pool, judged in pairs:
            classes = len(np.unique(pool[1]))
            budgets = [min(classes * each, len(pool[0])) for each in EACH]
            runs += [
                training.curve(pool, judged, budgets, seed=seed, suggested=suggested)
                for seed in range(seeds)
            ]
        found.append(np.mean(runs, axis=0))
    return np.array(found)


def enough(random, suggested, goal):
    """Return the fewest clicks of each class, suggested, that reach a random figure."""
    reached = [e for e, s in zip(EACH, suggested, strict=True) if s >= random[goal]]
    return str(reached[0]) if reached else f"more than {EACH[-1]}"


def report(name, pairs, seeds):
    """Print a curve as two rows of a table."""
    random, suggested = curves(pairs, seeds)
    for kind, row in (("random", random), ("suggested", suggested)):
        cells = " | ".join(f"{value:.4f}" for value in row)
        print(f"| {name}, {kind} | {cells} |", flush=True)
    print(f"  tiles to click on: {', '.join(str(len(p[0])) for p, _ in pairs)}")
    said = ", ".join(
        f"{enough(random, suggested, EACH.index(each))} for {each}"
        for each in (10, 20, 50)
    )
    print(f"  suggested clicks that give the figure of random ones: {said}", flush=True)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--seeds", type=int, default=5)
    known = ["tissue-features", "EfficientNet"]
    parser.add_argument("--encoders", nargs="+", default=known)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    print("| clicks of each class |", " | ".join(map(str, EACH)), "|")
    print(f"|---|{'--:|' * len(EACH)}")
    with tempfile.TemporaryDirectory() as folder:
        made = tuple(
            training.embed(Path(folder), seed, given.side, "tissue-features")
            for seed in (310, 311)
        )
    report("made slides", [made], given.seeds)
    tiles = encoders.labelled_tiles(given.data)
    for name, values in encoders.encoders(given.data, tiles.pixels):
        if not name.startswith(tuple(given.encoders)):
            continue
        pairs = [
            (pool_of(values, tiles, learnt), pool_of(values, tiles, judged))
            for learnt, judged in encoders.others(tiles)
        ]
        report(f"real tissue, {name}", pairs, given.seeds)


if __name__ == "__main__":
    main()
