"""A training that is stopped or killed ends with the same weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import workbench as wb
from studies import write_study

SUPPORT = Path(__file__).parents[2] / "support"
OPTIONS = {
    "epochs": 3,
    "batch_size": 8,
    "checkpoint_steps": 2,
    "validation": 0.3,
    "tile_px": 32,
    "mpp": 1.0,
    "precision": "float32",
}
"""Six steps an epoch; the network has dropout and batch normalization."""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), 3, size=320)


def run(script, *words, launcher=()):
    """Run a script of the support folder; return what it prints."""
    paths = [str(SUPPORT), str(SUPPORT.parents[1])]
    command = [sys.executable, *launcher, str(SUPPORT / script), *map(str, words)]
    return subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    ).stdout


def losses(path):
    lines = (path / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


@pytest.mark.kill
@pytest.mark.slow
def test_kills_change_no_bit_of_the_weights(tmp_path, study, pytestconfig):
    whole = tmp_path / "mine"
    words = (0, 0, json.dumps(OPTIONS))
    assert run("killable_training.py", study, whole, *words) == "0\n"
    expected = (whole / "weights.safetensors").read_bytes()
    kills = pytestconfig.getoption("--kills")
    for seed, number in ((1, kills // 2), (2, kills // 2)) if kills else ((1, 6),):
        path = tmp_path / str(seed) / "mine"
        path.parent.mkdir()
        words = (seed, number, json.dumps(OPTIONS))
        killed = run("killable_training.py", study, path, *words)
        assert int(killed) == number
        assert (path / "weights.safetensors").read_bytes() == expected
        assert losses(path) == losses(whole)
        card = json.loads((path / "card.json").read_text())
        assert card == json.loads((whole / "card.json").read_text())


@pytest.mark.slow
def test_a_cancelled_training_goes_on_and_is_then_finished(tmp_path, study):
    cancel, steps = threading.Event(), []

    def report(line):
        steps.append(line["step"])
        if line["step"] == 3:
            cancel.set()

    options = {**OPTIONS, "labels": str(study), "epochs": 1}
    path = tmp_path / "mine"
    training = wb.train(out=path, cancel=cancel, report=report, **options)
    assert (training.status, steps) == ("cancelled", [1, 2, 3])
    assert not (path / "card.json").exists()
    training = wb.train(out=path, report=report, **options)
    assert training.status == "finished"
    whole = wb.train(out=tmp_path / "whole" / "mine", **options)
    one, two = (load_file(t.path / "weights.safetensors") for t in (training, whole))
    assert all(np.array_equal(one[name], two[name]) for name in two)
    assert steps[3:] == [4, 5, 6]
    wb.train(out=path, report=report, **options)  # it has ended: nothing to do
    assert steps[3:] == [4, 5, 6]
    others = {**options, "learning_rate": 0.01}
    with pytest.raises(
        wb.errors.RecipeMismatchError, match=r"learning_rate was 0\.001"
    ):
        wb.train(out=path, **others)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [2, pytest.param(4, marks=pytest.mark.thorough)])
def test_parts_of_a_step_give_the_gradients_of_the_whole(tmp_path, study, parts):
    assert_same_gradients(tmp_path, study, {"accumulate": parts}, ())


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one(tmp_path, study):
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone")
    assert_same_gradients(tmp_path, study, {}, launcher)


def assert_same_gradients(folder, study, options, launcher):
    """A network without batch statistics; all else as in a training."""
    same = {
        **OPTIONS,
        "task": "segmentation",
        "batch_size": 8,
        "stain_augmentation": 0.2,
    }
    given = (json.dumps(same), json.dumps({**same, **options}))
    run("distributed_gradients.py", study, folder / "one", given[0])
    run("distributed_gradients.py", study, folder / "two", given[1], launcher=launcher)
    one, two = (load_file(folder / f"{name}.grad") for name in ("one", "two"))
    assert max(np.abs(each).max() for each in one.values()) > 1e-3
    for name, expected in one.items():
        scale = np.abs(expected).max()
        np.testing.assert_allclose(two[name], expected, atol=2e-4 * scale + 1e-7)


@pytest.mark.slow
def test_two_processes_train_to_a_model(tmp_path, study):
    options = {**OPTIONS, "labels": str(study), "epochs": 1}
    (tmp_path / "recipe.json").write_text(json.dumps(options))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--standalone", "-m", "workbench.cli", "train"]
    command += [str(tmp_path / "recipe.json"), "--out", str(tmp_path / "mine")]
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT.parents[1])}
    subprocess.run(command, env=environment, check=True, timeout=240)
    model = wb.find_model(tmp_path / "mine")
    assert model.card.classes == ("blue", "pink")
    assert len(losses(tmp_path / "mine")) == 6
