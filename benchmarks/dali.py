"""Tiles for training: our reader and augmentation beside NVIDIA DALI's pipeline.

    python benchmarks/dali.py [--python PYTHON_WITH_DALI] [--device cpu] [--rounds 7]

Both decode the same JPEG tiles with two threads, mirror them at random, and give
normalized float32 batches. Ours reads them from the slide and turns them too; DALI
(`dali_peer.py`) reads each from a file of its own, cut out of the slide beforehand
without another compression. Rounds take turns. DALI (`pip install nvidia-dali-cuda130`,
470 MB) may live in an environment of its own: name its interpreter. Figures:
benchmarks/gpu.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import workbench as wb
from workbench.models.preprocessing import InputChannels
from workbench.synthetic import write_slide
from workbench.training.loop.augmentation import turn

MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE, BATCH, BATCHES, THREADS = 256, 32, 32, 2
PEER = Path(__file__).with_name("dali_peer.py")


class OurTiles:
    """Batches of the training loop: read from the slide, turned, normalized."""

    def __init__(self, path: Path, device: str) -> None:
        self.slide = wb.open_slide(path)
        self.device = torch.device(device)
        width, height = (side // SIDE for side in self.slide.size)
        self.boxes = [
            wb.Box(SIDE * x, SIDE * y, SIDE * (x + 1), SIDE * (y + 1))
            for y in range(height)
            for x in range(width)
        ]
        card = wb.find_model("tissue-features").card
        card = card.model_copy(update={"mean": MEAN, "std": SD})
        self.channels = InputChannels(card).to(self.device)

    def write_files(self, folder: Path) -> None:
        """Write each stored tile as a JPEG file, as it is."""
        (folder / "all").mkdir(parents=True)
        stored = self.slide.read_encoded(self.boxes, (SIDE, SIDE))
        for number, data in enumerate(stored.files):
            (folder / "all" / f"{number}.jpg").write_bytes(data)

    def rates(self) -> tuple[float, float]:
        """Return tiles per second of wall and of processor."""
        random = np.random.default_rng(1)
        start = time.perf_counter(), time.process_time()
        for _ in range(BATCHES):
            chosen = random.integers(0, len(self.boxes), BATCH)
            boxes = [self.boxes[i] for i in chosen]
            pixels = self.slide.read_tiles(boxes, (SIDE, SIDE), threads=THREADS)
            tiles = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)
            inputs = self.channels(turn(tiles, random.integers(0, 8, BATCH)))
        inputs[-1, 0, 0, 0].item()  # waits for a device
        wall, busy = time.perf_counter() - start[0], time.process_time() - start[1]
        return BATCH * BATCHES / wall, BATCH * BATCHES / busy


def compare(given: argparse.Namespace, folder: Path) -> np.ndarray:
    """Return tiles per second, (rounds, ours and DALI, wall and processor)."""
    path = folder / "slide.tif"
    write_slide(path, size=(8192, 4096), seed=5)
    ours = OurTiles(path, given.device)
    ours.write_files(folder / "tiles")
    numbers = map(str, (BATCH, BATCHES, THREADS))
    command = [given.python, PEER, folder / "tiles", given.device, *numbers]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=os.environ | {"PYTHONPATH": ""},
    ) as child:
        if not child.stdout.readline():
            sys.exit("DALI did not start: is it in the environment of --python?")
        ours.rates()
        found = []
        for _ in range(given.rounds):
            one = ours.rates()
            child.stdin.write("\n")
            found.append((one, tuple(map(float, child.stdout.readline().split()))))
        child.stdin.close()
    return np.array(found)


def main() -> None:
    """Print the rates of both, and their ratio, as medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rates = compare(given, Path(name))
    for kind, column in (("wall", 0), ("processor", 1)):
        one, two = np.median(rates[:, :, column], axis=0)
        ratio = np.median(rates[:, 0, column] / rates[:, 1, column])
        print(f"tiles/s of {kind}: ours {one:.0f}, DALI {two:.0f}, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
