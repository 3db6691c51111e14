"""Runs in processes that are killed; driven by `killing.py` over pipes.

This process imports everything once and computes nothing; each run is a fork of it,
which takes a few milliseconds instead of the seconds that importing torch takes.

A run is killed after some time, or at its n-th operation on the disk: before a sync,
move, removal or new folder, or in the middle of a write to the journal.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import sys
import time
import traceback

import numpy as np
import torch
from torch import nn

from fakes import fake_card
from labelled_slides import Reading, reading_card
from workbench.inference import engine, plan
from workbench.inference.instance_extraction import InstanceExtractor
from workbench.instances.stitching import codec
from workbench.models.tile_model import TileModel
from workbench.recipe import Recipe
from workbench.slide.slide import open_slide
from workbench.system import append_log
from workbench.tiling.grid import Grid

CLASSES = ("a", "b", "c")
RECIPE = Recipe(tissue_only=False, batch_size=16, device="cpu")


class Network(nn.Module):
    """Small, but with rounding in it; notes each batch that it begins."""

    def __init__(self, log, pause_s, *, dense=False):
        super().__init__()
        seed = torch.Generator().manual_seed(0)
        self.conv = nn.Conv2d(3, 8, 5, stride=2)
        self.last = nn.Conv2d(8, len(CLASSES), 1)
        for weights in self.parameters():
            weights.data = torch.randn(weights.shape, generator=seed)
        self.log, self.pause_s, self.dense = log, pause_s, dense

    def forward(self, rgb):
        os.write(self.log, b".")
        time.sleep(self.pause_s)
        seen = self.conv(rgb).relu()
        if self.dense:
            return self.last(seen)
        return self.last(seen.mean((2, 3), keepdim=True))[:, :, 0, 0]


class Operations:
    """Counts operations on the disk and kills its process at one of them."""

    def __init__(self, fatal):
        self.count = 0
        self.fatal = fatal

    def step(self):
        self.count += 1
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner, name):
        original = getattr(owner, name)

        def stepped(*args, **kwargs):
            self.step()
            return original(*args, **kwargs)

        setattr(owner, name, stepped)

    def watch_all(self):
        self.watch(os, "fsync")
        self.watch(shutil, "rmtree")
        for name in ("replace", "rename", "unlink", "mkdir"):
            self.watch(pathlib.Path, name)
        opened = append_log.os.fdopen
        append_log.os.fdopen = lambda *args, **kwargs: HalfWritten(
            opened(*args, **kwargs), self
        )


class HalfWritten:
    """A file whose writes can be cut in the middle."""

    def __init__(self, file, operations):
        self._file, self._operations = file, operations

    def write(self, data):
        half = len(data) // 2
        self._file.write(data[:half])
        self._operations.step()
        return half + self._file.write(data[half:])

    def __getattr__(self, name):
        return getattr(self._file, name)


CARDS = {
    "classification": fake_card(classes=CLASSES, activation="softmax"),
    "segmentation": fake_card(
        task="segmentation",
        classes=CLASSES,
        activation="softmax",
        mpp=2.0,
        margin_px=8,
        cells=4,
        blend_cells=1,
    ),
    "embedding": fake_card(
        task="embedding", classes=("length",), dimensions=len(CLASSES)
    ),
}


class Finding(Reading):
    """Reads the objects from the colours; notes each batch that it begins."""

    def __init__(self, log, pause_s):
        super().__init__()
        self.log, self.pause_s = log, pause_s

    def forward(self, rgb):
        os.write(self.log, b".")
        time.sleep(self.pause_s)
        return super().forward(rgb)


def model_of(order, log):
    """Return a model of the task that is ordered."""
    task, pause_s = order["task"], order["pause_s"]
    if task == "instances":
        card = reading_card(mpp=1.0, tile_px=64, margin_px=16)
        return TileModel(card, Finding(log, pause_s))
    dense = task == "segmentation"
    return TileModel(CARDS[task], Network(log, pause_s, dense=dense))


def warm_up():
    """Compile here, once, what each fork would have to load."""
    card = reading_card(tile_px=64, margin_px=16)
    finder = InstanceExtractor(card, Grid((64, 64), 1.0, 64, 16), 1.0)
    maps = np.zeros((1, 64, 64), np.float32)
    maps[0, 20:40, 20:40] = 1
    claims = finder.extract(0, maps, np.zeros((64, 64, 3), np.uint8))
    codec.decode(codec.encode(claims, 1))


def work(order):
    """Do one run in this process, which ends with it."""
    torch.set_num_threads(1)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    model = model_of(order, log)
    plan.find_model = lambda *_, **__: model
    operations = Operations(order["fatal"])
    operations.watch_all()
    with open_slide(order["slide"]) as slide:
        engine.run(slide, RECIPE, out=order["out"])
    with open(order["log"] + ".operations", "w") as file:  # noqa: PTH123 - Path is watched
        file.write(str(operations.count))


def fork(order):
    """Run an order in a fork; return by which signal it ended and how long it took."""
    began = time.monotonic()
    child = os.fork()
    if not child:
        code = 1
        try:
            work(order)
            code = 0
        except BaseException:  # noqa: BLE001 - said, and then the process ends
            traceback.print_exc()
        finally:
            os._exit(code)
    if order["kill_after_s"] is not None:
        time.sleep(order["kill_after_s"])
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - began,
    }


if __name__ == "__main__":
    if "--finds" in sys.argv:
        warm_up()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(fork(json.loads(line))) + "\n")
        sys.stdout.flush()
