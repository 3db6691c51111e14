"""Bias: how well vectors tell the scanner, before and after normalization.

    python benchmarks/bias.py [--model tissue-features] [--slides 4] [--side 2048]

Made slides, each of other tissue, on each of the four scanners of `wb.synthetic` are
run through an encoder without normalization and with each method; a linear probe is
tested on slides that it has not seen (`wb.features.measure_bias`). Figures:
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import workbench as wb
from workbench.features import measure_bias

METHODS = (None, "reinhard", "macenko", "vahadane")


def write_slides(folder, count, side):
    """Write slides of each scanner; return (path, scanner) of each."""
    found = []
    for place, scanner in enumerate(sorted(wb.synthetic.SCANNERS)):
        for number in range(count):
            path = folder / f"{scanner}-{number}.tif"
            seed = 100 * place + number
            wb.synthetic.write_slide(
                path, size=(side, side), seed=seed, scanner=scanner
            )
            found.append((path, scanner))
    return found


def embed(path, folder, model, method):
    """Return the vectors of a slide."""
    out = folder / f"{model}-{method}" / path.stem
    with wb.open_slide(path) as slide:
        wb.run(slide, model=model, normalize=method, out=out, progress=False)
    return wb.open_features(out)


def main():
    """Write the slides, run the encoder with each method, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tissue-features")
    parser.add_argument("--slides", type=int, default=4, help="of each scanner")
    parser.add_argument("--side", type=int, default=2048)
    asked = parser.parse_args()
    print("| normalization | scanner recognized, % | 95 % interval | chance |")
    print("|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slides = write_slides(folder, asked.slides, asked.side)
        scanners = [scanner for _, scanner in slides]
        for method in METHODS:
            features = [embed(path, folder, asked.model, method) for path, _ in slides]
            found = measure_bias(features, scanners)
            shares = (found.accuracy, found.low, found.high, found.chance)
            accuracy, low, high, chance = np.round(np.multiply(100, shares)).astype(int)
            row = f"| {method or 'none'} | {accuracy} | {low} to {high} | {chance} |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
