"""Finding objects over a slide, as a share of the network's own rate.

    python benchmarks/nuclei_speed.py [--side 2048] [--rounds 5] [--threads N] [--busy]

First what is done with a tile of 512 px that holds 500 nuclei, step by step; at the end
stands what the network takes for as many pixels. Then every round times, in turns: the
network alone on tiles that lie in memory, and our engine from the slide to the file of
objects (reading, normalizing with Macenko's method, network, decoding, tracing,
measuring, settling, writing), both in Mpx of tiles per second, with the same threads.
`--busy` counts processor time, of all threads together, for a machine that has other
work; then give `--threads 1`, for threads that wait for each other count as busy.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import cv2
import numpy as np
import torch

import workbench as wb
from workbench.geometry import Box
from workbench.inference.instance_extraction import InstanceExtractor
from workbench.instances.instances import Instances
from workbench.instances.measure import measure
from workbench.instances.stitching import codec
from workbench.instances.tracing import largest_parts, rings
from workbench.models.registry import find_model
from workbench.stain.deconvolution import STAIN_SETS
from workbench.synthetic import write_slide
from workbench.tiling.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.inference.progress_reporter import Progress
    from workbench.models.tile_model import TileModel

SIDE, NUCLEI = 512, 500
BATCH = 4
CLOCKS = {"wall": time.perf_counter, "busy": time.process_time}


def bare(model: TileModel, pixels: NDArray[np.uint8], clock: str) -> float:
    """Return the seconds that the network takes for tiles that lie in memory."""
    device = next(iter(model.buffers())).device
    tiles = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device)
    now = CLOCKS[clock]
    began = now()
    for start in range(0, len(tiles), BATCH):
        model(tiles[start : start + BATCH])
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return now() - began


class Lap:
    """The seconds from the first tile of a run to its end; told how far a run is."""

    def __init__(self, clock: str) -> None:
        self._now = CLOCKS[clock]
        self._began: float | None = None
        self.seconds = 0.0

    def __call__(self, progress: Progress) -> None:
        """Note when tiles begin, and what has gone by since."""
        if progress.stage == "tiles" and self._began is None:
            self._began = self._now()
        if self._began is not None:
            self.seconds = self._now() - self._began


def whole(
    slide: wb.Slide, model: TileModel, clock: str, **recipe
) -> tuple[float, float, int]:
    """Return the seconds of a run, those of finding, and how many objects it found."""
    lap = Lap(clock)
    with (
        tempfile.TemporaryDirectory() as out,
        mock.patch("workbench.inference.plan.find_model", return_value=model),
    ):
        run = wb.run(
            slide,
            out=Path(out) / "run",
            tissue_only=False,
            batch_size=BATCH,
            progress=lap,
            **recipe,
        )
        found = run.record["timings"]["finding"]
        return lap.seconds, found, run.record["objects"]["count"]


def share(
    slide: wb.Slide, name: str, rounds: int, *, clock: str = "wall", **recipe
) -> dict[str, float]:
    """Return the rates of the network and the engine, and the share, as medians."""
    model = find_model(name)
    card = model.card
    grid = Grid(
        slide.size, card.mpp / slide.require_mpp(), card.tile_px, card.margin_px
    )
    boxes = [grid.tile(i) for i in range(len(grid))]
    pixels = slide.read_tiles(boxes, (card.tile_px, card.tile_px))
    whole(slide, model, clock, **recipe)  # warms up, and moves the model to its device
    spent: dict[str, list[float]] = {"network": [], "engine": []}
    for number in range(rounds):
        works = {
            "network": lambda: bare(model, pixels, clock),
            "engine": lambda: whole(slide, model, clock, **recipe),
        }
        for part in sorted(works, reverse=bool(number % 2)):
            answer = works[part]()
            if part == "engine":
                answer, finding, objects = answer
            spent[part].append(answer)
    shares = np.divide(spent["network"], spent["engine"])
    megapixels = pixels[..., 0].size / 1e6
    return {
        **{part: megapixels / statistics.median(spent[part]) for part in spent},
        "share": statistics.median(shares),
        "objects": objects,
        "tiles": len(boxes),
        "finding_ms": 1000 * finding / len(boxes),
        "network_ms": 1000 * statistics.median(spent["network"]) / len(boxes),
    }


def crowded() -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return labels of 500 ellipses that touch, and pixels for them."""
    random = np.random.default_rng(0)
    labels = np.zeros((SIDE, SIDE), np.int32)
    columns = 23
    for number in range(NUCLEI):
        row, column = divmod(number, columns)
        axes = [int(random.integers(7, 12)) for _ in range(2)]
        centre = column * 22 + 11, row * 23 + 11
        cv2.ellipse(
            labels, centre, axes, random.uniform(0, 180), 0, 360, number + 1, -1
        )
    return labels, random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def steps() -> dict[str, Callable[[], object]]:
    """Return what is done with a crowded tile, step by step."""
    labels, pixels = crowded()
    box = Box(0, 0, SIDE, SIDE)
    one, first = largest_parts(labels)
    points, ends = rings(one, first, origin=(0, 0), scale=1.0)
    count = len(ends)
    found = Instances(
        points, ends, np.zeros(count, np.uint16), np.ones(count, np.float32)
    )
    stains = {name: kind.tables(0) for name, kind in STAIN_SETS.items()}
    card = find_model("nuclei-watershed").card.model_copy(
        update={"tile_px": SIDE, "margin_px": 64, "decoder": "labels"}
    )
    finder = InstanceExtractor(card, Grid((SIDE, SIDE), 1.0, SIDE, 64), 0.5)
    maps = labels[None].astype(np.float32)
    claims = finder.extract(0, maps, pixels)
    return {
        "largest parts": lambda: largest_parts(labels),
        "outlines": lambda: rings(one, first, origin=(0, 0), scale=1.0),
        "measures": lambda: measure(found, pixels, box, 0.5, stains),
        "bytes": lambda: codec.encode(claims, 1),
        "all, with decoding of labels": lambda: finder.extract(0, maps, pixels),
    }


def milliseconds(step: Callable[[], object], rounds: int = 20) -> float:
    """Return the median of some calls, after one that compiles."""
    step()
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        step()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1000


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--side", type=int, default=2048, help="of the made slide")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="of torch; default: its own choice")
    parser.add_argument("--busy", action="store_true", help="count processor time")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"A tile of {SIDE} px with {NUCLEI} nuclei\n\n| step | ms |\n|---|--:|")
    for name, step in steps().items():
        print(f"| {name} | {milliseconds(step):.2f} |", flush=True)
    clock = "busy" if options.busy else "wall"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slide.tiff"
        write_slide(path, size=(options.side, options.side), mpp=0.5)
        with wb.open_slide(path) as slide:
            recipe = {"device": options.device, "normalize": "macenko"}
            found = share(slide, options.model, options.rounds, clock=clock, **recipe)
    print(
        f"\n{options.model}, {found['objects']:,} objects in {found['tiles']} tiles,"
        f" {torch.get_num_threads()} threads: network {found['network']:.2f} Mpx/s,"
        f" engine {found['engine']:.2f} Mpx/s, share {found['share']:.2f}."
        f" A tile: {found['network_ms']:.0f} ms in the network,"
        f" {found['finding_ms']:.0f} ms of one thread to find its objects."
        f" {SIDE} px: {1e-3 * SIDE**2 / found['network']:.0f} ms in the network."
    )


if __name__ == "__main__":
    main()
