"""Tiles for training: our reader and augmentation beside NVIDIA DALI's pipeline.

    python benchmarks/dali.py [--python PYTHON_WITH_DALI] [--device cpu] [--rounds 7]

Both decode the same JPEG tiles with two threads, mirror them at random, and give
normalized float32 batches. Ours reads them from the slide; DALI reads each from a
file of its own, cut out of the slide beforehand without another compression. Rounds
take turns. DALI (`pip install nvidia-dali-cuda130`, 470 MB) may live in an environment
of its own: name its interpreter. Figures: benchmarks/gpu.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE, BATCH, BATCHES, THREADS = 256, 64, 16, 2


def serve_dali(folder: str, device: str) -> None:
    """Time a round for each line of the input, in an interpreter that has DALI."""
    import numpy as np
    from nvidia.dali import fn, pipeline_def, types

    @pipeline_def(
        batch_size=BATCH,
        num_threads=THREADS,
        device_id=None if device == "cpu" else 0,
        seed=1,
    )
    def tiles():
        files, _ = fn.readers.file(file_root=folder, random_shuffle=True)
        decoder = "cpu" if device == "cpu" else "mixed"
        pixels = fn.decoders.image(files, device=decoder, output_type=types.RGB)
        coin = fn.random.coin_flip
        pixels = fn.flip(pixels, horizontal=coin(), vertical=coin())
        return fn.crop_mirror_normalize(
            pixels,
            dtype=types.FLOAT,
            output_layout="CHW",
            mean=[255 * each for each in MEAN],
            std=[255 * each for each in SD],
        )

    pipeline = tiles()
    pipeline.build()
    first = pipeline.run()[0]
    print(np.asarray(first.as_cpu().as_array()).shape, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter(), time.process_time()
        for _ in range(BATCHES):
            pipeline.run()
        wall, busy = time.perf_counter() - start[0], time.process_time() - start[1]
        print(BATCH * BATCHES / wall, BATCH * BATCHES / busy, flush=True)


class OurTiles:
    """Batches of the training loop: read from the slide, turned, normalized."""

    def __init__(self, path: Path, device: str) -> None:
        import torch

        import workbench as wb
        from workbench.models.preprocessing import InputChannels

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
        for number, data in enumerate(self.slide.read_encoded(self.boxes, (SIDE, SIDE)).files):
            (folder / "all" / f"{number}.jpg").write_bytes(data)

    def round(self) -> tuple[float, float]:
        """Return tiles per second of wall and of processor."""
        import numpy as np
        import torch

        from workbench.training.loop.augmentation import turn

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


def compare(given: argparse.Namespace, folder: Path) -> None:
    """Print the rates of both, and their ratio, as medians of the rounds."""
    import numpy as np

    from workbench.synthetic import write_slide

    path = folder / "slide.tif"
    write_slide(path, size=(8192, 4096), seed=5)
    ours = OurTiles(path, given.device)
    ours.write_files(folder / "tiles")
    command = [given.python, __file__, "--serve", str(folder / "tiles")]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*command, "--device", given.device],
        stdin=pipe,
        stdout=pipe,
        text=True,
        env=os.environ | {"PYTHONPATH": ""},
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        if not child.stdout.readline():
            raise SystemExit("DALI did not start: is it in the environment of --python?")
        ours.round()
        found = []
        for _ in range(given.rounds):
            one = ours.round()
            child.stdin.write("\n")
            child.stdin.flush()
            found.append((one, tuple(map(float, child.stdout.readline().split()))))
        child.stdin.close()
    rates = np.array(found)  # (rounds, ours and DALI, wall and processor)
    for kind, column in (("wall", 0), ("processor", 1)):
        one, two = np.median(rates[:, :, column], axis=0)
        ratio = np.median(rates[:, 0, column] / rates[:, 1, column])
        print(f"tiles/s of {kind}: ours {one:.0f}, DALI {two:.0f}, ratio {ratio:.2f}")


def main() -> None:
    """Compare, or serve one side of the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve_dali(given.serve, given.device)
        return
    with tempfile.TemporaryDirectory() as name:
        compare(given, Path(name))


if __name__ == "__main__":
    main()
