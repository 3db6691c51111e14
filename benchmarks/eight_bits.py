"""What 8-bit arithmetic costs the bundled models with weights, against made truth.

    python benchmarks/eight_bits.py [--side 2048] [--scanner borealis]

Each model is quantized with tiles of one made slide, and runs over another, in float32
and with 8 bits: Dice and F1 of `nuclei` against the drawn nuclei, Dice of the most
likely class of `tissue-classes` against the drawn classes, and the cosine between the
vectors of `tissue-features`. Figures: benchmarks/gpu.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import workbench as wb
from strategies import scores
from workbench.models.quantization import calibration_tiles, quantize_model
from workbench.synthetic import load_truth, write_slide

MODELS = {"nuclei": 0.25, "tissue-classes": 0.5, "tissue-features": 0.5}
SEED, CALIBRATION = 30, 31


def dice_of_classes(path: Path, run) -> float:
    """Return the mean Dice of the drawn classes that the slide shows."""
    truth = load_truth(path)
    heatmap, drawn = run.heatmap, np.asarray(truth.class_map)
    values = np.stack([heatmap.channel(name) for name in heatmap.classes])
    rows, columns = values.shape[1:]
    y = ((np.arange(rows) + 0.5) / rows * drawn.shape[0]).astype(int)
    x = ((np.arange(columns) + 0.5) / columns * drawn.shape[1]).astype(int)
    known = np.isfinite(values[0])
    said = np.argmax(np.nan_to_num(values), axis=0)[known]
    right = drawn[np.ix_(y, x)][known]
    found = []
    for number, name in enumerate(heatmap.classes):
        if name not in truth.classes:
            continue
        one, two = said == number, right == truth.classes.index(name)
        if two.any():
            found.append(2 * (one & two).sum() / (one.sum() + two.sum()))
    return float(np.mean(found))


def cosine(one, two) -> float:
    """Return the mean cosine between the vectors of two runs."""
    a, b = (np.asarray(run.embeddings.vectors, np.float32) for run in (one, two))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.mean((a * b).sum(1) / norms))


def rows(folder: Path, side: int, scanner: str):
    """Yield a row of the table for each model."""
    for name, mpp in MODELS.items():
        judged, other = folder / f"{name}.tif", folder / f"{name}-other.tif"
        for path, seed in ((judged, SEED), (other, CALIBRATION)):
            write_slide(path, size=(side, side), seed=seed, mpp=mpp, scanner=scanner)
        with wb.open_slide(other) as slide:
            tiles = calibration_tiles(slide, wb.find_model(name).card)
        eight = quantize_model(name, folder / f"{name}.onnx", tiles)
        with wb.open_slide(judged) as slide:
            both = [
                wb.run(slide, model=str(model), trust=True, precision="float32")
                for model in (name, eight)
            ]
        values = sum(each.numel() for each in wb.find_model(name).parameters())
        sizes = 4 * values, eight.stat().st_size
        size = " to ".join(f"{each / 1e6:.1f}" for each in sizes)
        if name == "nuclei":
            one, two = (scores(judged, run, side) for run in both)
            yield name, "F1", one.f1, two.f1, size
            yield name, "Dice", one.dice, two.dice, size
        elif name == "tissue-classes":
            one, two = (dice_of_classes(judged, run) for run in both)
            yield name, "Dice", one, two, size
        else:
            yield name, "cosine to float32", 1.0, cosine(*both), size


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--scanner", default="borealis")
    given = parser.parse_args()
    print("| model | figure | float32 | 8 bits | cost | MB |")
    print("|---|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        for model, figure, one, two, size in rows(
            Path(name), given.side, given.scanner
        ):
            cost = f"{one - two:+.3f}"
            print(f"| {model} | {figure} | {one:.3f} | {two:.3f} | {cost} | {size} |")


if __name__ == "__main__":
    main()
