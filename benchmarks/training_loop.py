"""Training of networks: our loop beside a bare one, and strategies beside each other.

    python benchmarks/training_loop.py loop [--architecture torchvision:resnet18]
    python benchmarks/training_loop.py strategies [--epochs 2]

loop: samples/s of a training (tiles read from slides, turned, stains varied, loss,
clipping, AdamW, moving average) divided by those of a bare loop (forward, backward,
AdamW) on tensors in memory, and by those of the usual loop (a DataLoader with two
workers that read the same tiles by tiffslide, flips and colour jitter of torchvision),
in turn within one run; of wall and, beside the bare loop, of processor time, which
other programs on the machine disturb less.
strategies: samples/s, peak memory of a process and held-out Dice of a segmentation in
float32, bfloat16, accumulation and two processes, each in processes of its own.
Figures: benchmarks/features.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tiffslide
import torch
from torchvision import transforms

import workbench as wb
from workbench.models.architectures import build_network
from workbench.models.preprocessing import InputChannels
from workbench.models.tile_model import resolve_precision
from workbench.training.loop.examples import open_examples
from workbench.training.loop.folder import TrainingFolder
from workbench.training.loop.processes import Processes
from workbench.training.loop.recipe import TrainingRecipe
from workbench.training.loop.sources import UNLABELLED
from workbench.training.loop.state import State
from workbench.training.loop.tasks import task_of
from workbench.training.loop.trainer import Trainer

STRATEGIES = {
    "float32": {"precision": "float32"},
    "bfloat16": {"precision": "bfloat16"},
    "float32, 4 parts": {"precision": "float32", "accumulate": 4},
    "float32, 2 processes": {"precision": "float32"},
}
CLASSES = ("background", "stroma", "tumour")
CPU = torch.device("cpu")


def write_study(folder, slides, side):
    """Write made slides with label images of three classes; return CSV and classes."""
    lines = ["slide,labels"]
    for seed in range(slides):
        name = f"{seed}.tif"
        scanner = ("aurora", "borealis", "meridian")[seed % 3]
        truth = wb.synthetic.write_slide(
            folder / name, size=(side, side), seed=400 + seed, scanner=scanner
        )
        codes = np.full(len(truth.classes), UNLABELLED, np.uint8)
        for code, kind in enumerate(CLASSES):
            codes[truth.classes.index(kind)] = code
        np.save(folder / f"{seed}.npy", codes[truth.class_map])
        lines.append(f"{name},{seed}.npy")
    file = folder / "study.csv"
    file.write_text("\n".join(lines))
    return file, ";".join(CLASSES)


class Timed:
    """Notes wall and processor time of each step."""

    def __init__(self):
        self.times = []
        self(None)

    def __call__(self, _):
        self.times.append((time.perf_counter(), time.process_time()))

    def rates(self, batch, first):
        """Return samples per s of wall and of processor, after the first steps."""
        wall, busy = np.subtract(self.times[-1], self.times[first])
        done = batch * (len(self.times) - 1 - first)
        return done / wall, done / busy


def bare_rate(trainer, steps):
    """Return the rates of the bare loop on tensors in memory."""
    batch, recipe = trainer.batch, trainer.recipe
    network = build_network(trainer.state.card, trust=False).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate)
    side = recipe.tile_px
    tiles = torch.randint(0, 256, (batch, 3, side, side), dtype=torch.uint8)
    inputs = InputChannels(trainer.state.card)(tiles)
    codes = torch.randint(0, len(trainer.examples.classes), (batch,))
    reduced = resolve_precision(recipe.precision, CPU) == "bfloat16"
    timed = Timed()
    for _ in range(steps + 1):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=reduced):
            logits = network(inputs)
        torch.nn.functional.cross_entropy(logits.float(), codes).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        timed(None)
    return timed.rates(batch, 1)


class SlideTiles(torch.utils.data.Dataset):
    """The tiles of a training as the usual loop reads them."""

    def __init__(self, examples, numbers, side):
        self.places = []
        for number in numbers:
            source = examples.sources[examples.source[number]]
            box = source.boxes[examples.row[number]]
            self.places.append((source.slide.path, box, int(examples.codes[number])))
        self.side, self.opened = side, {}
        self.change = transforms.Compose(
            [
                transforms.RandomHorizontalFlip(),
                transforms.RandomVerticalFlip(),
                transforms.ColorJitter(0.1, 0.1, 0.1, 0.05),
                transforms.ToTensor(),
                transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        )

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        path, box, code = self.places[index]
        if path not in self.opened:
            self.opened[path] = tiffslide.TiffSlide(path)
        size = (box.width, box.height)
        tile = self.opened[path].read_region((box.x0, box.y0), 0, size)
        return self.change(tile.convert("RGB").resize((self.side, self.side))), code


def loader_rate(trainer, steps, workers=2):
    """Return the samples per s of the usual loop with a DataLoader."""
    examples, recipe, batch = trainer.examples, trainer.recipe, trainer.batch
    tiles = SlideTiles(examples, trainer.learnt.tolist(), recipe.tile_px)
    # More than are timed: its workers read ahead, as in a training that goes on.
    drawn = torch.utils.data.RandomSampler(
        tiles, replacement=True, num_samples=batch * (steps + 2 + 4 * workers)
    )
    loader = torch.utils.data.DataLoader(
        tiles, batch, sampler=drawn, num_workers=workers
    )
    network = build_network(trainer.state.card, trust=False).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate)
    reduced = resolve_precision(recipe.precision, CPU) == "bfloat16"
    timed = Timed()
    for inputs, codes in loader:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=reduced):
            logits = network(inputs)
        torch.nn.functional.cross_entropy(logits.float(), codes).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        timed(None)
        if len(timed.times) > steps + 2:
            break
    return timed.rates(batch, 1)[0]


def our_rate(recipe, folder, steps):
    """Return the rates of a training, and its trainer."""

    class Stop:
        def __init__(self, timed):
            self.timed = timed

        def is_set(self):
            return len(self.timed.times) > steps + 1

    examples = open_examples(recipe)
    task = task_of(examples, recipe)
    state = State(task.card("bench"), recipe, CPU)
    trainer = Trainer(state, examples, task, TrainingFolder(folder), Processes())
    timed = Timed()
    trainer.run(Stop(timed), timed)
    examples.close()
    return timed.rates(trainer.batch, 1), trainer


def report_loop(given):
    """Print the rates of each loop, and their ratio, as medians of the rounds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study, classes = write_study(folder, 2, given.side)
        recipe = TrainingRecipe(
            labels=str(study),
            classes=classes,
            architecture=given.architecture,
            tile_px=given.tile_px,
            mpp=0.5,
            batch_size=given.batch,
            min_coverage=0.3,
            validation=0,
            epochs=1000,
            checkpoint_steps=1_000_000,
            precision=given.precision,
        )
        ours, bare, usual = [], [], []
        for number in range(given.rounds):
            rate, trainer = our_rate(recipe, folder / str(number), given.steps)
            ours.append(rate)
            bare.append(bare_rate(trainer, given.steps))
            usual.append(loader_rate(trainer, given.steps))
    ratios = np.divide(ours, bare)
    print(
        f"{given.architecture}, {given.tile_px} px, batch {trainer.batch},"
        f" {trainer.precision}, medians of {given.rounds} rounds"
    )
    for kind, column in (("wall", 0), ("processor", 1)):
        one, two = (np.median(np.array(each)[:, column]) for each in (ours, bare))
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios[:, column])
        print(
            f"  samples per s of {kind}: ours {one:.1f}, bare {two:.1f},"
            f" ratio {np.median(ratios[:, column]):.2f} ({each})"
        )
    times = np.array(ours)[:, 0] / usual
    each = ", ".join(f"{ratio:.2f}" for ratio in times)
    print(
        f"  of wall with a DataLoader: {np.median(usual):.1f},"
        f" ours / it {np.median(times):.2f} ({each})"
    )


def child(options, out):
    """Train, and print the figures of this process as JSON."""
    timed = Timed()
    training = wb.train(out=out, report=timed, **json.loads(options))
    if os.environ.get("RANK", "0") != "0":
        return
    metrics = training.metrics
    judged = metrics["judged_s"].dropna()
    steps = len(metrics) - 2
    spent = timed.times[-1][0] - timed.times[2][0] - judged.sum()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    batch = json.loads(options)["batch_size"]
    held = metrics["dice"].max()
    facts = {"rate": batch * steps / spent, "mb": peak, "held_out": held}
    print(json.dumps(facts))


def report_strategies(given):
    """Print the table of strategies."""
    columns = ("samples/s, CPU", "memory, MB", "held-out Dice")
    print("| strategy |", " | ".join((*columns, "samples/s, GPU", "memory, GPU")), "|")
    print("|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study, classes = write_study(folder, 5, given.side)
        shared = {
            "labels": str(study),
            "classes": classes,
            "task": "segmentation",
            "tile_px": 128,
            "mpp": 1.0,
            "epochs": given.epochs,
            "batch_size": given.batch,
            "average": 0.9,
        }
        for strategy, options in STRATEGIES.items():
            launcher = [sys.executable]
            if strategy.endswith("processes"):
                launcher += ["-m", "torch.distributed.run", "--standalone"]
                launcher += ["--nproc-per-node=2"]
            out = folder / strategy.replace(" ", "-")
            command = [*launcher, __file__, "child", json.dumps({**shared, **options})]
            said = subprocess.run(
                [*command, str(out)], check=True, capture_output=True, text=True
            ).stdout
            found = json.loads(said.splitlines()[-1])
            print(
                f"| {strategy} | {found['rate']:.0f} | {found['mb']:.0f} |"
                f" {found['held_out']:.3f} | not measured | not measured |",
                flush=True,
            )


def main():
    """Print the figures of one part."""
    if sys.argv[1:2] == ["child"]:
        child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["loop", "strategies"])
    parser.add_argument("--architecture", default="torchvision:resnet18")
    parser.add_argument("--tile-px", type=int, default=224)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    given = parser.parse_args()
    (report_loop if given.part == "loop" else report_strategies)(given)


if __name__ == "__main__":
    main()
