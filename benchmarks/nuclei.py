"""How well nuclei are found: every engine against nuclei outlined by people.

    python benchmarks/nuclei.py [--data ../shared/data] [--models nuclei ...]

Sets: the pictures of DSB2018 tissue that `scripts/train_nuclei.py` never trains on
(they do not say their scale and are taken for 40x, 0.25 µm), the same at half their
size (20x, 0.5 µm), and the picture of histolytics (20x, outlines made by a model, hence
agreement with that model). Prints the mean over pictures, as a table in markdown.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import astuple
from pathlib import Path

import cv2
import numpy as np
import tifffile
import torch
from PIL import Image

from workbench.instances.agreement import Agreement, agreement
from workbench.models.catalogue import known_cards
from workbench.models.instance_decoders import decoder_of
from workbench.models.registry import find_model

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
from train_nuclei import is_held_out

PEOPLE, MODEL = "nuclei_dsb2018_tissue", "nuclei_hgsc_nest"
SETS = {
    "DSB2018, held out, 40x": (PEOPLE, 0.25, 1.0),
    "DSB2018, held out, at half size as 20x": (PEOPLE, 0.5, 0.5),
    "HGSC of histolytics, 20x": (MODEL, 0.5, 1.0),
}
"""Folder, micrometres per pixel, and the size to which pictures are brought."""


def pictures(folder: Path):
    """Return names, pixels and labels; of DSB2018 only what is held out."""
    for path in sorted((folder / "img").iterdir()):
        if folder.name != PEOPLE or is_held_out(path.stem):
            labels = tifffile.imread(folder / "label" / f"{path.stem}.tif")
            pixels = np.asarray(Image.open(path).convert("RGB"))
            yield path.stem, pixels, labels.astype(np.int32)


def resized(pixels, scale):
    """Return pixels at another size, as a slide is read between its levels."""
    if scale == 1:
        return pixels
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how)


def found(model, pixels, mpp, size):
    """Return the labels that a model finds, at `size` (rows, columns)."""
    tile = torch.from_numpy(resized(pixels, mpp / model.card.mpp).copy())
    maps = model(tile.permute(2, 0, 1)[None])[0].numpy()
    labels = decoder_of(model.card)(maps)[0].astype(np.float32)
    near = cv2.INTER_NEAREST_EXACT
    return cv2.resize(labels, size[::-1], interpolation=near).astype(np.int32)


def measured(model, folder, mpp, scale):
    """Return the agreement in each picture, by name."""
    return {
        name: agreement(drawn, found(model, resized(pixels, scale), mpp, drawn.shape))
        for name, pixels, drawn in pictures(folder)
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).parents[1]
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    parser.add_argument("--models", nargs="*", help="names or paths; default: bundled")
    parser.add_argument("--each", action="store_true", help="every picture, too")
    options = parser.parse_args()
    names = options.models or [c.name for c in known_cards() if c.task == "instances"]
    print("| set | engine | pictures | F1@0.5 | AJI | PQ | Dice |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for title, (folder, mpp, scale) in SETS.items():
        for name in names:
            each = measured(find_model(name), options.data / folder, mpp, scale)
            rows = {"": Agreement.mean(list(each.values()))}
            rows |= each if options.each else {}
            for picture, one in rows.items():
                numbers = " | ".join(f"{value:.3f}" for value in astuple(one))
                print(f"| {title} {picture} | {name} | {len(each)} | {numbers} |")


if __name__ == "__main__":
    main()
