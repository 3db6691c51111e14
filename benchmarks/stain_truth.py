"""Truth: the same made tissue, seen by one scanner and normalized to another.

The error is the mean difference in grey levels, on tissue, from what the other
scanner saw. About as good as it gets is what is left when the true stains and whites
of both are known: the two cameras' noise, blur and JPEG.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np

from stain_peers import Peer, normalized
from workbench.geometry import Box
from workbench.slide.slide import open_slide
from workbench.stain.methods import METHODS
from workbench.stain.normalizer import fit_normalizer
from workbench.synthetic import SCANNERS, load_truth, write_slide

KNOWN = "true stains and whites known"

PAIRS = [
    ("aurora", "borealis"),
    ("borealis", "meridian"),
    ("meridian", "zephyr"),
    ("zephyr", "aurora"),
]
"""Every scanner is normalized once, and a target once."""


def views(folder: Path, side: int, window: int) -> tuple[dict, np.ndarray]:
    """Return one window of a made slide as each scanner sees it, and its tissue.

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
    pixels = {}
    for name, path in paths.items():
        with open_slide(path) as slide:
            pixels[name] = slide.read(box).pixels
    tissue = truth.tissue[row : row + cells, column : column + cells]
    mask = cv2.resize(
        tissue.astype(np.uint8), (window, window), interpolation=cv2.INTER_NEAREST
    )
    return pixels, mask > 0


def with_truth(source: str, target: str, pixels: np.ndarray) -> np.ndarray:
    """Return the answer of somebody who knows stains and whites of both scanners."""
    here, there = SCANNERS[source], SCANNERS[target]
    unmix, mix = (
        each.stain_matrix * np.array(each.strength)[:, None] for each in (here, there)
    )
    density = -np.log(np.maximum(pixels, 1) / np.array(here.white))
    return np.array(there.white) * np.exp(-(density @ np.linalg.pinv(unmix)) @ mix)


def errors(
    pixels: dict, tissue: np.ndarray, pair: tuple[str, str], peers: list[Peer]
) -> dict[str, float]:
    """Return the mean error of everybody on one pair, in grey levels."""
    source, target = (pixels[name] for name in pair)
    made = {"not normalized": source, KNOWN: with_truth(*pair, source)}
    for method in METHODS:
        ours = fit_normalizer(source, target, method=method)
        made[f"**ours, {method.capitalize()}**"] = ours(source)
    for method in ("macenko", "vahadane"):
        ours = fit_normalizer(source, target, method=method, keep_residual=True)
        made[f"ours, {method.capitalize()}, residual kept"] = ours(source)
    for peer in peers:
        made[peer.name] = normalized(peer, target, source)
    return {
        name: float(np.abs(each.astype(float) - target)[tissue].mean())
        for name, each in made.items()
    }


def table(peers: list[Peer], *, side: int = 2048, window: int = 1024) -> list[str]:
    """Return the errors of everybody on all pairs, as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        pixels, tissue = views(Path(folder), side, window)
    found = [errors(pixels, tissue, pair, peers) for pair in PAIRS]
    lines = ["| | " + " | ".join(f"{a} → {b}" for a, b in PAIRS) + " |"]
    lines.append("|---|" + "--:|" * len(PAIRS))
    for name in found[0]:
        row = " | ".join(f"{each[name]:.2f}" for each in found)
        lines.append(f"| {name} | {row} |")
    return lines
