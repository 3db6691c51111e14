"""Stain normalization: correctness over all colours, bandwidth, Vahadane's fits."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import torch

import stain_gpu
from gpu_stages.bench import near
from stain_peers import planes
from workbench.stain.kernels.lookup_table import to_grey_levels
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.optical_density import colours_of
from workbench.synthetic.fields_of_view import draw_field

METHODS = ("macenko", "vahadane", "reinhard")
SHARE = 1e-4
"""Largest share of values that may be another grey level than in float64."""

STEP, CHUNK = 4099, 1 << 22
ARTICLE = {256: 1.4, 512: 2.4, 1024: 3.1}
"""How many times as fast a GPU did Vahadane's method, by side (article 2)."""


def pictures():
    """Return two made pictures of other stains, uint8 (512, 512, 3)."""
    rng = np.random.default_rng(5)
    hematoxylin, eosin = [0.65, 0.70, 0.29], [0.07, 0.99, 0.11]
    one = np.array([hematoxylin, eosin, hematoxylin, eosin])
    other = one + [[-0.1, 0.06, 0.06], [0.08, -0.04, 0.14]] * 2
    drawn = draw_field(rng, side=512, mpp=0.5)
    white = np.full(3, 242.0)
    return drawn.seen(one, white), drawn.seen(other, white)


def all_colours(normalizer, device, step: int) -> str:
    """Compare the device with float64 over every `step`-th of all 2^24 colours."""
    moved = normalizer.to(device)
    differing = values = largest = 0
    for start in range(0, 1 << 24, CHUNK):
        codes = np.arange(start, start + CHUNK, step, dtype=np.uint32)
        colours = colours_of(codes)
        tile = torch.from_numpy(colours.T.copy())[None, :, None].to(device)
        found = moved(tile)[0, :, 0].T.cpu().numpy().astype(int)
        exact = to_grey_levels(normalizer.colour_map(colours, kind=np.float64))
        apart = np.abs(found - exact)
        largest = max(largest, int(apart.max()))
        differing, values = differing + int((apart > 0).sum()), values + apart.size
    said = f"largest {largest}, differing {differing / values:.1e} of {values:,}"
    if largest > 1 or differing / values > SHARE:
        raise AssertionError(said)
    return said


def shapes(normalizer, device, *, toy: bool) -> str:
    """Compare batches with single tiles, and the device with the CPU."""
    rng = np.random.default_rng(0)
    sides, batches = ((1, 33), (1, 3)) if toy else ((1, 17, 224, 512, 1024), (1, 3, 16))
    for side in sides:
        for batch in batches:
            pixels = rng.integers(0, 256, (batch, 3, side, side), np.uint8)
            tiles = torch.from_numpy(pixels)
            whole = normalizer.to(device)(tiles.to(device))
            each = torch.cat([normalizer(tile[None].to(device)) for tile in tiles])
            near(each, whole, 0)
            near(whole, normalizer.to("cpu")(tiles), 1, 1e-3)
    return f"sides {sides}, batches {batches}: the same bits, within 1 of the CPU"


def degenerate(normalizer, device) -> str:
    """Compare tiles of one colour, and no tiles, with the CPU."""
    for level in (0, 1, 128, 254, 255):
        tile = torch.full((2, 3, 16, 16), level, dtype=torch.uint8)
        found = normalizer.to(device)(tile.to(device))
        near(found, normalizer.to("cpu")(tile), 1)
    empty = torch.empty((0, 3, 16, 16), dtype=torch.uint8, device=device)
    if normalizer.to(device)(empty).shape != empty.shape:
        message = "no tiles give tiles"
        raise AssertionError(message)
    return "black, grey, white, none"


def bandwidth(bench, source, target) -> None:
    """Measure the fused transform beside a copy and the peers."""
    size = (32, 2) if bench.toy else (stain_gpu.TILE, stain_gpu.BATCH)
    speed = stain_gpu.rates(source, target, bench.device, size, toy=bench.toy)
    for name, rate in speed.items():
        kind = "float32" if name.endswith("float32") else "uint8"
        ours = name.startswith("ours")
        bench.figure(
            name,
            lambda rate=rate: rate,
            "GB/s",
            limit=None if name.startswith("copy") else speed[f"copy {kind}"],
            goal=stain_gpu.GOALS[kind] if ours else None,
        )


def vahadane(bench, source, target) -> None:
    """Measure fits and transforms of Vahadane's method, host against device."""
    sides = (64,) if bench.toy else (256, 512, 1024)

    def seconds(device, side):
        tile = np.resize(source, (side, side, 3))
        began = time.perf_counter()
        normalizer = fit_normalizer(tile, target, method="vahadane").to(device)
        normalizer(planes(tile[None]).to(device)).cpu()
        return time.perf_counter() - began

    for side in sides:
        for device in (torch.device("cpu"), bench.device):  # the second one warms up
            seconds(device, side)
        host = min(seconds(torch.device("cpu"), side) for _ in range(3))
        bench.figure(
            f"Vahadane, {side} px: CPU by device (article: {ARTICLE.get(side, '')})",
            lambda side=side, host=host: (
                host / min(seconds(bench.device, side) for _ in range(3))
            ),
            "times as fast",
        )
    side, number = (64, 2) if bench.toy else (512, 16)
    tiles = [np.roll(np.resize(source, (side, side, 3)), k, 0) for k in range(number)]
    bench.figure(
        f"Vahadane, fits of {number} tiles of {side} px",
        lambda: bench.seconds(
            lambda: [fit_normalizer(t, target, method="vahadane") for t in tiles], 3
        ),
        "s",
    )


def measure(bench) -> None:
    """Check and measure the normalizers."""
    source, target = pictures()
    for method in METHODS:
        normalizer = fit_normalizer(source, target, method=method)
        step = STEP if bench.toy else 1
        for name, work in {
            "all colours, float64": partial(
                all_colours, normalizer, bench.device, step
            ),
            "batch = single, CPU": partial(
                shapes, normalizer, bench.device, toy=bench.toy
            ),
            "degenerate tiles": partial(degenerate, normalizer, bench.device),
        }.items():
            bench.check(f"{method}: {name}", work)
    bandwidth(bench, source, target)
    vahadane(bench, source, target)
