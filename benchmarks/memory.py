"""Peak memory of a run, from a small slide to a very large one.

    python benchmarks/memory.py [--sides 20000 80000] [--batch-size 32]

Each slide is one JPEG tile of tissue, repeated; so it is made in seconds and its whole
size is read and answered all the same, by a model that costs nothing. Each run is a
process of its own, and the peak is what the system says of that process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import simplejpeg
import tifffile

TILE = 256
MB = 1 << 20


def write_slide(path: Path, side: int) -> None:
    """Write a slide of one tile, repeated: levels 1, 4, 16 and so on."""
    rng = np.random.default_rng(0)
    noise = rng.integers(-40, 40, (TILE, TILE, 3))
    pixels = np.clip(np.array([190, 110, 170]) + noise, 0, 255).astype(np.uint8)
    encoded = simplejpeg.encode_jpeg(pixels, quality=70, colorsubsampling="420")
    about = f"Aperio Image Library v12.0\r\n{side}x{side} |AppMag = 40|MPP = 0.25"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        level = side
        while level >= TILE:
            count = (-(-level // TILE)) ** 2
            writer.write(
                iter([encoded] * count),
                shape=(level, level, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="ycbcr",
                subsampling=(2, 2),
                compression="jpeg",
                description=about,
                metadata=None,
                subfiletype=int(level < side),
            )
            level //= 4


def run(path: str, batch_size: int) -> dict[str, float]:
    """Run over a slide, in this process; return its tiles and its peak in bytes."""
    import torch  # noqa: PLC0415 - only in the process that runs
    from torch import nn  # noqa: PLC0415

    import workbench as wb  # noqa: PLC0415
    from workbench.models.card import ModelCard  # noqa: PLC0415
    from workbench.models.tile_model import TileModel  # noqa: PLC0415

    class Free(TileModel):
        def forward(self, tiles: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(tiles), len(self.card.classes))

    card = ModelCard(
        name="free", task="classification", classes=("a", "b"), mpp=0.5, tile_px=TILE
    )
    model = Free(card, nn.Identity())
    with (
        tempfile.TemporaryDirectory() as out,
        mock.patch("workbench.inference.plan.find_model", return_value=model),
        wb.open_slide(path) as slide,
    ):
        done = wb.run(slide, out=Path(out) / "run", batch_size=batch_size)
        tiles = done.tiles_total
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"tiles": tiles, "peak": peak * (1 if sys.platform == "darwin" else 1024)}


def peak(path: Path, batch_size: int) -> dict[str, float]:
    """Return what `run` says in a process of its own."""
    command = [sys.executable, __file__, "--run", str(path)]
    command += ["--batch-size", str(batch_size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", nargs="+", type=int, default=[20_000, 80_000])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run(options.run, options.batch_size)))
        return
    print("| side, px | tiles | peak, MB | of the first |\n|--:|--:|--:|--:|")
    first = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for side in options.sides:
            path = Path(folder) / f"{side}.svs"
            write_slide(path, side)
            found = peak(path, options.batch_size)
            path.unlink()
            first = first or found["peak"]
            tiles, share = int(found["tiles"]), found["peak"] / first
            print(f"| {side:,} | {tiles:,} | {found['peak'] / MB:,.0f} | {share:.2f} |")


if __name__ == "__main__":
    main()
