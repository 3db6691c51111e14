"""Devices that are not CUDA: no call of CUDA reaches them (Apple's MPS, the CPU)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import workbench
from fake_mps import mps_on_host
from fakes import FakeSlide, MeanColour, fake_card
from workbench.inference import engine
from workbench.models.tile_model import TileModel
from workbench.recipe import Recipe

PACKAGE = Path(workbench.__file__).parent
NVIDIA = {"tensorrt.py", "kept_engines.py", "device_graphs.py"}
"""Modules that are reached on NVIDIA's GPUs only."""

GUARD = re.compile(r"""[!=]= "cuda"|_cuda\b|is_available\(\)|_stream is None""")
RECIPE = Recipe(
    tissue_only=False, batch_size=16, device="mps", precision="float32", normalize=None
)


def cuda_calls(path):
    """Yield the functions that call `torch.cuda`, with their source."""
    source = path.read_text()
    if "torch.cuda." not in source:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            bodies = [ast.get_source_segment(source, part) or "" for part in node.body]
            text = "\n".join(bodies)
            if "torch.cuda." in text:
                yield node.name, ast.get_source_segment(source, node)


@pytest.mark.slow
def test_calls_of_cuda_are_guarded_by_the_kind_of_device():
    found = 0
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name in NVIDIA:
            continue
        for name, text in cuda_calls(path):
            found += 1
            assert GUARD.search(text), f"{path.name}: {name} calls CUDA on any device"
    assert found > 5


class Network(nn.Module):
    """The mean colour, after a convolution."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.conv.weight.data = torch.eye(3)[..., None, None]

    def forward(self, rgb):
        return MeanColour()(self.conv(rgb))


@pytest.fixture
def use(monkeypatch):
    def use(network):
        model = TileModel(fake_card(), network)
        monkeypatch.setattr(
            "workbench.inference.plan.find_model", lambda *_, **__: model
        )

    return use


def test_a_run_on_another_device_calls_no_cuda(use, tmp_path):
    slide = FakeSlide((500, 400))
    use(Network())
    plain = engine.run(slide, RECIPE.replace(device="cpu"), out=tmp_path / "cpu")
    use(Network())
    with mps_on_host() as device:
        done = engine.run(slide, RECIPE, out=tmp_path / "mps")
    assert device.moved > done.tiles_total // 16
    assert done.record["sessions"][0]["device"] == "mps"
    np.testing.assert_array_equal(done.heatmap.values, plain.heatmap.values)


def test_memory_that_is_exhausted_is_halved_there_too(use, tmp_path, monkeypatch):
    def full(_, rgb):
        if len(rgb) > 4:
            message = "MPS backend out of memory (MPS allocated: 9 GB)."
            raise RuntimeError(message)
        return rgb[:, :2].mean((2, 3))

    monkeypatch.setattr(MeanColour, "forward", full)
    use(MeanColour())
    freed = []
    with mps_on_host():
        monkeypatch.setattr(torch.mps, "empty_cache", lambda: freed.append(1))
        done = engine.run(FakeSlide((200, 100)), RECIPE, out=tmp_path / "run")
    assert (done.status, done.tiles_failed) == ("finished", 0)
    assert freed
