"""Whole slides: from the press to the finished result, and up to 100,000 px a side."""

from __future__ import annotations

import time

import torch

import workbench as wb
from gpu_stages.models import maskrcnn
from gpu_stages.runs import nuclei_of, run
from memory import write_slide

LARGE, GOAL = 100_000, 60
ARTICLE_S, ARTICLE_MS = 480, 230
"""Of the articles: seconds for such a slide; ms of Mask R-CNN for 800 x 1333 px."""

FIXED = ("preparing", "finding tissue", "fitting stains")
"""Steps whose time does not grow with the number of tiles."""


def heatmap(bench, path) -> tuple[float, dict, int]:
    """Return seconds, timings and tiles of a classification with normalization."""
    began = time.perf_counter()
    with wb.open_slide(path) as slide:
        done = wb.run(
            slide,
            model="tissue-classes",
            normalize="macenko",
            tissue_only=False,
            device=str(bench.device),
            out=bench.folder / path.stem,
        )
    return time.perf_counter() - began, done.record["timings"], done.tiles_total


def large_slide(bench) -> None:
    """Measure the largest slide that is made here, and extrapolate."""
    side = 1024 if bench.toy else 50_000
    found = {}

    def seconds() -> float:
        path = bench.folder / "large.svs"
        write_slide(path, side)
        heatmap(bench, bench.slide)  # compiles, and starts the device
        found["run"] = heatmap(bench, path)
        path.unlink()
        return found["run"][0]

    bench.figure(f"{side:,} px: press to heatmap", seconds, "s")
    if "run" not in found:
        return
    total, timings, tiles = found["run"]
    for step, spent in timings.items():
        bench.figure(f"{side:,} px: {step}", lambda s=spent: s, "s, of all threads")
    fixed = sum(timings.get(step, 0) for step in FIXED)
    whole = fixed + (total - fixed) * (LARGE / side) ** 2
    name = f"{LARGE:,} px, extrapolated (article: {ARTICLE_S} s)"
    bench.figure(name, lambda: whole, "s", goal=GOAL)
    bench.figure(f"{LARGE:,} px: slides", lambda: 3600 / whole, "1/h")
    bench.figure(f"{side:,} px: rate", lambda: tiles / timings["tiles"], "tiles/s")


def nuclei(bench) -> float:
    """Return the mm²/s of the nucleus model, the file of instances written."""
    options = {"model": nuclei_of(bench), "precision": "auto"}
    run(bench, "nuclei-warm", **options)
    began = time.perf_counter()
    done = run(bench, "nuclei-speed", **options)
    with wb.open_slide(bench.slide) as slide:
        area = slide.size[0] * slide.size[1] * slide.require_mpp() ** 2 / 1e6
    if done.status != "finished":
        raise AssertionError(done.status)
    return area / (time.perf_counter() - began)


def detection(bench) -> float:
    """Return the ms of a Mask R-CNN for one picture of 800 x 1333 px."""
    height, width = (64, 96) if bench.toy else (800, 1333)
    backbone = "resnet18" if bench.toy else "resnet50"
    model = maskrcnn(1024, backbone).to(bench.device)
    pixels = torch.rand(1, 3, height, width, device=bench.device)
    with torch.inference_mode():
        return 1000 * bench.seconds(lambda: model.network(pixels), 10)


def measure(bench) -> None:
    """Measure whole slides."""
    large_slide(bench)
    bench.figure("nuclei, press to file", lambda: nuclei(bench), "mm²/s")
    name = f"Mask R-CNN, ResNet-50, 800 x 1333 px (article: {ARTICLE_MS} ms)"
    bench.figure(name, lambda: detection(bench), "ms")
