"""`make gpu`: a dry run goes through all stages; what is wrong or hangs is reported."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import gpu
import strategies
from gpu_stages import decoding, models, normalizers
from gpu_stages.bench import Bench, NotMeasuredError, near, relative

SCRIPT = Path(gpu.__file__)


@pytest.fixture
def bench(tmp_path):
    return Bench("cpu", tmp_path / "rows.json", toy=True)


def test_the_wheels_are_what_a_machine_lacks(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parents[1] / "scripts"))
    gpu_wheels = importlib.import_module("gpu_wheels")
    there = gpu_wheels.installed_names("numpy==2.4\ntorch @ file:///x\nPillow")
    assert there == {"numpy", "torch", "pillow"}
    usual = gpu_wheels.installed_names(gpu_wheels.INSTALLED)
    missing = gpu_wheels.needed("slide-workbench", gpu_wheels.EXTRAS, usual)
    assert {"tiffslide", "simplejpeg", "pydantic-core"} <= set(missing)
    assert not {"torch", "numpy", "onnxruntime", "slide-workbench"} & set(missing)


def states(bench):
    return [row["state"] for row in json.loads(bench.results.read_text())]


def fail(*_):
    message = "no"
    raise ValueError(message)


def absent():
    message = "x is not installed"
    raise NotMeasuredError(message)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_dry_run_goes_through_every_stage(tmp_path):
    command = [sys.executable, str(SCRIPT), "--dry-run", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("0 checks failed; ")
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert list(found["stages"]) == list(gpu.STAGES)
    assert all(rows for rows in found["stages"].values())
    checks = [r for rows in found["stages"].values() for r in rows]
    assert sum(row["state"] == "passed" for row in checks) > 25
    table = (tmp_path / "gpu.md").read_text()
    assert "not measured" in table
    assert sum(gpu.STAGES.values()) < 8 * 60


def test_a_wrong_result_is_a_failed_check(bench):
    assert near(np.ones(3), np.ones(3), 0).startswith("largest 0")
    bench.check("apart", lambda: near(np.ones(3), np.zeros(3), 0.5))
    bench.check("too many apart", lambda: near(np.ones(3), np.zeros(3), 1, 0.5))
    bench.check("other gaps", lambda: near([np.nan, 1], [1, 1], 9))
    bench.check("nan", lambda: relative(torch.full((3,), np.nan), torch.ones(3), 1))
    bench.check("raises", fail)
    bench.check("absent", absent)
    bench.figure("figure", fail, "s")
    bench.figure("absent figure", absent, "s")
    assert states(bench) == ["failed"] * 5 + ["not measured", "failed", "not measured"]


@pytest.mark.slow
def test_each_stage_sees_what_is_wrong(bench, monkeypatch):
    source, target = normalizers.pictures()
    wrong = normalizers.fit_normalizer(source, target, method="macenko")
    monkeypatch.setattr(
        normalizers, "to_grey_levels", lambda levels: np.asarray(levels) + 2
    )
    bench.check("colours", lambda: normalizers.all_colours(wrong, "cpu", 1 << 16))
    file = decoding.files(source[:64, :64].copy())["4:2:0"]
    bright = lambda files: [torch.full((3, 64, 64), 250, dtype=torch.uint8)]  # noqa: E731, ARG005
    bench.check("decoder", lambda: decoding.compared(bright, file))
    bench.check("half a file", lambda: decoding.truncated(bright, file))
    tiles = torch.zeros((1, 3, 256, 256), dtype=torch.uint8)
    name = "stain-concentration"
    other = models.find_model(name)(tiles + 90)
    bench.check("model", lambda: models.compared(bench, name, "float32", tiles, other))
    assert states(bench) == ["failed"] * 4


@pytest.mark.slow
def test_a_stage_that_crashes_or_hangs_loses_itself_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "PRELOADED", [])
    (row,) = gpu.performed("none", "cpu", tmp_path, 60, toy=True)
    assert (row["state"], row["detail"]) == ("failed", "ended with exit code 1")
    (row,) = gpu.performed("normalizers", "cpu", tmp_path, 0.05, toy=True)
    assert (row["state"], row["detail"]) == ("failed", "stopped after 0 s")
    rows = {"a": [row], "b": []}
    text = "\n".join(gpu.table({"facts": {"device": "x"}, "stages": rows}))
    assert "| the stage ends | failed | stopped after 0 s |" in text


def test_without_a_gpu_nothing_is_measured(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "facts", lambda device: {"available": device == "cpu"})
    assert gpu.main(["--out", str(tmp_path)]) == 0
    assert "not measured" in capsys.readouterr().out


def test_strategies_are_compared_with_truth_and_float32(monkeypatch):
    square = np.array([[4, 4], [12, 4], [12, 12], [4, 12]])
    labels = strategies.labels_of([square, square + 16], 40)
    assert (labels.max(), int((labels == 1).sum())) == (2, int((labels == 2).sum()))
    found = {
        "float32": {"rates": [2.0, 4.0], "f1": 0.8, "dice": 0.9},
        "8 bits": {"rates": [4.0, 8.0], "f1": 0.7, "dice": 0.85},
        "TensorRT": {"reason": "TensorRT is not installed"},
    }
    lines = strategies.table(found)
    assert "| 8 bits | 6.00 | 2.00 | 0.700 | 0.850 | +0.050 |" in lines
    assert lines[-1].startswith("| TensorRT | not measured: TensorRT is not installed")
    assert {"OpenVINO", "TensorRT"} <= set(strategies.strategies(torch.device("cpu")))
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(strategies.UnavailableError, match="needs TensorRT"):
        strategies.engine(Path())
