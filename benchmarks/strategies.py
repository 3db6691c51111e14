"""Strategies of inference beside each other: throughput, and F1 and Dice against truth.

    python benchmarks/strategies.py [--device auto] [--side 1536] [--rounds 3]

The bundled nucleus model runs over a made slide whose nuclei are known: float32, mixed
precision, compiled, exported (ONNX Runtime, OpenVINO, TensorRT), and with 8 bits. Every
round runs each strategy in turn from the slide to the file of instances; its rate is
that of the tiles, as a multiple of float32's of the same round. A strategy that cannot
run here is "not measured", with the reason. Figures of a CPU: benchmarks/gpu.md.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
from torch import nn

import workbench as wb
from workbench.errors import WorkbenchError
from workbench.instances.metrics import agreement
from workbench.models.devices import resolve_device
from workbench.models.export import INPUT, export_model
from workbench.models.fixed_batch import FixedBatch
from workbench.models.kept_engines import kept_engine
from workbench.models.quantization import calibration_tiles, quantize_model
from workbench.models.registry import find_model
from workbench.models.tile_model import TileModel, resolve_precision
from workbench.synthetic import load_truth, write_slide

MODEL, MPP, SEED, CALIBRATION = "nuclei", 0.25, 30, 31


class UnavailableError(Exception):
    """Why a strategy cannot run here."""


@dataclass
class Strategy:
    """Options of a run, and how its model is made."""

    options: dict = field(default_factory=dict)
    make: object = None
    """From a folder to the path of a model, or to a `TileModel`."""


class OpenVinoNetwork(nn.Module):
    """An ONNX file that OpenVINO runs on the CPU."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        openvino = importlib.import_module("openvino")
        self.compiled = openvino.Core().compile_model(str(path), "CPU")

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.compiled({INPUT: inputs.numpy()})[0].copy())


def onnx(folder: Path) -> Path:
    """Return the model as an ONNX file, exported once."""
    path = folder / "model.onnx"
    return path if path.exists() else export_model(MODEL, path)


def openvino(folder: Path) -> TileModel:
    """Return the model as OpenVINO runs it."""
    try:
        network = OpenVinoNetwork(onnx(folder))
    except ImportError as error:
        message = "openvino is not installed"
        raise UnavailableError(message) from error
    whole = FixedBatch(network, None, has_threads=True)  # one call at a time
    return TileModel(find_model(onnx(folder)).card, whole)


def eight_bits(folder: Path) -> Path:
    """Return the model with 8 bits, calibrated on another made slide."""
    slide = folder / "calibration.tif"
    write_slide(slide, size=(1536, 1536), seed=CALIBRATION, mpp=MPP)
    with wb.open_slide(slide) as opened:
        tiles = calibration_tiles(opened, find_model(MODEL).card)
    return quantize_model(MODEL, folder / "eight.onnx", tiles)


def engine(folder: Path) -> Path:
    """Return the TensorRT engine of the model."""
    del folder
    try:
        return kept_engine(MODEL)
    except WorkbenchError as error:
        raise UnavailableError(str(error).partition(".")[0]) from error


def strategies(device: torch.device) -> dict[str, Strategy]:
    """Return the strategies for a device, the first one the measure of the others."""
    reduced = resolve_precision("auto", device)
    reduced = "bfloat16" if reduced == "float32" else reduced
    found = {
        "float32": Strategy({"precision": "float32"}),
        f"mixed precision ({reduced})": Strategy({"precision": reduced}),
        "compiled": Strategy({"precision": "float32", "compile": True}),
        f"compiled, {reduced}": Strategy({"precision": reduced, "compile": True}),
        "ONNX Runtime": Strategy({"precision": "float32"}, onnx),
        "ONNX Runtime, 8 bits": Strategy({"precision": "float32"}, eight_bits),
    }
    if device.type == "cpu":
        found["OpenVINO"] = Strategy({"precision": "float32"}, openvino)
    found["TensorRT"] = Strategy({"precision": "float32"}, engine)
    return found


def labels_of(outlines, side: int) -> np.ndarray:
    """Return a label image of outlines, each (points, 2) in level-0 pixels."""
    labels = np.zeros((side, side), np.int32)
    for number, points in enumerate(outlines, 1):
        corners = np.rint(np.reshape(points, (1, -1, 2)) * 16 - 8).astype(np.int32)
        cv2.fillPoly(labels, list(corners), number, shift=4)
    return labels


def scores(path: Path, run, side: int):
    """Return the agreement of a run with the truth of its slide."""
    drawn = labels_of(load_truth(path).nuclei["outline"], side)
    found = run.final_instances.take(range(len(run.final_instances)))
    outlines = np.split(found.points, found.ends[:-1])
    return agreement(drawn, labels_of(outlines, side))


def one_run(path: Path, folder: Path, strategy: Strategy, model, device: str):
    """Run a strategy over a slide; return the run."""
    options = {**strategy.options, "device": device, "tissue_only": False}
    out = Path(tempfile.mkdtemp(dir=folder))
    with wb.open_slide(path) as slide:
        if not isinstance(model, TileModel):
            return wb.run(slide, model=str(model), trust=True, out=out, **options)
        with mock.patch("workbench.inference.plan.find_model", return_value=model):
            return wb.run(slide, model=MODEL, out=out, **options)


def measure(path: Path, folder: Path, device: str, rounds: int) -> dict[str, dict]:
    """Return rate, multiple of float32's, F1 and Dice of each strategy."""
    side = load_truth(path).class_map.shape[0] * load_truth(path).downsample
    plans = strategies(resolve_device(device))
    models, found = {}, {}
    for name, strategy in plans.items():
        try:
            models[name] = strategy.make(folder) if strategy.make else MODEL
        except UnavailableError as reason:
            found[name] = {"reason": str(reason)}
            continue
        first = one_run(path, folder, strategy, models[name], device)  # warms up
        agreed = scores(path, first, side)
        found[name] = {"f1": agreed.f1, "dice": agreed.dice, "rates": []}
    for _ in range(rounds):
        for name, model in models.items():
            run = one_run(path, folder, plans[name], model, device)
            rate = run.tiles_total / run.record["timings"]["tiles"]
            found[name]["rates"].append(rate)
    return {name: found[name] for name in plans}


def table(found: dict[str, dict]) -> list[str]:
    """Return the strategies as Markdown."""
    lines = ["| strategy | tiles/s | of float32 | F1 | Dice | cost in Dice |"]
    lines += ["|---|--:|--:|--:|--:|--:|"]
    plain = found["float32"]
    for name, each in found.items():
        if "reason" in each:
            lines.append(f"| {name} | not measured: {each['reason']} | | | | |")
            continue
        times = np.median(np.divide(each["rates"], plain["rates"]))
        lines.append(
            f"| {name} | {statistics.median(each['rates']):.2f} | {times:.2f} |"
            f" {each['f1']:.3f} | {each['dice']:.3f} |"
            f" {plain['dice'] - each['dice']:+.3f} |"
        )
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--side", type=int, default=1536)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "slide.tif"
        write_slide(path, size=(given.side, given.side), seed=SEED, mpp=MPP)
        found = measure(path, folder, given.device, given.rounds)
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
