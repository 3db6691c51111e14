"""TensorRT, onnxruntime on a GPU, recorded networks: with stand-ins, on the CPU."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from onnx import TensorProto, helper
from torch import nn

import fake_tensorrt
import workbench as wb
from fakes import FakeSlide, fake_card
from workbench.cli import main
from workbench.errors import ModelError, UntrustedModelError
from workbench.models import export
from workbench.models.device_graphs import DeviceGraphs
from workbench.models.formats import onnx as onnx_format
from workbench.models.kept_engines import kept_engine
from workbench.models.registry import find_model

SIDE = 32


@pytest.fixture
def tensorrt(monkeypatch, tmp_path):
    """A stand-in, with a network in the place of the one that torch would export."""
    write_means(tmp_path / "exported.onnx", scale=1 / 255)  # of grey levels
    content = (tmp_path / "exported.onnx").read_bytes()
    monkeypatch.setattr(export, "_to_onnx", lambda *_: content)
    monkeypatch.setitem(sys.modules, "tensorrt", fake_tensorrt)
    monkeypatch.setenv("WORKBENCH_ENGINES", str(tmp_path / "engines"))
    monkeypatch.setattr(fake_tensorrt.Config, "built", [])
    fake_tensorrt.stand_in_for_cuda(monkeypatch)
    return fake_tensorrt


@pytest.fixture
def small(tmp_path):
    """Path of a model that returns the mean colour."""
    path = tmp_path / "small.onnx"
    write_means(path, scale=1.0)
    card = fake_card(classes=("r", "g", "b"), tile_px=SIDE, weights=path.name)
    path.with_name("small.onnx.json").write_text(card.model_dump_json())
    return path


def write_means(path, scale):
    """Write a network that returns the mean of each channel, times a number."""
    mean = helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0)
    scaled = helper.make_node("Mul", ["m", "s"], ["y"])
    factor = helper.make_tensor("s", TensorProto.FLOAT, [1], [scale])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph([mean, scaled], "g", [x], [y], [factor])
    save(graph, path)


def save(graph, path):
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def test_an_engine_is_built_once_for_a_gpu_and_runs_as_a_model(
    tensorrt, small, monkeypatch
):
    path = kept_engine(small)
    assert kept_engine(small) == path
    assert tensorrt.Config.built == [[tensorrt.BuilderFlag.FP16]]
    assert "Stand-in-GPU" in path.name
    assert "trt-10.99" in path.name
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Other")
    assert kept_engine(small, precision="float32") != path
    assert tensorrt.Config.built[1:] == [[]]
    model, engine = find_model(small), find_model(path, trust=True)
    rng = np.random.default_rng(0)
    shape = (7, 3, SIDE, SIDE)  # more than the engine takes at once
    batch = torch.from_numpy(rng.integers(0, 256, shape, np.uint8))
    torch.testing.assert_close(engine(batch), model(batch), rtol=1e-4, atol=1e-4)
    assert not engine.divisible
    assert engine.compile_network().problem == ""


def test_an_engine_runs_over_a_slide(tensorrt, small, tmp_path):
    del tensorrt
    slide, options = FakeSlide((600, 500)), {"device": "cpu", "tissue_only": False}
    plain = wb.run(slide, model=str(small), out=tmp_path / "plain", **options)
    path = str(kept_engine(small))
    done = wb.run(slide, model=path, trust=True, out=tmp_path / "engine", **options)
    np.testing.assert_allclose(done.heatmap.values, plain.heatmap.values, atol=1e-4)


def test_an_engine_that_cannot_run_here_says_why(tensorrt, small, monkeypatch):
    path = kept_engine(small)
    with pytest.raises(UntrustedModelError, match="machine code for a GPU"):
        find_model(path)
    with monkeypatch.context() as other:
        other.setattr(tensorrt, "MARK", b"another GPU")
        with pytest.raises(ModelError, match=r"built for another GPU or version"):
            find_model(path, trust=True)
    with monkeypatch.context() as none:
        none.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(ModelError, match="no NVIDIA GPU here"):
            find_model(path, trust=True)
        with pytest.raises(ModelError, match="here is none"):
            kept_engine(small)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(ModelError, match=r"needs TensorRT.*pip install tensorrt"):
        find_model(path, trust=True)
    told = CliRunner().invoke(main, ["models", "engine", str(small)])
    assert told.exit_code != 0


def write_onnx(path):
    """Write a network that returns the means, and a second output of any length."""
    mean = helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)
    zero = helper.make_node("NonZero", ["x"], ["z"])
    sides = ["batch", 3, 8, 8]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, sides)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])
    z = helper.make_tensor_value_info("z", TensorProto.INT64, [4, "found"])
    graph = helper.make_graph([mean, zero], "g", [x], [y, z])
    save(graph, path)


def test_outputs_are_bound_where_their_shape_is_known(tmp_path):
    write_onnx(tmp_path / "m.onnx")
    session = onnx_format.open_session(tmp_path / "m.onnx", torch.device("cpu"))
    values = torch.rand(3, 3, 8, 8)
    found = onnx_format.run_bound(session, values, torch.device("cpu"))
    torch.testing.assert_close(found["y"], values.mean((2, 3)))
    assert found["z"].shape == (4, values.numel())


def test_the_providers_are_those_of_the_device(monkeypatch, tmp_path):
    every = ["TensorrtExecutionProvider", "CUDAExecutionProvider"]
    monkeypatch.setenv("WORKBENCH_ENGINES", str(tmp_path))
    gpu = torch.device("cuda", 1)

    def names(device, **options):
        found = onnx_format._providers(device, **options)
        return [each if isinstance(each, str) else each[0] for each in found]

    assert names(gpu, tensorrt=True) == ["CPUExecutionProvider"]  # none is installed
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: every)
    assert names(gpu, tensorrt=True) == [*every, "CPUExecutionProvider"]
    assert names(gpu, tensorrt=False) == [every[1], "CPUExecutionProvider"]
    assert names(torch.device("cpu"), tensorrt=True) == ["CPUExecutionProvider"]
    kept = onnx_format._providers(gpu, tensorrt=True)[0][1]
    assert kept["device_id"] == 1
    assert kept["trt_engine_cache_path"] == str(tmp_path / "onnxruntime")


def test_compiling_an_onnx_file_asks_for_tensorrt(monkeypatch, tmp_path):
    write_onnx(tmp_path / "m.onnx")
    network = onnx_format.OnnxNetwork(tmp_path / "m.onnx")
    assert "no TensorRT provider" in network.prefer_tensorrt()
    opened = []
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["TensorrtExecutionProvider"]
    )
    session = network._session
    monkeypatch.setattr(
        onnx_format,
        "open_session",
        lambda *_, tensorrt: opened.append(tensorrt) or session,
    )
    assert network.prefer_tensorrt() == ""
    assert network(torch.rand(2, 3, 8, 8))["y"].shape == (2, 3)
    assert opened == [True]


class Recorder:
    """Records as a GPU does: memory of the recording is used again."""

    def __init__(self):
        self.recorded = []

    def __call__(self, run, inputs):
        held = inputs.clone()
        self.recorded.append(tuple(inputs.shape))

        def replay(tiles):
            held.copy_(tiles)
            return run(held).clone()

        return replay


def test_a_small_network_is_recorded_for_each_shape():
    network = nn.Conv2d(3, 2, 3).requires_grad_(requires_grad=False)
    recorder = Recorder()
    graphs = DeviceGraphs(network, recorder, kinds=("cpu",))
    for _ in range(3):
        for number in range(1, 7):
            batch = torch.rand(number, 3, 9, 9)
            torch.testing.assert_close(graphs(batch), network(batch))
    assert sorted(recorder.recorded) == [(n, 3, 9, 9) for n in range(1, 5)]
    with torch.autocast("cpu", torch.bfloat16):
        assert graphs(torch.rand(1, 3, 9, 9)).dtype == torch.bfloat16


def test_a_network_that_cannot_be_recorded_runs_as_it_is(caplog):
    def refuse(*_):
        message = "operation not permitted when stream is capturing"
        raise RuntimeError(message)

    graphs = DeviceGraphs(nn.Identity(), refuse, kinds=("cpu",))
    batch = torch.rand(1, 3, 2, 2)
    assert all(torch.equal(graphs(batch), batch) for _ in range(3))
    assert "not recorded" in caplog.text
    assert "capturing" in graphs.problem

    def full(*_):
        raise torch.OutOfMemoryError

    graphs = DeviceGraphs(nn.Identity(), full, kinds=("cpu",))
    graphs(batch)
    with pytest.raises(torch.OutOfMemoryError):
        graphs(batch)
    assert torch.equal(DeviceGraphs(nn.Identity(), full)(batch), batch)  # no CUDA


@pytest.mark.slow
def test_a_model_of_8_bits_is_calibrated_on_a_slide(tmp_path):
    slide, path = tmp_path / "slide.tif", tmp_path / "new" / "small.onnx"
    wb.synthetic.write_slide(slide, size=(1024, 1024), seed=3, mpp=0.5)
    asked = ["models", "quantize", "tissue-classes", "--to", str(path)]
    done = CliRunner().invoke(main, [*asked, "--slide", str(slide)])
    assert (done.exit_code, done.output.strip()) == (0, str(path))
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    model, small = find_model("tissue-classes"), find_model(path)
    assert (
        "8 bits"
        in json.loads((tmp_path / "new/small.onnx.json").read_text())["intended_use"]
    )
    with wb.open_slide(slide) as opened:
        side = model.card.tile_px
        pixels = opened.read_tiles(
            [wb.Box.at(x, x, side, side) for x in range(200, 700, 100)], (side, side)
        )
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    assert (small(batch) - model(batch)).abs().mean() < 0.05
    again = CliRunner().invoke(
        main, [*asked[:-1], "x.pt", "--slide", str(slide)], catch_exceptions=True
    )
    assert again.exit_code != 0
