"""How well nuclei are found: every engine against nuclei outlined by people.

    python benchmarks/nuclei.py [--data ../shared/data] [--models nuclei ...]
    python benchmarks/nuclei.py --groups --models FOLDER/nuclei.json ...

Sets: the pictures of DSB2018 tissue that `scripts/train_nuclei.py` never trains on
(they do not say their scale and are taken for 40x, 0.25 µm), the same at half their
size (20x, 0.5 µm), the picture of histolytics (20x, outlines made by a model, hence
agreement with that model), and made fields of view from seeds that no training sees,
in H&E and with DAB, photographed badly. With `--groups`, what a training can leave out
(`scripts/train_nuclei.py --short --without GROUP`): pictures of people by their look,
those that are never trained on and all, made fields with DAB, and a made slide of the
scanner "zephyr". Prints the mean over pictures, as a table in markdown, each with the
interval in which 95 % of means over resampled pictures lie.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import astuple
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import tifffile
import torch
from PIL import Image

from workbench.instances.metrics import agreement
from workbench.models.catalogue import known_cards
from workbench.models.instance_decoders import decoder_of
from workbench.models.registry import find_model
from workbench.synthetic.fields_of_view import TISSUES, draw_field

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
from train_nuclei import is_held_out, look_of, parts_of, photographed, stain_vectors

PEOPLE, MODEL = "nuclei_dsb2018_tissue", "nuclei_hgsc_nest"
SETS = {
    "DSB2018, held out, 40x": (PEOPLE, 0.25, 1.0),
    "DSB2018, held out, at half size as 20x": (PEOPLE, 0.5, 0.5),
    "HGSC of histolytics, 20x": (MODEL, 0.5, 1.0),
}
"""Folder, micrometres per pixel, and the size to which pictures are brought."""

MADE = {"made fields, H&E": False, "made fields, DAB": True}
SEED, FIELDS, FIELD_PX, FIELD_MPP = 4242, 20, 320, 0.25
UNSEEN, STRIDE, MADE_MPP = "zephyr", 4, 0.4
"""Scanner that can be left out, and each how many parts of its slide are taken."""
RESAMPLED = 2000


def pictures(folder: Path, look="", *, trained_on=False):
    """Return names, pixels and labels; of DSB2018 what is held out, or all."""
    for path in sorted((folder / "img").iterdir()):
        if folder.name != PEOPLE or trained_on or is_held_out(path.stem):
            labels = tifffile.imread(folder / "label" / f"{path.stem}.tif")
            pixels = np.asarray(Image.open(path).convert("RGB"))
            if look in ("", look_of(pixels)):
                yield path.stem, pixels, labels.astype(np.int32)


def made_slide(scanner):
    """Return names, pixels and labels of the parts of a made slide."""
    with tempfile.TemporaryDirectory() as folder:
        parts = parts_of(Path(folder), scanner, seed=SEED)
    for number, part in enumerate(parts[::STRIDE]):
        yield f"{scanner} {number}", part.stains[0], part.labels


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


def intervals(each):
    """Return means, each with its 95 % interval by resampling pictures; none of one."""
    scores = np.array([astuple(one) for one in each])
    means = [f"{mean:.3f}" for mean in scores.mean(0)]
    if len(scores) == 1:
        return means
    rng, count = np.random.default_rng(0), len(scores)
    chosen = scores[rng.integers(count, size=(RESAMPLED, count))].mean(1)
    limits = np.quantile(chosen, [0.025, 0.975], axis=0).T
    return [
        f"{mean} ({low:.3f} to {high:.3f})"
        for mean, (low, high) in zip(means, limits, strict=True)
    ]


def sets_of(data, *, groups):
    """Return by title what gives the pictures, their mpp and size."""
    sets = {}
    if groups:
        for look in ("violet", "glass", "pink"):
            for trained_on, which in ((False, "held out"), (True, "all")):
                options = {"look": look, "trained_on": trained_on}
                sets[f"DSB2018, {look}, {which}"] = (
                    partial(pictures, data / PEOPLE, **options),
                    *(0.25, 1.0),
                )
        sets[f"made slide, {UNSEEN}"] = partial(made_slide, UNSEEN), MADE_MPP, 1.0
        sets["HGSC of histolytics, 20x"] = partial(pictures, data / MODEL), 0.5, 1.0
    else:
        for title, (folder, mpp, scale) in SETS.items():
            sets[title] = partial(pictures, data / folder), mpp, scale
    for title, brown in MADE.items():
        sets[title] = partial(fields, brown), FIELD_MPP, 1.0
    return sets


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).parents[1]
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    parser.add_argument("--models", nargs="*", help="names or paths; default: bundled")
    parser.add_argument("--each", action="store_true", help="every picture, too")
    parser.add_argument("--groups", action="store_true", help="what can be left out")
    options = parser.parse_args()
    names = options.models or [c.name for c in known_cards() if c.task == "instances"]
    print("| set | engine | pictures | F1@0.5 | AJI | PQ | Dice |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for title, (drawn, mpp, scale) in sets_of(
        options.data, groups=options.groups
    ).items():
        for name in names:
            each = measured(find_model(name), drawn(), mpp, scale)
            rows = {"": intervals(each.values())}
            if options.each:
                rows |= {picture: intervals([one]) for picture, one in each.items()}
            for picture, numbers in rows.items():
                row = (
                    f"{title} {picture} | {name} | {len(each)} | {' | '.join(numbers)}"
                )
                print(f"| {row} |", flush=True)


if __name__ == "__main__":
    main()
