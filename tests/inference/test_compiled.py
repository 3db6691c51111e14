"""Compiled networks: the same answers within rounding, or a warning."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from fakes import FakeSlide, MeanColour, fake_card, fake_model
from workbench.cli import main
from workbench.inference import engine
from workbench.inference.predictor import DevicePredictor
from workbench.models.tile_model import TileModel
from workbench.recipe import Recipe

PLAIN = Recipe(tissue_only=False, batch_size=16, device="cpu", precision="float32")
COMPILED = PLAIN.replace(compile=True)
NO_COMPILER = "no such compiler"

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "cl"))), reason="needs a C++ compiler"
)


def network():
    seed = torch.Generator().manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 2),
    )
    for weights in made.parameters():
        weights.data = torch.randn(weights.shape, generator=seed)
    return made


@pytest.fixture
def use(monkeypatch):
    def use(network):
        model = TileModel(fake_card(), network)
        monkeypatch.setattr(
            "workbench.inference.plan.find_model", lambda *_, **__: model
        )

    return use


@pytest.mark.slow
@needs_compiler
def test_a_compiled_run_answers_the_same_within_rounding(use, tmp_path, caplog):
    slide = FakeSlide((500, 400))
    use(network())
    plain = engine.run(slide, PLAIN, out=tmp_path / "plain")
    use(network())
    run = engine.run(slide, COMPILED, out=tmp_path / "compiled")
    assert run.status == "finished"
    assert run.record["warnings"] == []
    assert "not compiled" not in caplog.text
    assert [r.record["sessions"][0]["compiled"] for r in (plain, run)] == [False, True]
    # float32: a few units in the last place, of values of about 10.
    np.testing.assert_allclose(
        run.heatmap.values, plain.heatmap.values, rtol=1e-5, atol=1e-5
    )


@pytest.mark.slow
@needs_compiler
def test_any_size_of_batch_is_answered_by_the_same_code():
    inference = DevicePredictor(TileModel(fake_card(), network()), COMPILED)
    tiles = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), np.uint8)
    with torch._dynamo.config.patch(error_on_recompile=True):
        whole = inference(tiles)
        parts = [inference(tiles[:5]), inference(tiles[5:])]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5, atol=1e-5)
    assert not inference.model.network.problem


@pytest.mark.slow
def test_a_server_compiles_any_number_of_models(monkeypatch):
    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda each: compile_(each, backend="eager"))
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        for channels in range(3, 13):  # torch gives up on one function after eight
            network = nn.Sequential(
                nn.Conv2d(3, channels, 3), nn.Conv2d(channels, 2, 1)
            )
            inference = DevicePredictor(TileModel(fake_card(), network), COMPILED)
            assert not inference.compile_problem


@pytest.fixture
def _no_compiler(monkeypatch, tmp_path):
    from torch._inductor import config  # noqa: PLC0415 - takes seconds

    monkeypatch.setattr(config.cpp, "cxx", (None, str(tmp_path / NO_COMPILER)))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.usefixtures("_no_compiler")
def test_without_a_compiler_the_network_runs_as_it_is(use, tmp_path, caplog):
    slide = FakeSlide((200, 100))
    use(network())
    plain = engine.run(slide, PLAIN, out=tmp_path / "plain")
    use(network())
    run = engine.run(slide, COMPILED, out=tmp_path / "run")
    assert run.heatmap.values.tobytes() == plain.heatmap.values.tobytes()
    (warning,) = run.record["warnings"]
    assert "not compiled" in warning
    assert NO_COMPILER in warning
    said = [r.getMessage() for r in caplog.records if r.name.startswith("workbench")]
    assert len(said) == 1
    assert NO_COMPILER in said[0]
    assert not run.record["sessions"][0]["compiled"]


def test_memory_that_is_exhausted_is_no_failure_to_compile(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda answer: answer)
    inference = DevicePredictor(fake_model(MeanColour()), COMPILED)
    compiled = inference.model.network

    def full(rgb):
        if len(rgb) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")  # noqa: EM101, TRY003
        return rgb

    compiled.network.wrong = full
    answers = inference(np.zeros((16, 32, 32, 3), np.uint8))
    assert answers.shape == (16, 2, 1, 1)
    assert not compiled.problem
    assert inference._size.most == 4


def test_it_is_a_flag_and_the_same_run_may_go_on_without_it(use, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda answer: answer)
    assert (
        "--compile / --no-compile" in CliRunner().invoke(main, ["run", "--help"]).output
    )
    use(network())
    slide = FakeSlide((200, 100))
    first = engine.run(slide, COMPILED, out=tmp_path / "run")
    again = engine.run(slide, PLAIN, out=tmp_path / "run")
    assert again.record["recipe"]["compile"] is True
    assert again.record["created"] == first.record["created"]
