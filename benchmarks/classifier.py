"""How right the bundled classifier is on made slides of unseen seeds and scanners.

    python benchmarks/classifier.py [--seeds 200 201] [--slides DIR] [--model PATH]

For every scanner and normalization: the area under the ROC curve per tile against
the truth, for tumour against the rest and averaged over the classes (each against the
rest).
A tile's class is the one that covers more than half of it; tiles without one, and tiles
with a fold or pen on them, do not count. "zephyr" was never trained on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

import workbench as wb
from workbench.synthetic import CLASSES, SCANNERS, Truth, load_truth, write_slide

SIZE = (4096, 4096)


def labels_of(run: wb.Run, truth: Truth) -> np.ndarray:
    """Return the class of each raster cell, -1 where none counts."""
    heatmap = run.heatmap
    _, rows, columns = heatmap.values.shape
    found = np.full((rows, columns), -1)
    for row in range(rows):
        for column in range(columns):
            box = heatmap.box(row, column)
            x0, y0, x1, y1 = (
                round(v / truth.downsample) for v in (box.x0, box.y0, box.x1, box.y1)
            )
            part = truth.class_map[y0:y1, x0:x1]
            if not part.size or truth.artefacts[y0:y1, x0:x1].any():
                continue
            shares = np.bincount(part.ravel(), minlength=len(CLASSES)) / part.size
            if shares.max() > 0.5:
                found[row, column] = shares.argmax()
    return found


def curves(runs: list[wb.Run], truths: list[Truth]) -> tuple[float, float, int]:
    """Return the AUC of tumour, the mean AUC of the classes, and how many tiles."""
    scores, labels = [], []
    for run, truth in zip(runs, truths, strict=True):
        values = run.heatmap.values
        found = labels_of(run, truth)
        counts = (found >= 0) & np.isfinite(values[0])
        scores.append(values[:, counts])
        labels.append(found[counts])
    values, found = np.concatenate(scores, axis=1), np.concatenate(labels)
    each = {
        name: roc_auc_score(found == i, values[i])
        for i, name in enumerate(CLASSES)
        if 10 < (found == i).sum() < len(found) - 10
    }
    return each["tumour"], float(np.mean(list(each.values()))), len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[200, 201])
    parser.add_argument("--slides", type=Path)
    parser.add_argument("--model", default="tissue-classes", help="name or path")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.slides or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print("| scanner | normalization | AUC tumour | AUC mean of classes | tiles |")
        print("|---|---|---|---|---|")
        for scanner in SCANNERS:
            paths = [folder / f"{scanner}-{seed}.tif" for seed in options.seeds]
            for seed, path in zip(options.seeds, paths, strict=True):
                if not path.exists():
                    write_slide(path, size=SIZE, seed=seed, scanner=scanner)
            truths = [load_truth(path) for path in paths]
            for method in ("macenko", "reinhard", "none"):
                runs = [
                    wb.run(
                        wb.open_slide(path),
                        model=options.model,
                        normalize=method,
                        out=Path(scratch) / "runs" / f"{path.stem}-{method}",
                    )
                    for path in paths
                ]
                tumour, mean, tiles = curves(runs, truths)
                print(
                    f"| {scanner} | {method} | {tumour:.4f} | {mean:.4f} | {tiles} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
