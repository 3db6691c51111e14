"""Inference over a slide, as a share of the bare model's rate, beside the peers.

    python benchmarks/infer.py [--models resnet18 resnet50 free] [--rounds 5]
        [--side 4096] [--across 12] [--alone] [--peer tiatoolbox=PYTHON] [--peer ...]

Every round times, one after another: the network alone on tensors that are in memory,
our engine from the slide to the run folder (reading, decoding, normalizing with
Vahadane's method, model, writing), a plain DataLoader over tiffslide, and each peer in
its own environment. "free" is a model that costs nothing: what is left is what a fast
GPU would feel. Its limit is the JPEG decoder on the stored tiles, each once, by as many
threads as a run reads with while no batch is ready; one thread is timed as well.

A large network takes long on a CPU: `--models resnet50 --across 12 --alone` times 144
tiles, ours and the bare network only, in about 4 minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import torch
import torchvision
from torch import nn

import read
import workbench as wb
from workbench.inference.predictor import DevicePredictor
from workbench.models.card import ModelCard
from workbench.models.tile_model import TileModel
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

TILE = 224
BATCH = 32
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PEERS = Path(__file__).with_name("infer_peers.py")


class Free(TileModel):
    """A model that costs nothing, as if it ran on the fastest of GPUs."""

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(tiles), len(self.card.classes))


def network(name: str) -> nn.Module:
    if name == "free":
        return nn.Identity()
    made = getattr(torchvision.models, name)(weights=None, num_classes=8)
    return made.eval().to(memory_format=torch.channels_last)


def card(name: str) -> ModelCard:
    return ModelCard(
        name=name,
        task="classification",
        classes=tuple("abcdefgh"),
        mpp=0.25,
        tile_px=TILE,
        mean=MEAN,
        std=STD,
    )


def bare(model: nn.Module, tiles: int, precision: str) -> float:
    """Return the tiles/s of the network on a batch that lies in memory."""
    batch = torch.rand(BATCH, 3, TILE, TILE).contiguous(
        memory_format=torch.channels_last
    )
    dtype = torch.bfloat16 if precision == "bfloat16" else None
    began = time.perf_counter()
    with (
        torch.inference_mode(),
        torch.autocast("cpu", dtype=dtype, enabled=dtype is not None),
    ):
        for _ in range(max(1, tiles // BATCH)):
            model(batch)
    return max(1, tiles // BATCH) * BATCH / (time.perf_counter() - began)


def ours(path: str, name: str, side: int, recipe: Recipe) -> float:
    """Return the tiles/s of our engine over a square of the slide."""
    made = Free(card(name), nn.Identity()) if name == "free" else None
    model = made or TileModel(card(name), network(name))
    box = (0, 0, side * TILE, side * TILE)  # nothing of the ragged edge
    with (
        tempfile.TemporaryDirectory() as out,
        mock.patch("workbench.inference.plan.find_model", return_value=model),
        wb.open_slide(path) as slide,
    ):
        run = wb.run(slide, recipe.replace(region=box), out=Path(out) / "run")
        return run.tiles_total / run.record["timings"]["tiles"]


class Tiles(torch.utils.data.Dataset):
    """What everybody writes first: one tile after another, with tiffslide."""

    def __init__(self, path: str, side: int) -> None:
        self.path, self.side, self.slide = path, side, None
        self.transform = torchvision.transforms.Compose(
            [
                torchvision.transforms.ToTensor(),
                torchvision.transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return self.side**2

    def __getitem__(self, index: int) -> torch.Tensor:
        if self.slide is None:
            import tiffslide  # noqa: PLC0415 - opened in the worker

            self.slide = tiffslide.TiffSlide(self.path)
        row, column = divmod(index, self.side)
        place = (column * TILE, row * TILE)
        region = self.slide.read_region(place, 0, (TILE, TILE))
        return self.transform(region.convert("RGB"))


def data_loader(path: str, model: nn.Module, side: int, workers: int) -> float:
    tiles = Tiles(path, side)
    loader = torch.utils.data.DataLoader(tiles, BATCH, num_workers=workers)
    began = time.perf_counter()
    with torch.inference_mode():
        for batch in loader:
            model(batch.contiguous(memory_format=torch.channels_last))
    return len(tiles) / (time.perf_counter() - began)


def reading_threads() -> int:
    """Return with how many threads a run reads while no batch is ready."""
    recipe = Recipe(batch_size=BATCH, device="cpu")
    return max(
        DevicePredictor(Free(card("free"), nn.Identity()), recipe).reading_threads
    )


def decode_limit(path: str, side: int, threads: int) -> float:
    """Return the tiles/s at which the stored tiles are decoded, each once."""
    boxes = [
        wb.Box.at(x * TILE, y * TILE, TILE, TILE)
        for y in range(side)
        for x in range(side)
    ]
    data = read.stored_bytes(path, read.Workload("", boxes, TILE, None, once=True))
    return len(boxes) / read.timed(read.decode_all, data, threads)


def peer(python: str, name: str, path: str, model: str) -> float:
    """Return the tiles/s of a peer, in its own environment."""
    command = [python, str(PEERS), name, path, model]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def contestants(
    path: str, name: str, side: int, peers: dict[str, str], *, alone: bool = False
) -> dict[str, Callable[[], float]]:
    """Return who is timed in a round, each limit before those it is the limit of.

    Alone: only ours.
    """
    plain, model = Recipe(tissue_only=False, batch_size=BATCH), network(name)
    stained = plain.replace(normalize="vahadane")
    precise = {"bf16": "bfloat16", "fp32": "float32"}  # the peers' last
    found: dict[str, Callable[[], float]] = {}
    if name == "free":
        large, threads = plain.replace(batch_size=128), reading_threads()
        label = f"limit: decoding with {threads} threads"
        found[label] = lambda: decode_limit(path, side, threads)
        found["decoding with one"] = lambda: decode_limit(path, side, 1)
        found[f"ours, batches of {BATCH}"] = lambda: ours(path, name, side, plain)
        found["ours, batches of 128"] = lambda: ours(path, name, side, large)
    else:
        for short, precision in precise.items():
            recipe = stained.replace(precision=precision)
            found[f"bare {short}"] = lambda p=precision: bare(model, side**2, p)
            found[f"ours {short}"] = lambda r=recipe: ours(path, name, side, r)
    for workers in () if alone else (0, 2):
        label = f"DataLoader, {workers} workers"
        found[label] = lambda w=workers: data_loader(path, model, side, w)
    for label, python in peers.items():
        found[label] = lambda py=python, n=label: peer(py, n, path, name)
    return found


def measure(
    found: dict[str, Callable[[], float]], rounds: int
) -> dict[str, tuple[float, float]]:
    """Return the tiles/s of each, and its share of the limit timed just before."""
    rates: dict[str, list[float]] = {label: [] for label in found}
    shares: dict[str, list[float]] = {label: [] for label in found}
    for number in range(rounds + 1):
        limit = 0.0
        for label, timed in found.items():
            rate = timed()
            limit = rate if label.startswith(("bare", "limit")) else limit
            if number:  # the first round warms up
                rates[label].append(rate)
                shares[label].append(rate / limit)
    median = statistics.median
    return {label: (median(rates[label]), median(shares[label])) for label in found}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["free", "resnet18", "resnet50"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, help="of the slide; multiples of 4096 px")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--across", type=int, help="tiles along a side, at most")
    parser.add_argument("--alone", action="store_true", help="no DataLoader")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    peers = dict(each.split("=", 1) for each in options.peer)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.models:
            read.SIDE = options.side or (12288 if name == "free" else 4096)
            path = str(Path(folder) / f"{name}.svs")
            read.write_slide(Path(path))
            side = min(read.SIDE // TILE, options.across or read.SIDE)
            print(f"\n{name}, {side**2} tiles\n\n| | tiles/s | share |\n|---|--:|--:|")
            found = contestants(path, name, side, peers, alone=options.alone)
            for label, (rate, share) in measure(found, options.rounds).items():
                print(f"| {label} | {rate:,.1f} | {share:.2f} |", flush=True)


if __name__ == "__main__":
    main()
