"""How well nuclei are found: every engine against nuclei outlined by people.

    python benchmarks/nuclei.py [--data ../shared/data] [--models nuclei ...]

Sets: the pictures of DSB2018 tissue that `scripts/train_nuclei.py` never trains on
(they do not say their scale and are taken for 40x, 0.25 µm), the same at half their
size (20x, 0.5 µm), the picture of histolytics (20x, outlines made by a model, hence
agreement with that model), and made fields of view from seeds that no training sees,
in H&E and with DAB, photographed badly. Prints the mean over pictures, as a table in
markdown; F1 with the interval in which 95 % of means over resampled pictures lie.
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
from workbench.synthetic.fields import TISSUES, draw_field

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
from train_nuclei import is_held_out, photographed, stain_vectors

PEOPLE, MODEL = "nuclei_dsb2018_tissue", "nuclei_hgsc_nest"
SETS = {
    "DSB2018, held out, 40x": (PEOPLE, 0.25, 1.0),
    "DSB2018, held out, at half size as 20x": (PEOPLE, 0.5, 0.5),
    "HGSC of histolytics, 20x": (MODEL, 0.5, 1.0),
}
"""Folder, micrometres per pixel, and the size to which pictures are brought."""

MADE = {"made fields, H&E": False, "made fields, DAB": True}
SEED, FIELDS, FIELD_PX, FIELD_MPP = 4242, 20, 320, 0.25
RESAMPLED = 2000


def pictures(folder: Path):
    """Return names, pixels and labels; of DSB2018 only what is held out."""
    for path in sorted((folder / "img").iterdir()):
        if folder.name != PEOPLE or is_held_out(path.stem):
            labels = tifffile.imread(folder / "label" / f"{path.stem}.tif")
            pixels = np.asarray(Image.open(path).convert("RGB"))
            yield path.stem, pixels, labels.astype(np.int32)


def fields(brown):
    """Return names, pixels and labels of made fields."""
    rng = np.random.default_rng([SEED, brown])
    for number in range(FIELDS):
        tissue = TISSUES[number % (len(TISSUES) - 1)]
        options = {"side": FIELD_PX, "mpp": FIELD_MPP, "tissue": tissue, "brown": brown}
        field = draw_field(rng, **options)
        pixels = field.seen(stain_vectors(rng), np.full(3, rng.uniform(235, 252)))
        yield f"{tissue} {number}", photographed(pixels, rng), field.labels


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


def measured(model, drawn_pictures, mpp, scale):
    """Return the agreement in each picture, by name."""
    return {
        name: agreement(drawn, found(model, resized(pixels, scale), mpp, drawn.shape))
        for name, pixels, drawn in drawn_pictures
    }


def interval(each):
    """Return the 95 % interval of the mean F1, by resampling pictures; none of one."""
    if len(each) == 1:
        return ""
    scores = np.array([one.f1 for one in each])
    chosen = np.random.default_rng(0).integers(
        len(scores), size=(RESAMPLED, len(scores))
    )
    low, high = np.quantile(scores[chosen].mean(1), [0.025, 0.975])
    return f"{low:.3f} to {high:.3f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).parents[1]
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    parser.add_argument("--models", nargs="*", help="names or paths; default: bundled")
    parser.add_argument("--each", action="store_true", help="every picture, too")
    options = parser.parse_args()
    names = options.models or [c.name for c in known_cards() if c.task == "instances"]
    print("| set | engine | pictures | F1@0.5 | AJI | PQ | Dice | 95 % of F1 |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    sets = {
        title: (lambda folder=folder: pictures(options.data / folder), mpp, scale)
        for title, (folder, mpp, scale) in SETS.items()
    }
    for title, brown in MADE.items():
        sets[title] = (lambda brown=brown: fields(brown), FIELD_MPP, 1.0)
    for title, (drawn_pictures, mpp, scale) in sets.items():
        for name in names:
            each = measured(find_model(name), drawn_pictures(), mpp, scale)
            rows = {"": Agreement.mean(list(each.values()))}
            rows |= each if options.each else {}
            for picture, one in rows.items():
                numbers = " | ".join(f"{value:.3f}" for value in astuple(one))
                spread = "" if picture else interval(each.values())
                row = f"{title} {picture} | {name} | {len(each)} | {numbers} | {spread}"
                print(f"| {row} |", flush=True)


if __name__ == "__main__":
    main()
