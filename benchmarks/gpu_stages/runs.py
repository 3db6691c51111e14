"""Whole runs on the device: equal to the CPU's, over pauses, kills, lack of memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from unittest import mock

import numpy as np
import torch
from torch import nn

import workbench as wb
from gpu_stages.bench import near
from workbench.inference.predictor import DevicePredictor
from workbench.models.card import ModelCard
from workbench.models.registry import find_model
from workbench.models.tile_model import TileModel
from workbench.recipe import Recipe

MODEL, CLOSE = "tissue-classes", 1e-2
"""Largest difference of a probability: TF32 on the device, float32 on the CPU."""

SAME = 1e-5
"""The same between two runs on the device."""

COUNT = 0.02
"""Largest relative difference of the number of nuclei."""


def run(bench, name: str, device: str = "", **options):
    """Run over the made slide."""
    options = {"model": MODEL, "precision": "float32", "normalize": "macenko"} | options
    with wb.open_slide(bench.slide) as slide:
        return wb.run(
            slide,
            out=bench.folder / name,
            device=device or str(bench.device),
            **options,
        )


def nuclei_of(bench) -> str:
    """Return the model of nuclei; that of a dry run has no network."""
    return "nuclei-watershed" if bench.toy else "nuclei"


def equal_to_cpu(bench) -> str:
    """Compare the heatmap with the CPU's."""
    plain = run(bench, "cpu", "cpu")
    return near(run(bench, "device").heatmap.values, plain.heatmap.values, CLOSE)


def nuclei_of_cpu(bench) -> str:
    """Compare the number of nuclei with the CPU's."""
    counts = [
        run(bench, f"nuclei-{number}", device, model=nuclei_of(bench))
        for number, device in enumerate(("cpu", str(bench.device)))
    ]
    counts = [each.record["objects"]["count"] for each in counts]
    said = f"{counts[1]:,} nuclei, on the CPU {counts[0]:,}"
    if abs(counts[1] - counts[0]) > 1 + COUNT * counts[0]:
        raise AssertionError(said)
    return said


def paused(bench) -> str:
    """Pause a run after its first chunk and go on."""
    cancel = threading.Event()
    options = {"batch_size": 8}
    plain = run(bench, "straight", **options)
    part = run(
        bench,
        "paused",
        cancel=cancel,
        progress=lambda at: cancel.set() if at.done else None,
        **options,
    )
    if part.status != "cancelled" and not bench.toy:  # which has a single chunk
        message = f"the run is {part.status}, not paused"
        raise AssertionError(message)
    done = run(bench, "paused", **options)
    said = near(done.heatmap.values, plain.heatmap.values, SAME)
    return f"{part.status} first; {said}"


def die(at) -> None:
    """End this process as a kill does, after the first tiles."""
    if at.done:
        os.kill(os.getpid(), signal.SIGKILL)


def run_and_die(path: str, out: str, device: str) -> None:
    """Run in this process until it is killed."""
    with wb.open_slide(path) as slide:
        options = {"model": MODEL, "precision": "float32", "normalize": "macenko"}
        wb.run(slide, out=out, device=device, progress=die, batch_size=8, **options)


def killed(bench) -> str:
    """Kill a run in a process of its own and go on."""
    context = multiprocessing.get_context("forkserver")
    arguments = (str(bench.slide), str(bench.folder / "killed"), str(bench.device))
    process = context.Process(target=run_and_die, args=arguments)
    process.start()
    process.join()
    if process.exitcode != -signal.SIGKILL:
        message = f"the process ended with {process.exitcode}, not by the kill"
        raise AssertionError(message)
    plain = run(bench, "straight", batch_size=8)
    done = run(bench, "killed", batch_size=8)
    return near(done.heatmap.values, plain.heatmap.values, SAME)


class Limited(nn.Module):
    """A network on a device whose memory holds four tiles; a stand-in."""

    def forward(self, rgb):
        if len(rgb) > 4:
            raise torch.OutOfMemoryError
        return rgb[:, :2].mean((2, 3))


def limited(bench) -> TileModel:
    """Return the stand-in for a CPU, and a network with large layers for CUDA."""
    card = ModelCard(
        name="limited", task="classification", classes=("a", "b"), mpp=0.5, tile_px=224
    )
    if not bench.cuda:
        return TileModel(card, Limited())
    wide = [nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1)]
    last = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2)]
    return TileModel(card, nn.Sequential(*wide, *last))


def exhausted(bench) -> str:
    """Fill the memory of the device but for 2 GB, and predict a batch of 512 tiles."""
    count = 16 if bench.toy else 512
    recipe = Recipe(batch_size=count, device=str(bench.device), precision="float32")
    predictor = DevicePredictor(limited(bench), recipe)
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 256, (count, 224, 224, 3), np.uint8)
    single = np.concatenate([predictor(tiles[k : k + 1]) for k in range(4)])
    ballast = None
    if bench.cuda:
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(bench.device)
        size = max(0, free - (2 << 30))
        ballast = torch.empty(size, dtype=torch.uint8, device=bench.device)
    found = predictor(tiles)
    del ballast
    most = predictor._size.most  # noqa: SLF001 - what was found to fit
    if most >= count:
        message = f"{count} tiles fitted; nothing was halved"
        raise AssertionError(message)
    return f"{most} of {count} tiles at once; {near(found[:4], single, 1e-3)}"


def two_devices(bench) -> str:
    """Share a run between two devices, or twice the same one."""
    if bench.cuda and torch.cuda.device_count() < 2:
        devices = (torch.device("cuda", 0),) * 2
    else:
        devices = tuple(torch.device(bench.device.type, number) for number in (0, 1))
    plain = run(bench, "straight", batch_size=8)
    with mock.patch("workbench.inference.plan.resolve_devices", return_value=devices):
        shared = run(bench, "shared", batch_size=8)
    said = near(shared.heatmap.values, plain.heatmap.values, SAME)
    return f"{', '.join(map(str, devices))}: {said}"


def measure(bench) -> None:
    """Check whole runs."""
    find_model(MODEL)
    bench.check("heatmap equal to the CPU's", lambda: equal_to_cpu(bench))
    bench.check("nuclei equal to the CPU's", lambda: nuclei_of_cpu(bench))
    bench.check("paused and resumed", lambda: paused(bench))
    bench.check("killed and resumed", lambda: killed(bench))
    bench.check("lack of memory halves the batch", lambda: exhausted(bench))
    bench.check("two devices", lambda: two_devices(bench))
