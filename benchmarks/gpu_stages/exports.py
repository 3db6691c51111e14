"""Exported models on the device, and networks recorded as graphs."""

from __future__ import annotations

import importlib.util
import os
from functools import partial

import torch

from gpu_stages.bench import NotMeasuredError, relative
from gpu_stages.models import tiles_of
from workbench.models.device_graphs import DeviceGraphs
from workbench.models.export import export_model
from workbench.models.kept_engines import kept_engine
from workbench.models.quantization import quantize_model
from workbench.models.registry import find_model

MODEL = "tissue-classes"
NEEDS = {".ts": (), ".onnx": ("onnxscript", "onnxruntime"), "8-bit": ("onnxruntime",)}
NEEDS |= {".engine": ("onnxscript", "tensorrt")}
ALLOWED = {".ts": 3e-3, ".onnx": 3e-3, "8-bit": 0.2, ".engine": 3e-2}
"""Largest relative error of the answers."""


def exported(bench, kind: str, tiles):
    """Return the exported model; raise where its package is not there."""
    for package in NEEDS[kind]:
        if importlib.util.find_spec(package) is None:
            message = f"{package} is not installed"
            raise NotMeasuredError(message)
    os.environ.setdefault("WORKBENCH_ENGINES", str(bench.folder / "engines"))
    if kind == ".engine":
        if not bench.cuda:
            message = "there is no NVIDIA GPU"
            raise NotMeasuredError(message)
        path = kept_engine(MODEL)
    elif kind == "8-bit":
        pixels = tiles.permute(0, 2, 3, 1).numpy()
        path = quantize_model(MODEL, bench.folder / "eight.onnx", pixels)
    else:
        path = export_model(MODEL, bench.folder / f"model{kind}")
    return find_model(path, trust=True).to(bench.device)


def graphs(bench, tiles) -> str:
    """Compare a recorded network with the network; on a CPU nothing is recorded."""
    model = find_model(MODEL).to(bench.device)
    inputs = model.channels(tiles.to(bench.device))
    recorded = DeviceGraphs(model.network)
    with torch.inference_mode():
        plain = model.network(inputs)
        for _ in range(3):
            said = relative(recorded(inputs), plain, 1e-6)
    if recorded.problem:
        raise AssertionError(recorded.problem)
    return said


def graph_rates(bench, tiles) -> None:
    """Measure a small network in small batches, as it is and recorded."""
    model = find_model(MODEL).to(bench.device)
    inputs = model.channels(tiles.to(bench.device))
    with torch.inference_mode():
        works = {"as it is": model.network, "recorded": DeviceGraphs(model.network)}
        for name, work in works.items():
            work(inputs)
            seconds = partial(bench.seconds, partial(work, inputs), 50)
            bench.figure(
                f"{MODEL}, {len(inputs)} tiles, {name}",
                lambda seconds=seconds: len(inputs) / seconds(),
                "tiles/s",
            )


def measure(bench) -> None:
    """Check the exports and the recorded network."""
    side = find_model(MODEL).card.tile_px
    tiles = tiles_of(bench, side, 8)
    wanted = find_model(MODEL)(tiles)
    made = {}

    def answers(kind: str) -> str:
        made[kind] = exported(bench, kind, tiles)
        found = made[kind](tiles.to(bench.device))
        return relative(found, wanted, ALLOWED[kind])

    kinds = [kind for kind in NEEDS if not (bench.toy and kind == ".onnx")]
    for kind in kinds:  # that of 8 bits is made from an ONNX file too
        bench.check(f"{kind} answers as the model does", partial(answers, kind))
    bench.check("recorded network", lambda: graphs(bench, tiles))
    graph_rates(bench, tiles)
    batch = tiles.to(bench.device)

    def rate(model) -> float:
        return len(batch) / bench.seconds(lambda: model(batch), 20)

    for kind, model in made.items():
        bench.figure(f"{MODEL}, {kind}", partial(rate, model), "tiles/s")
