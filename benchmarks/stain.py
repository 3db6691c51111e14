"""How fast a slide is normalized, beside copying it and decoding it, in one run.

    python benchmarks/stain.py PICTURE [--rounds 15] [--torchstain]

Every round runs every contestant once, in turn, so that a busy machine is unfair to
all alike; the median is reported, as Mpx/s and as a share of the JPEG decoder's rate,
which is the rate at which tiles can come. `--torchstain` adds that package (MIT), if
it is installed, fitted once and applied to each tile, which it can only do by fitting
the tile again.
"""

from __future__ import annotations

import argparse
import io
import platform
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
import torch
from PIL import Image

from workbench.stain.lookup import ColourTable
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.optical_density import ColourHistogram

if TYPE_CHECKING:
    from collections.abc import Callable

TILE = 256
TILES = 16


def tiles_of(path: str) -> np.ndarray:
    """Return TILES tiles of the picture, uint8 (N, TILE, TILE, 3)."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    rows, columns = pixels.shape[0] // TILE, pixels.shape[1] // TILE
    cut = pixels[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE, 3)
    each = cut.swapaxes(1, 2).reshape(-1, TILE, TILE, 3)
    return np.ascontiguousarray(np.resize(each, (TILES, TILE, TILE, 3)))


def contestants(tiles: np.ndarray, *, torchstain: bool) -> dict[str, Callable]:
    """Return what is timed, by name; each handles all tiles once."""
    macenko = fit_normalizer(tiles, "he-standard")
    reinhard = fit_normalizer(tiles, "he-standard", method="reinhard")
    tensor = torch.from_numpy(tiles).permute(0, 3, 1, 2).contiguous()
    copy = np.empty_like(tiles)
    encoded = [encode(tile) for tile in tiles]
    made = {
        "memcpy": lambda: np.copyto(copy, tiles),
        "JPEG decode": lambda: [simplejpeg.decode_jpeg(data) for data in encoded],
        "Macenko, arrays": lambda: macenko(tiles),
        "Macenko, tensors": lambda: macenko(tensor),
        "Reinhard, arrays": lambda: reinhard(tiles),
        "Macenko, arithmetic": lambda: macenko.colour_map(tiles),
        "Reinhard, arithmetic": lambda: reinhard.colour_map(tiles),
    }
    if torchstain:
        made["torchstain Macenko"] = torchstain_macenko(tiles)
    return made


def encode(tile: np.ndarray) -> bytes:
    """Return the tile as a JPEG of usual quality."""
    buffer = io.BytesIO()
    Image.fromarray(tile).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def torchstain_macenko(tiles: np.ndarray) -> Callable:
    """Return torchstain's Macenko in torch, fitted to the first tile."""
    from torchstain.torch.normalizers import TorchMacenkoNormalizer  # noqa: PLC0415

    normalizer = TorchMacenkoNormalizer()
    planes = [torch.from_numpy(tile).permute(2, 0, 1).float() for tile in tiles]
    normalizer.fit(planes[0])
    return lambda: [normalizer.normalize(each, stains=False) for each in planes]


def seconds(work: Callable) -> float:
    """Return how long `work` takes once."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Time all contestants and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--torchstain", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tiles = tiles_of(options.picture)
    made = contestants(tiles, torchstain=options.torchstain)
    for work in made.values():
        work()
    rounds = [
        {name: seconds(work) for name, work in made.items()}
        for _ in range(options.rounds)
    ]
    pixels = TILES * TILE * TILE / 1e6
    rate = {n: pixels / statistics.median(r[n] for r in rounds) for n in made}
    print(f"{platform.machine()}, 1 thread, {TILES} x {TILE} px, {len(rounds)} rounds")
    print("| | Mpx/s | share of JPEG decode |\n|---|--:|--:|")
    for name, each in rate.items():
        print(f"| {name} | {each:,.0f} | {each / rate['JPEG decode']:.2f} |")
    histogram = ColourHistogram.of(tiles)
    print(
        f"\nfit: {seconds(lambda: fit_normalizer(tiles, 'he-standard')) * 1e3:.0f} ms"
    )
    print(f"for {pixels:.1f} Mpx, {len(histogram.counts):,} colours; table: ", end="")
    for method in ("macenko", "reinhard"):
        fitted = fit_normalizer(tiles, "he-standard", method=method)
        table = ColourTable(fitted.colour_map)
        print(f"{method} {seconds(table.rows) * 1e3:.0f} ms ", end="")
    print()


if __name__ == "__main__":
    main()
