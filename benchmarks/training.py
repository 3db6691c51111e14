"""Learning: the time from a click to a repainted view, and how many clicks it takes.

    python benchmarks/training.py click [--tiles 20000] [--dimensions 384]
    python benchmarks/training.py curve [--encoder tissue-features] [--side 4096]
    python benchmarks/training.py nuclei [--instances 1000000]

click: wall ms to add a label, fit the probe again from the last one, score all tiles,
make the layer and draw a screenful of it (15 tiles at a middle zoom).
curve: AUC (mean over classes, one against the rest) on another made slide of a scanner
that the bundled models never saw, after clicks at random and after suggested ones.
nuclei: wall s to fit a classifier of instances, to classify all, and to list the ids
of each class.
Figures: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import workbench as wb

TILE = 128
CLASSES = ("a", "b", "c", "d", "e")
SCANNER = "zephyr"
CLEAR = 0.6
"""Least share of a tile that its class has, to be clicked or judged."""


def blobs(tiles, dimensions):
    """Return tiles whose classes overlap, and their classes."""
    random = np.random.default_rng(0)
    side = round(tiles**0.5)
    corners = np.stack(np.divmod(np.arange(tiles), side)[::-1], axis=1) * float(TILE)
    classes = random.integers(0, len(CLASSES), tiles)
    means = random.normal(size=(len(CLASSES), dimensions))
    vectors = means[classes] + random.normal(size=(tiles, dimensions), scale=6.0)
    features = wb.Features(
        path=Path("made"),
        format="made",
        boxes=np.hstack([corners, corners + TILE]),
        vectors=vectors.astype(np.float32),
    )
    return wb.training.EmbeddedSlide.of(features, "made"), classes


def click_times(tiles, dimensions, clicks=40, before=200):
    """Return the ms of each click, by step: fit, scores, layer."""
    slide, classes = blobs(tiles, dimensions)
    side = int(slide.boxes.max())
    pyramid = wb.layers.overlay_pyramid((side, side))
    zoom = pyramid.max_zoom // 2
    rows, columns = pyramid.shape(zoom)
    view = [(x, y) for y in range(min(rows, 3)) for x in range(min(columns, 5))]
    order = np.random.default_rng(1).permutation(tiles)
    labels = wb.training.TileLabels()
    probe, times = None, []
    for number, row in enumerate(order[: before + clicks].tolist()):
        start = time.perf_counter()
        labels = labels.with_click(row, CLASSES[classes[row]])
        if number < before - 1:
            continue
        probe = wb.training.fit_probe(slide, labels, start=probe)
        fitted = time.perf_counter()
        scores = probe.scores(slide)
        scored = time.perf_counter()
        layer = wb.layers.TileScoresLayer(scores, pyramid)
        for x, y in view:
            layer.tile(zoom, x, y)
        drawn = time.perf_counter()
        times.append([fitted - start, scored - fitted, drawn - scored, drawn - start])
    return 1e3 * np.array(times[1:])  # the first compiles


def report_clicks(tiles, dimensions):
    """Print the median and the 95th percentile of each step."""
    times = click_times(tiles, dimensions)
    middle = np.median(times, axis=0)
    late = np.percentile(times, 95, axis=0)
    print(f"{tiles:,} tiles x {dimensions}, {len(times)} clicks, ms: median (p95)")
    for name, one, other in zip(
        ("fit", "scores", "layer and view", "together"), middle, late, strict=True
    ):
        print(f"  {name}: {one:.1f} ({other:.1f})")


def embed(folder, seed, side, encoder):
    """Return the tiles of a made slide with a clear class, and their classes."""
    path = folder / f"{seed}.tif"
    truth = wb.synthetic.write_slide(
        path, size=(side, side), seed=seed, scanner=SCANNER
    )
    with wb.open_slide(path) as slide:
        run = wb.run(slide, model=encoder, out=folder / f"run-{seed}", progress=False)
    features = wb.features.features_of(run)
    shares = np.array(
        [[truth.share(name, box) for name in truth.classes] for box in features.boxes]
    )
    classes = shares.argmax(axis=1)
    clear = shares.max(axis=1) >= CLEAR
    kept = wb.Features(
        path=features.path,
        format=features.format,
        boxes=features.boxes[clear],
        vectors=np.asarray(features.vectors)[clear],
        encoder=features.encoder,
    )
    slide = wb.training.EmbeddedSlide.of(kept, str(seed))
    return slide, np.array(truth.classes)[classes[clear]]


def auc(scores, truth):
    """Return the mean over classes of the AUC of one against the rest."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - only here

    areas = [
        roc_auc_score(truth == name, scores.column(name))
        for name in scores.names
        if 0 < (truth == name).sum() < len(truth)
    ]
    return statistics.mean(areas)


def first_clicks(names, random):
    """Return two tiles of each class, at random."""
    rows = [
        random.choice(np.flatnonzero(names == name), 2, replace=False)
        for name in np.unique(names)
        if (names == name).sum() > 1
    ]
    return np.concatenate(rows)


def clicked(labels, rows, names):
    """Return the labels with those of more tiles."""
    for row in rows:
        labels = labels.with_click(int(row), str(names[row]))
    return labels


def curve(pool, judged, budgets, *, seed, suggested):
    """Return the AUC on the judged slide after each number of clicks."""
    slide, names = pool
    random = np.random.default_rng(seed)
    labels = clicked(wb.training.TileLabels(), first_clicks(names, random), names)
    found = []
    for budget in budgets:
        while len(labels) < budget:
            probe = wb.training.fit_probe(slide, labels)
            count = min(9, budget - len(labels))
            if suggested:
                rows = wb.training.suggest(slide, labels, probe, count=count)
            else:
                free = np.setdiff1d(np.arange(len(slide)), labels.rows)
                rows = random.choice(free, count, replace=False)
            labels = clicked(labels, rows, names)
        probe = wb.training.fit_probe(slide, labels)
        found.append(auc(probe.scores(judged[0]), judged[1]))
    return found


def report_curve(encoder, side, seeds=5):
    """Print the AUC after clicks at random and after suggested ones."""
    with tempfile.TemporaryDirectory() as folder:
        pool, judged = (embed(Path(folder), seed, side, encoder) for seed in (310, 311))
    classes = len(np.unique(pool[1]))
    budgets = [classes * each for each in (3, 5, 10, 20, 50)]
    budgets = [each for each in budgets if each < len(pool[0])]
    print(
        f"{encoder}, scanner {SCANNER}: {len(pool[0]):,} tiles to click on,"
        f" {len(judged[0]):,} judged, {classes} classes, {seeds} seeds"
    )
    print("clicks a class: " + ", ".join(str(each // classes) for each in budgets))
    for name, suggested in (("random", False), ("suggested", True)):
        runs = [
            curve(pool, judged, budgets, seed=seed, suggested=suggested)
            for seed in range(seeds)
        ]
        said = ", ".join(
            f"{mean:.4f} ({low:.4f})"
            for mean, low in zip(np.mean(runs, 0), np.min(runs, 0), strict=True)
        )
        print(f"  {name}, mean (least): {said}")


class MadeInstances:
    """Measures of instances in memory: what a classifier asks of a store."""

    def __init__(self, number, measures=8):
        random = np.random.default_rng(0)
        self.measures = tuple(f"measure {i}" for i in range(measures))
        self.gone = np.empty(0, np.int64)
        values = random.normal(size=(measures + 2, number)).astype(np.float32)
        names = ("x", "y", *self.measures)
        self.values = dict(zip(names, values, strict=True))

    def __len__(self):
        return len(self.values["x"])

    def columns(self, names):
        return {name: self.values[name] for name in names}


def nuclei_times(number, labels=500):
    """Return the s of each step of `report_nuclei`."""
    store = MadeInstances(number)
    first, second, third = (store.values[name] for name in store.measures[:3])
    truth = np.array(CLASSES)[(first > 0) * 2 + (second * third > 0)]
    given = {key: str(truth[key]) for key in range(labels)}
    start = time.perf_counter()
    classifier = wb.training.fit_instance_classifier(store, given)
    fitted, busy = time.perf_counter(), time.process_time()
    found = classifier.classify(store)
    classified, worked = time.perf_counter(), time.process_time()
    for name in found.classes:
        found.ids(name)
    listed = time.perf_counter()
    return fitted - start, classified - fitted, worked - busy, listed - classified


def report_nuclei(number):
    """Print the seconds of each step, after one that compiles."""
    nuclei_times(2000)
    times = np.median([nuclei_times(number) for _ in range(3)], axis=0)
    print(f"{number:,} instances, 8 measures, 500 labels, 4 classes, s:")
    for name, each in zip(
        ("fit", "classify", "classify, processor", "ids of classes"), times, strict=True
    ):
        print(f"  {name}: {each:.2f}")


def main():
    """Print the figures of one part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["click", "curve", "nuclei"])
    parser.add_argument("--tiles", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--encoder", default="tissue-features")
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--instances", type=int, default=1_000_000)
    given = parser.parse_args()
    if given.part == "click":
        report_clicks(given.tiles, given.dimensions)
    elif given.part == "nuclei":
        report_nuclei(given.instances)
    else:
        report_curve(given.encoder, given.side)


if __name__ == "__main__":
    main()
