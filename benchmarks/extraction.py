"""Vectors of large encoders from a slide, as a share of the bare network's rate.

    python benchmarks/extraction.py [--models vit_base_patch16_224 ...] [--rounds 2]
        [--across 4] [--batch 4] [--precisions float32 bfloat16] [--loop]
        [--peer lazyslide=PYTHON ...]
    python benchmarks/extraction.py --memory

Vision transformers of random weights, tiles of 224 px, no normalization. Every round
times, one after another: the network alone on tensors that are in memory, our engine
from the slide to the run folder (reading, decoding, model, writing), the network again,
with --loop a loop as TRIDENT has it (a DataLoader over slide reads, one HDF5 file), and
each peer in its own environment. So that few tiles are enough, a contestant runs over
one batch and over all tiles, and the difference counts: what a run costs once is left
out (its seconds are a column of their own). A share is the rate over the mean of the
bare rates before and after, of seconds and of processor seconds: other work on the
machine changes the second less.

With --memory a network that costs nothing gives 384 numbers for tiles of 32 px, in a
process for each number of tiles: peak of memory (MB). Figures: features.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import torch
from torch import nn

import memory
import read
import workbench as wb
from infer import MEAN, STD, TILE, Tiles, peer
from workbench.models.card import ModelCard
from workbench.models.tile_model import TileModel, resolve_precision
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = 32
"""Side of the tiles of the measurement of memory."""

MEMORY_BATCH = 32
NUMBERS = 384


def card(name: str, dimensions: int, tile: int = TILE) -> ModelCard:
    """Return the card of an encoder."""
    return ModelCard(
        name=name,
        task="embedding",
        classes=("length of the vector",),
        dimensions=dimensions,
        mpp=0.25,
        tile_px=tile,
        mean=MEAN,
        std=STD,
    )


class Free(TileModel):
    """An encoder that costs nothing."""

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        """Return zeros."""
        return torch.zeros(len(tiles), NUMBERS)


def cast(precision: str) -> nullcontext | torch.autocast:
    """Return the context of a precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast("cpu", dtype=torch.bfloat16)


def bare(network: nn.Module, tiles: int, batch: int, precision: str) -> None:
    """Run the network alone on a batch in memory."""
    inputs = torch.rand(batch, 3, TILE, TILE)
    with torch.inference_mode(), cast(precision):
        for _ in range(tiles // batch):
            network(inputs)


def ours(
    path: str, model: TileModel, size: tuple[int, int], batch: int, precision: str
) -> int:
    """Run our engine over columns x rows of tiles; return their number."""
    width, height = (model.card.tile_px * each for each in size)
    recipe = Recipe(
        tissue_only=False,
        batch_size=batch,
        precision=precision,
        region=(0, 0, width, height),
    )
    with (
        tempfile.TemporaryDirectory() as out,
        mock.patch("workbench.inference.plan.find_model", return_value=model),
        wb.open_slide(path) as slide,
    ):
        return wb.run(slide, recipe, out=Path(out) / "run").tiles_total


def loop(
    path: str, network: nn.Module, size: tuple[int, int], batch: int, precision: str
) -> None:
    """Extract as TRIDENT does: a DataLoader, the network, then one file."""
    import h5py  # noqa: PLC0415 - this contestant only

    tiles = torch.utils.data.Subset(Tiles(path, size[0]), range(size[0] * size[1]))
    loader = torch.utils.data.DataLoader(
        tiles, batch, num_workers=min(os.cpu_count() or 1, 4)
    )
    found = []
    with torch.inference_mode(), cast(precision):
        found.extend(network(batch).float().numpy() for batch in loader)
    with tempfile.TemporaryDirectory() as out, h5py.File(f"{out}/a.h5", "w") as file:
        for part in found:
            if "features" not in file:
                shape = (None, part.shape[1])
                file.create_dataset(
                    "features", data=part, maxshape=shape, chunks=(1, part.shape[1])
                )
                continue
            rows = file["features"]
            rows.resize(len(rows) + len(part), axis=0)
            rows[-len(part) :] = part


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Return seconds and processor seconds of a call, those of its children too."""

    def used() -> float:
        kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        both = [resource.getrusage(kind) for kind in kinds]
        return sum(each.ru_utime + each.ru_stime for each in both)

    began, before = time.perf_counter(), used()
    call()
    return time.perf_counter() - began, used() - before


def compare(path: str, name: str, precision: str, options: argparse.Namespace) -> None:
    """Print the rows of one network in one precision."""
    import timm  # noqa: PLC0415 - not for the measurement of memory

    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False, num_classes=0).eval()
    model = TileModel(card(name, network.num_features), network)
    across, batch = options.across, options.batch
    rows = -(-batch // across)
    sizes = (across, rows), (across, across + rows)
    tiles = across * across
    calls = {"ours": lambda size: ours(path, model, size, batch, precision)}
    if options.loop:
        calls["a loop as TRIDENT's"] = lambda size: loop(
            path, network, size, batch, precision
        )
    shares: dict[str, list[tuple[float, float]]] = {each: [] for each in calls}
    rates: dict[str, list[float]] = {each: [] for each in ("bare", *calls)}
    once: dict[str, list[float]] = {each: [] for each in calls}

    def alone() -> tuple[float, float]:
        return timed(lambda: bare(network, tiles, batch, precision))

    for call in (*(partial(each, sizes[0]) for each in calls.values()), alone):
        call()  # the first use of each compiles and allocates
    for _ in range(options.rounds):
        before = alone()
        for label, call in calls.items():
            first, all_ = (timed(partial(call, size)) for size in sizes)
            after = alone()
            own = [large - small for small, large in zip(first, all_, strict=True)]
            mean = [(a + b) / 2 for a, b in zip(before, after, strict=True)]
            before = after
            shares[label].append((mean[0] / own[0], mean[1] / own[1]))
            rates[label].append(tiles / own[0])
            rates["bare"].append(tiles / after[0])
            once[label].append(first[1] - own[1] * across * rows / tiles)
    for label, found in rates.items():
        both = list(zip(*shares.get(label, [(1, 1)]), strict=True))
        wall, used = (statistics.median(each) for each in both)
        each = ", ".join(f"{share:.3f}" for share in both[1])
        print(
            f"| {name}, {precision} | {label} | {statistics.median(found):.2f} |"
            f" {wall:.3f} | {used:.3f} ({each}) |"
            f" {statistics.median(once.get(label, [0])):.2f} |",
            flush=True,
        )
    for label, python in options.peers.items():
        rate = peer(python, label, path, name)
        print(f"| {name}, float32 | {label} | {rate:.2f} | | | |", flush=True)


def measure_memory() -> None:
    """Print the peak of memory for numbers of tiles, each in its own process."""
    print("| tiles | peak, MB |\n|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for across in (100, 320, 640):
            path = Path(folder) / f"{across}.svs"
            memory.write_slide(path, across * SMALL)
            command = [sys.executable, __file__, "--run", str(path)]
            done = subprocess.run(
                [*command, "--across", str(across)],
                check=True,
                capture_output=True,
                text=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            print(f"| {found['tiles']:,} | {found['mb']:,.0f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = ("base", "large")
    networks = [f"vit_{size}_patch16_224" for size in sizes]
    parser.add_argument("--models", nargs="+", default=networks)
    # Without instructions for it, bfloat16 takes ten times as long as float32.
    fast = resolve_precision("auto", torch.device("cpu")) == "bfloat16"
    precisions = ["bfloat16", "float32"] if fast else ["float32"]
    parser.add_argument("--precisions", nargs="+", default=precisions)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--across", type=int, default=4, help="tiles along a side")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--loop", action="store_true", help="a loop as TRIDENT's too")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.peers = dict(each.split("=", 1) for each in options.peer)
    if options.run:
        model = Free(card("free", NUMBERS, SMALL), nn.Identity())
        size = (options.across, options.across)
        tiles = ours(options.run, model, size, MEMORY_BATCH, "float32")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"tiles": tiles, "mb": peak}))
        return
    if options.memory:
        measure_memory()
        return
    print(
        "| network | what | tiles/s | share | of processor time (rounds) |"
        " once, processor s |"
    )
    print("|---|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        read.SIDE = 4096
        path = str(Path(folder) / "slide.svs")
        read.write_slide(Path(path))
        for name in options.models:
            for precision in options.precisions:
                compare(path, name, precision, options)


if __name__ == "__main__":
    main()
