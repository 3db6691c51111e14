"""The fused transform on a GPU, as a share of the bandwidth of copying.

Every contestant gets a batch that is on the device already, and is timed by events
of the device around many calls, after calls that warm it up.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from stain_peers import importable, planes
from workbench.stain.normalizer import fit_normalizer

if TYPE_CHECKING:
    from collections.abc import Callable

TILE, BATCH, ROUNDS, CALLS = 512, 256, 9, 20
GOALS = {"uint8": 0.40, "float32": 0.80}


def milliseconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the device's time for one call; on a CPU that of the clock."""
    if device.type != "cuda":
        began = time.perf_counter()
        work()
        return 1000 * (time.perf_counter() - began)
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(CALLS):
        work()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / CALLS


def contestants(
    tiles: torch.Tensor, source: np.ndarray, target: np.ndarray
) -> dict[str, tuple[Callable[[], object], int]]:
    """Return works, and the bytes that each must move, read and written."""
    pixels = tiles.numel()
    floats, copies = tiles.float(), {}
    for name, each in (("uint8", tiles), ("float32", floats)):
        out = torch.empty_like(each)
        copies[f"copy {name}"] = (
            lambda out=out, each=each: out.copy_(each),
            2 * each.nbytes,
        )
    made = dict(copies)
    for method in ("macenko", "vahadane", "reinhard"):
        normalizer = fit_normalizer(source, target, method=method).to(tiles.device)
        name = f"ours {method.capitalize()}"
        made[f"{name} uint8"] = (lambda n=normalizer: n(tiles), 2 * pixels)
        made[f"{name} float32"] = (
            lambda n=normalizer: n(tiles, torch.float32),
            5 * pixels,
        )
    on_gpu = tiles.device.type == "cuda"
    there = importable({"stainx", "torch_staintools", "cucim"}) if on_gpu else set()
    unit, aim = floats / 255, planes(target[None]).to(tiles.device)
    if "stainx" in there:
        import stainx  # noqa: PLC0415

        theirs = stainx.Macenko(device="cuda").fit(aim)
        made["stainx Macenko"] = (lambda: theirs.transform(tiles), 2 * pixels)
    if "torch_staintools" in there:
        from torch_staintools.normalizer import NormalizerBuilder  # noqa: PLC0415

        cached = NormalizerBuilder.build("vahadane", use_cache=True, device="cuda")
        cached.fit(aim.float() / 255, cache_keys=["target"])
        keys = ["slide"] * len(tiles)
        made["torch-staintools Vahadane, cached matrix"] = (
            lambda: cached.transform(unit, cache_keys=keys),
            8 * pixels,
        )
    if "cucim" in there:
        import cupy  # noqa: PLC0415
        from cucim.core.operations.color import normalize_colors_pca  # noqa: PLC0415

        one = cupy.asarray(tiles[0])
        made["cuCIM Macenko (one tile at a time)"] = (
            lambda: [normalize_colors_pca(one, channel_axis=0) for _ in range(BATCH)],
            2 * pixels,
        )
    return made


def rates(
    source: np.ndarray,
    target: np.ndarray,
    device: torch.device,
    size: tuple[int, int] = (TILE, BATCH),
    *,
    toy: bool = False,
) -> dict[str, float]:
    """Return the GB/s of each contestant, for tiles of a side and their number."""
    side, batch = size
    rows = np.resize(source[:side, :side], (batch, side, side, 3))
    works = contestants(planes(rows).to(device), source, target)
    for work, _ in works.values():
        work()
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(1 if toy else ROUNDS):
        for name, (work, _) in works.items():
            took[name].append(milliseconds(work, device))
    return {
        name: moved / statistics.median(took[name]) / 1e6
        for name, (_, moved) in works.items()
    }


def table(source: np.ndarray, target: np.ndarray) -> list[str]:
    """Return everybody's share of the copy's bandwidth, as Markdown."""
    if not torch.cuda.is_available():
        return ["There is no GPU here: not measured."]
    speed = rates(source, target, torch.device("cuda"))
    lines = ["| | GB/s | share of the copy | goal |", "|---|--:|--:|--:|"]
    for name, rate in speed.items():
        kind = "float32" if name.endswith("float32") else "uint8"
        share = rate / speed[f"copy {kind}"]
        goal = f"{GOALS[kind]:.0%}" if name.startswith("ours") else ""
        lines.append(f"| {name} | {rate:,.0f} | {share:.0%} | {goal} |")
    return lines
