"""Train the bundled tile classifier, `tissue-classes`, on made slides.

    python scripts/train_tissue_classes.py [--folder DIR] [--out DIR]

Makes slides of several seeds in the colours of every scanner but one, writes their
classes as label images and a CSV with their split, and trains `RECIPE` on them, as
`workbench train` does: each slide is normalized to "he-standard" with the project's own
Macenko normalizer (the way the model is meant to be used). "zephyr" and the seeds of
the benchmark are never seen. Deterministic on one kind of CPU; about six minutes on two
cores. Killed, it continues when it is started again. Writes the weights and their card
to workbench/models/bundled.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np

import workbench as wb
from workbench.models.card import ModelCard
from workbench.synthetic import CLASSES, SCANNERS, load_truth, write_slide

HELD_OUT = "zephyr"
SEEDS = (100, 101, 102, 103, 104, 105)
VALIDATION = (106,)
SIZE = (4096, 4096)
BUNDLED = Path(__file__).parents[1] / "workbench" / "models" / "bundled"

RECIPE = wb.training.TrainingRecipe(
    task="classification",
    classes=CLASSES,
    architecture="workbench:small-cnn",
    mpp=1.0,
    tile_px=64,
    normalize="macenko",
    reference="he-standard",
    stain_augmentation=0.5,
    epochs=16,
    batch_size=64,
    learning_rate=4e-3,
    weight_decay=1e-3,
    device="cpu",
    precision="float32",
)

COLOURS = (
    (200, 200, 200),
    (230, 130, 170),
    (70, 130, 200),
    (200, 40, 40),
    (110, 60, 170),
    (240, 200, 90),
)


def write_labels(
    folder: Path, seeds: tuple[int, ...] = SEEDS, size: tuple[int, int] = SIZE
) -> Path:
    """Return a CSV of slides and label images, making those that are missing.

    The slides of a seed show the same tissue, so a seed counts as one patient.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in (*seeds, *VALIDATION):
        for scanner in SCANNERS:
            if scanner == HELD_OUT:
                continue
            slide = folder / f"{scanner}-{seed}.tif"
            labels = slide.with_suffix(".classes.npy")
            if not labels.exists():
                write_slide(slide, size=size, seed=seed, scanner=scanner)
                np.save(labels, load_truth(slide).class_map)
            split = "validation" if seed in VALIDATION else "train"
            rows.append((slide.name, labels.name, f"seed {seed}", split))
    path = folder / "slides.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("slide", "labels", "patient", "split"))
        table.writerows(rows)
    return path


def save(model: Path, folder: Path) -> ModelCard:
    """Write the weights of a training and its card, completed, into a folder."""
    trained = ModelCard.model_validate_json((model / "card.json").read_text())
    card = trained.model_copy(
        update={
            "name": "tissue-classes",
            "colours": COLOURS,
            "weights": "tissue-classes.safetensors",
            "licence": "Apache-2.0",
            "stains": ("H&E",),
            "intended_use": (
                "A research tool for learning and for trying the workbench: tells"
                " glass, stroma, benign glands, tumour, lymphocytes and fat on made"
                " slides, after Macenko normalization to 'he-standard'. It has only"
                " ever seen made tissue; on real slides its answers mean little. Not"
                " for diagnosis."
            ),
            "source": (
                "scripts/train_tissue_classes.py, a recipe of `workbench train`: made"
                " slides of seeds 100 to 105, the best epoch by those of seed 106, in"
                " the scanners aurora, borealis and meridian; figures in"
                " benchmarks/README.md."
            ),
        }
    )
    shutil.copyfile(model / "weights.safetensors", folder / card.weights)
    text = card.model_dump_json(indent=2, exclude_defaults=True)
    (folder / "tissue-classes.json").write_text(f"{text}\n")
    return card


def main() -> None:
    """Make the slides, train, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo/training"))
    parser.add_argument("--out", type=Path, default=BUNDLED, help="folder of the model")
    options = parser.parse_args()
    labels = write_labels(options.folder)
    training = wb.train(
        RECIPE,
        labels=str(labels),
        out=options.folder / "tissue-classes",
        report=lambda line: print(line, flush=True) if "epoch" in line else None,
    )
    print(training)
    options.out.mkdir(parents=True, exist_ok=True)
    save(training.path, options.out)


if __name__ == "__main__":
    main()
