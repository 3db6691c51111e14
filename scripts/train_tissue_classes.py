"""Train the bundled tile classifier, `tissue-classes`, on made slides.

    python scripts/train_tissue_classes.py [--slides DIR]

Makes slides of several seeds in the colours of every scanner but one, brings each
into the colours of "he-standard" with the project's own Macenko normalizer (the way the
model is meant to be used), cuts tiles of 64 px at 1 µm per pixel, and trains the small
CNN on them. "zephyr" and the seeds of the benchmark are never seen. Deterministic;
about ten minutes on two CPU cores. Writes the weights and their card to
workbench/models/bundled.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

import workbench as wb
from workbench.models.card import ModelCard
from workbench.models.networks.small_cnn import build
from workbench.synthetic import CLASSES, SCANNERS, load_truth, write_slide
from workbench.tiling.grid import Grid

HELD_OUT = "zephyr"
SEEDS = range(100, 106)
SIZE = (4096, 4096)
TILE = 64
MPP = 1.0
BUNDLED = Path(__file__).parents[1] / "workbench" / "models" / "bundled"

COLOURS = (
    (200, 200, 200),
    (230, 130, 170),
    (70, 130, 200),
    (200, 40, 40),
    (110, 60, 170),
    (240, 200, 90),
)

CARD = {
    "name": "tissue-classes",
    "task": "classification",
    "classes": CLASSES,
    "colours": COLOURS,
    "mpp": MPP,
    "tile_px": TILE,
    "border": "mirror",
    "mean": (0.75, 0.60, 0.72),
    "std": (0.20, 0.25, 0.18),
    "activation": "softmax",
    "architecture": "workbench:small-cnn",
    "weights": "tissue-classes.safetensors",
    "licence": "Apache-2.0",
    "stains": ["H&E"],
    "intended_use": (
        "A research tool for learning and for trying the workbench: tells glass,"
        " stroma, benign glands, tumour, lymphocytes and fat on made slides, after"
        " Macenko normalization to 'he-standard'. It has only ever seen made tissue;"
        " on real slides its answers mean little. Not for diagnosis."
    ),
    "source": (
        "scripts/train_tissue_classes.py: made slides of seeds 100 to 105 in the"
        " scanners aurora, borealis and meridian; figures in benchmarks/README.md."
    ),
}


def tiles_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return normalized tiles, uint8 (N, 3, H, W), and their classes.

    A tile counts for the class that covers more than half of it; a few have none.
    Of glass only a few are kept.
    """
    slide, truth = wb.open_slide(path), load_truth(path)
    normalizer = wb.fit_normalizer(slide, "he-standard", method="macenko")
    grid = Grid(slide.size, MPP / slide.require_mpp(), TILE)
    boxes, labels = [], []
    for index in range(len(grid)):
        box = grid.tile(index)
        edges = (box.x0, box.y0, box.x1, box.y1)
        shares = [truth.share(name, edges) for name in CLASSES]
        if max(shares) > 0.5:  # noqa: PLR2004
            boxes.append(box)
            labels.append(int(np.argmax(shares)))
    labels = np.array(labels)
    keep = np.ones(len(labels), bool)
    glass = np.flatnonzero(labels == 0)
    keep[glass[len(labels) // 10 :]] = False
    boxes = [box for box, kept in zip(boxes, keep, strict=True) if kept]
    pixels = normalizer(slide.read_tiles(boxes, (TILE, TILE), threads=2))
    return pixels.transpose(0, 3, 1, 2).copy(), labels[keep]


def data(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all training tiles and their classes, making slides that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for seed in SEEDS:
        for scanner in SCANNERS:
            if scanner == HELD_OUT:
                continue
            path = folder / f"{scanner}-{seed}.tif"
            if not path.exists():
                write_slide(path, size=SIZE, seed=seed, scanner=scanner)
            parts.append(tiles_of(path))
            print(path.name, np.bincount(parts[-1][1], minlength=len(CLASSES)))
    pixels, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    return torch.from_numpy(pixels), torch.from_numpy(labels)


def augmented(tiles: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Return tiles turned, mirrored and a little recoloured, float 0 to 1."""
    turns = int(torch.randint(4, (), generator=rng))
    tiles = torch.rot90(tiles, turns, (2, 3))
    if torch.rand((), generator=rng) < 0.5:  # noqa: PLR2004
        tiles = tiles.flip(3)
    density = -torch.log((tiles.float() + 1) / 256)
    factors = 1 + 0.1 * torch.randn(len(tiles), 3, 1, 1, generator=rng)
    return torch.exp(-density * factors.clamp(0.7, 1.3)).clamp(0, 1)


def train(
    network: nn.Module, tiles: torch.Tensor, labels: torch.Tensor, *, epochs: int
) -> None:
    """Train in place: AdamW, one cycle, class weights against the imbalance."""
    rng = torch.Generator().manual_seed(0)
    counts = torch.bincount(labels, minlength=len(CLASSES)).float().clamp(min=1)
    loss_of = nn.CrossEntropyLoss((counts.sum() / counts).sqrt(), label_smoothing=0.05)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-3)
    batch = 64
    steps = epochs * (len(tiles) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    mean = torch.tensor(CARD["mean"]).view(1, 3, 1, 1)
    std = torch.tensor(CARD["std"]).view(1, 3, 1, 1)
    network.train().to(memory_format=torch.channels_last)
    for epoch in range(epochs):
        order = torch.randperm(len(tiles), generator=rng)
        total, right, start = 0.0, 0, time.perf_counter()
        for first in range(0, len(order) - batch + 1, batch):
            chosen = order[first : first + batch]
            inputs = (augmented(tiles[chosen], rng) - mean) / std
            logits = network(inputs.contiguous(memory_format=torch.channels_last))
            loss = loss_of(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
            right += int((logits.argmax(1) == labels[chosen]).sum())
        took = time.perf_counter() - start
        share = right / (len(order) // batch * batch)
        print(
            f"epoch {epoch}: loss {total / (len(order) // batch):.3f},"
            f" right {share:.3f}, {took:.0f} s",
            flush=True,
        )


def save(network: nn.Module) -> None:
    """Write weights and card."""
    network.eval().to(memory_format=torch.contiguous_format)
    weights = BUNDLED / CARD["weights"]
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    card = ModelCard.model_validate({**CARD, "sha256": digest})
    text = card.model_dump_json(indent=2, exclude_defaults=True)
    (BUNDLED / "tissue-classes.json").write_text(text + "\n")
    print(weights, weights.stat().st_size, "bytes")


def main() -> None:
    """Make the slides, train, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slides", type=Path, default=Path("demo/training"))
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        network = build(ModelCard.model_validate({**CARD, "weights": ""}))
        tiles, labels = data(options.slides)
        print(len(tiles), "tiles", torch.bincount(labels).tolist())
        train(network, tiles, labels, epochs=options.epochs)
    save(network)


if __name__ == "__main__":
    main()
