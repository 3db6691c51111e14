"""Truth: the same made tissue, seen by one scanner and normalized to another.

The error is the mean difference in grey levels, on tissue, from what the other
scanner saw. How good it can get is measured too, from the answer itself: with the
true stains and whites of both scanners; with the best function of the colour that
there is, whatever its form; with the best numbers that Reinhard's formula can have.
What they leave is the cameras' noise, blur and JPEG, or the formula's own limit.
"""

from __future__ import annotations

import tempfile
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import minimize

from stain_peers import Peer, normalized
from workbench.geometry import Box
from workbench.slide.slide import open_slide
from workbench.stain.methods.reinhard import LabFit, ReinhardMap
from workbench.stain.normalizer import Normalizer, fit_normalizer
from workbench.stain.registry import METHODS
from workbench.stain.tissue_sample import slide_histogram
from workbench.synthetic import SCANNERS, load_truth, write_slide

KNOWN = "true stains and whites known"

BEST = "the best function of the colour"
BEST_REINHARD = "the best numbers for Reinhard's formula"
GOAL = 3.0

PAIRS = list(permutations(SCANNERS, 2))

_BITS = 5
_SAMPLE = 8192


def views(folder: Path, side: int, window: int) -> tuple[dict, dict, np.ndarray]:
    """Return one window of a made slide as each scanner sees it, and its tissue.

    The colours of the whole slide come with it.

    The window is the one with the most tissue among those without pen and folds.
    """
    paths = {name: folder / f"{name}.tif" for name in SCANNERS}
    for name, path in paths.items():
        write_slide(path, size=(side, side), seed=5, scanner=name)
    truth = load_truth(paths["aurora"])
    cells = window // truth.downsample
    score = truth.tissue - 10.0 * (truth.artefacts > 0)
    mean = cv2.blur(score, (cells, cells), anchor=(0, 0), borderType=cv2.BORDER_REFLECT)
    inside = mean[: score.shape[0] - cells + 1, : score.shape[1] - cells + 1]
    row, column = np.unravel_index(np.argmax(inside), inside.shape)
    box = Box.at(column * truth.downsample, row * truth.downsample, window, window)
    pixels, colours = {}, {}
    for name, path in paths.items():
        with open_slide(path) as slide:
            pixels[name] = slide.read(box).pixels
            colours[name] = slide_histogram(slide)
    tissue = truth.tissue[row : row + cells, column : column + cells]
    mask = cv2.resize(
        tissue.astype(np.uint8), (window, window), interpolation=cv2.INTER_NEAREST
    )
    return pixels, colours, mask > 0


def with_truth(source: str, target: str, pixels: np.ndarray) -> np.ndarray:
    """Return the answer of somebody who knows stains and whites of both scanners."""
    here, there = SCANNERS[source], SCANNERS[target]
    unmix, mix = (
        each.stain_matrix * np.array(each.strength)[:, None] for each in (here, there)
    )
    density = -np.log(np.maximum(pixels, 1) / np.array(here.white))
    return np.array(there.white) * np.exp(-(density @ np.linalg.pinv(unmix)) @ mix)


def best_function(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the median of the target for every colour of the source, (K, 3).

    Medians are taken of one half of the pixels for the other, in coarse bins, so
    that no pixel is its own answer.
    """
    codes = (source >> (8 - _BITS)).astype(np.int64) @ [1 << 2 * _BITS, 1 << _BITS, 1]
    order = np.argsort(codes, kind="stable")
    answers = target.astype(float)
    for bin_ in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        for half, other in ((bin_[::2], bin_[1::2]), (bin_[1::2], bin_[::2])):
            if len(other):
                answers[half] = np.median(target[other], axis=0)
    return answers


def best_reinhard(
    source: np.ndarray, target: np.ndarray, start: ReinhardMap
) -> np.ndarray:
    """Return Reinhard's answer with the gains and shifts that leave the least error.

    `start` is the fitted map; source and target are pixels (K, 3) of the same tissue.
    """
    few = np.random.default_rng(0).choice(
        len(source), min(_SAMPLE, len(source)), replace=False
    )
    given, wanted = source[few], target[few].astype(float)

    def mapped(numbers: np.ndarray) -> ReinhardMap:
        aim = LabFit(
            start.reference.mean + numbers[:3],
            start.reference.std * np.exp(numbers[3:] / 10),
            start.reference.white,
        )
        return ReinhardMap(start.source, aim, start.io, start.beta)

    found = minimize(
        lambda numbers: np.abs(Normalizer(mapped(numbers))(given) - wanted).mean(),
        np.zeros(6),
        method="Nelder-Mead",
        options={
            "initial_simplex": np.concatenate([np.zeros((1, 6)), 3 * np.eye(6)]),
            "maxfev": 300,
            "adaptive": True,
        },
    )
    return Normalizer(mapped(found.x))(source)


def errors(
    seen: tuple[dict, dict, np.ndarray], pair: tuple[str, str], peers: list[Peer]
) -> dict[str, float]:
    """Return the mean error of everybody on one pair, in grey levels."""
    pictures, colours, tissue = seen
    source, target = (pictures[name] for name in pair)
    here, there = source[tissue], target[tissue]
    made = {"not normalized": here, KNOWN: with_truth(*pair, here)}
    made[BEST] = best_function(here, there)
    whole = {
        method: fit_normalizer(*(colours[name] for name in pair), method=method)
        for method in METHODS
    }
    made[BEST_REINHARD] = best_reinhard(here, there, whole["reinhard"].colour_map)
    for method, ours in whole.items():
        made[f"**ours, {method.capitalize()}, of the slides**"] = ours(here)
    for method in METHODS:
        ours = fit_normalizer(source, target, method=method)
        made[f"ours, {method.capitalize()}, of the pictures"] = ours(here)
    for peer in peers:
        made[peer.name] = normalized(peer, target, source)[tissue]
    return {
        name: float(np.abs(np.clip(each, 0, 255) - there.astype(float)).mean())
        for name, each in made.items()
    }


def table(peers: list[Peer], *, side: int = 2048, window: int = 512) -> list[str]:
    """Return the errors of everybody on all pairs, as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        seen = views(Path(folder), side, window)
    found = [errors(seen, pair, peers) for pair in PAIRS]
    heads = " | ".join(f"{a[0].upper()}→{b[0].upper()}" for a, b in PAIRS)
    lines = [f"| | {heads} | mean | below {GOAL:g} |"]
    lines.append("|---|" + "--:|" * (len(PAIRS) + 2))
    for name in found[0]:
        left = [each[name] for each in found]
        met = f"{sum(each < GOAL for each in left)} of {len(left)}"
        cells = " | ".join(f"{each:.1f}" for each in left)
        lines.append(f"| {name} | {cells} | {np.mean(left):.2f} | {met} |")
    named = ", ".join(f"{name[0].upper()} {name}" for name in SCANNERS)
    return [*lines, "", f"Scanners: {named}."]
