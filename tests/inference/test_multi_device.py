"""Devices: their names, their memory, and several of them on one run."""

from __future__ import annotations

import mmap
import threading

import numpy as np
import pytest
import torch
from torch import nn

from fakes import FakeSlide, MeanColour, fake_model
from patience import LONG_S
from workbench.errors import RecipeError, RunError
from workbench.inference import engine
from workbench.inference.multi_device import MultiDevicePredictor
from workbench.inference.predictor import DevicePredictor
from workbench.models.devices import (
    Clock,
    is_out_of_memory,
    memory_in_use,
    resolve_devices,
)
from workbench.models.fixed_batch import FixedBatch
from workbench.models.tile_model import TileModel
from workbench.recipe import Recipe
from workbench.results.run import open_run

WHOLE = Recipe(tissue_only=False, batch_size=16, device="cpu")
TWO = WHOLE.replace(device="cpu:0,cpu:1")


class Rounding(nn.Module):
    """Sums so many products that their order would show."""

    def __init__(self):
        super().__init__()
        seed = torch.Generator().manual_seed(0)
        self.conv = nn.Conv2d(3, 16, 7, stride=2)
        self.last = nn.Linear(16, 2)
        for weights in self.parameters():
            weights.data = torch.randn(weights.shape, generator=seed)
        self.lock = threading.Lock()
        self.batches = []
        self.servers = set()

    def forward(self, rgb):
        with self.lock:
            self.batches.append(len(rgb))
            self.servers.add(threading.current_thread().name)
        return self.last(self.conv(rgb).relu().mean((2, 3)))


@pytest.fixture
def use(monkeypatch):
    def use(network, **card):
        made = TileModel(fake_model(**card).card, network)
        monkeypatch.setattr(
            "workbench.inference.plan.find_model", lambda *_, **__: made
        )
        return network

    return use


@pytest.fixture(scope="module")
def slide():
    return FakeSlide()


def scores(run):
    return run.heatmap.values


def test_devices_are_named_one_by_one():
    assert [str(d) for d in resolve_devices("cpu:0,cpu:1")] == ["cpu:0", "cpu:1"]
    assert len(resolve_devices("auto")) == 1
    for names in ("cpu,cpu", "cpu:0,cuda:77"):
        with pytest.raises(RecipeError):
            resolve_devices(names)
    for names in ("cpu,", "tpu", "auto,cpu"):
        with pytest.raises(RecipeError):
            Recipe.of(device=names)


class Together(Rounding):
    """Goes on only when two threads are in it at once."""

    def __init__(self):
        super().__init__()
        self.met = threading.Barrier(2)

    def forward(self, rgb):
        if len(self.batches) < 2:
            self.met.wait(LONG_S)
        return super().forward(rgb)


@pytest.mark.usefixtures("undivided")
def test_two_devices_share_the_tiles_and_answer_as_one_does(use, slide, tmp_path):
    one = use(Rounding())
    whole = engine.run(slide, WHOLE, out=tmp_path / "one")
    two = use(Together())
    run = engine.run(slide, TWO, out=tmp_path / "two")
    assert run.status == "finished"
    assert two.servers == {"cpu:0", "cpu:1"}
    assert sorted(two.batches) == sorted(one.batches)  # nothing is answered twice
    assert scores(run).tobytes() == scores(whole).tobytes()
    assert run.record["sessions"][0]["device"] == "cpu:0,cpu:1"
    assert not {"cpu:0", "cpu:1"} & {thread.name for thread in threading.enumerate()}


def test_a_run_may_go_on_with_other_devices(use, slide, tmp_path):
    network = use(Rounding())
    whole = engine.run(slide, WHOLE, out=tmp_path / "whole")
    network.batches.clear()
    cancel = threading.Event()

    def stop(progress):
        if progress.done >= 48:
            cancel.set()

    run = engine.run(slide, TWO, out=tmp_path / "run", cancel=cancel, progress=stop)
    assert run.status == "cancelled"
    run = engine.run(slide, WHOLE, out=tmp_path / "run")
    assert run.status == "finished"
    assert scores(run).tobytes() == scores(whole).tobytes()
    assert sum(network.batches) == run.tiles_total


def test_what_is_answered_before_one_device_fails_is_kept(use, slide, tmp_path):
    class Failing(Rounding):
        def forward(self, rgb):
            if len(self.batches) == 6:
                message = "an illegal memory access"
                raise KeyError(message)
            return super().forward(rgb)

    network = use(Failing())
    with pytest.raises(KeyError):
        engine.run(slide, TWO, out=tmp_path / "run")
    failed = open_run(tmp_path / "run")
    assert failed.status == "failed"
    kept = failed.tiles_done
    # Of each device, the batch in which it failed may have parts that were answered.
    assert sum(network.batches) - 2 * WHOLE.batch_size < kept <= sum(network.batches)
    assert kept % WHOLE.batch_size == 0
    use(network := Rounding())
    run = engine.run(slide, TWO, out=tmp_path / "run")
    assert run.status == "finished"
    assert sum(network.batches) == run.tiles_total - kept


def test_a_team_normalizes_and_calculates_in_one_precision(use, slide, tmp_path):
    use(MeanColour())
    recipe = WHOLE.replace(normalize="macenko")
    whole = engine.run(slide, recipe, out=tmp_path / "one")
    run = engine.run(slide, recipe, out=tmp_path / "two", device="cpu:0,cpu:1")
    assert scores(run).tobytes() == scores(whole).tobytes()
    members = [
        DevicePredictor(fake_model(), WHOLE.replace(precision=each))
        for each in ("bfloat16", "float32")
    ]
    team = MultiDevicePredictor(members)
    assert {member.model.precision for member in members} == {"float32"}
    assert team.precision == "float32"
    assert team.batch_size() == 16
    assert set(team.memory) == {"host"}


@pytest.mark.parametrize("batch_size", [1, 7, 64, "auto"])
@pytest.mark.parametrize("device", ["cpu", "cpu:0,cpu:1"])
def test_batch_size_order_and_devices_do_not_change_the_answers(
    use, slide, tmp_path, batch_size, device
):
    use(Rounding())
    recipe = WHOLE.replace(precision="float32")
    whole = engine.run(slide, recipe, out=tmp_path / "whole")
    focus = slide.box.around(900, 600, 200, 200)
    run = engine.run(
        slide,
        recipe.replace(batch_size=batch_size, device=device),
        out=tmp_path / "run",
        focus=lambda: focus,
    )
    # A sum in another order: a few units in the last place of float32.
    np.testing.assert_allclose(scores(run), scores(whole), rtol=2e-5, atol=2e-5)


def test_the_times_of_the_steps_are_told(use, slide, tmp_path):
    use(Rounding())
    heard = []
    for device in ("cpu", "cpu:0,cpu:1"):
        recipe = WHOLE.replace(device=device, normalize="macenko")
        engine.run(slide, recipe, out=tmp_path / device, progress=heard.append)
        spent = heard[-1].seconds
        steps = ("transfer", "normalizing", "model", "post-processing")
        assert all(spent[step] > 0 for step in steps)
        threads = torch.get_num_threads() * (1 + device.count(","))
        assert sum(spent[step] for step in steps) < 1.3 * threads * spent["answering"]


def test_an_automatic_batch_is_small_where_tiles_are_large(
    use, slide, tmp_path, monkeypatch
):
    def batches(threads):
        monkeypatch.setattr("torch.get_num_threads", lambda: threads)
        auto = WHOLE.replace(batch_size="auto")
        return [
            DevicePredictor(fake_model(tile_px=side), auto).batch_size()
            for side in (224, 256, 512, 1024, 4096)
        ]

    assert batches(1) == batches(2) == [32, 32, 8, 2, 1]
    assert batches(16) == [128, 128, 32, 8, 1]  # a part for each
    whole = fake_model(FixedBatch(MeanColour(), 4), tile_px=256)
    assert DevicePredictor(whole, WHOLE.replace(batch_size="auto")).batch_size() == 32
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    use(Rounding())
    run = engine.run(slide, WHOLE, out=tmp_path / "run", batch_size="auto")
    assert run.record["batch_size"] == 2048  # of 32 px
    assert run.status == "finished"


def test_a_batch_found_by_trial_fits_the_memory(monkeypatch):
    class Small(MeanColour):
        def forward(self, rgb):
            if len(rgb) > 50:
                message = "CUDA out of memory."
                raise torch.OutOfMemoryError(message)
            return super().forward(rgb)

    monkeypatch.setattr("torch.get_num_threads", lambda: 1)  # as a GPU: not divided
    small = DevicePredictor(fake_model(Small()), WHOLE.replace(batch_size="auto"))
    assert small._time_batch(64) > 0
    assert small._size.most == 32


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_memory_that_is_exhausted_is_known_on_every_device(use, slide, tmp_path, error):
    class Full(MeanColour):
        def forward(self, rgb):
            if len(rgb) > 4:
                raise error
            return super().forward(rgb)

    assert is_out_of_memory(error)
    full = use(Full())
    run = engine.run(slide, WHOLE, out=tmp_path / "run")
    assert run.status == "finished"
    assert set(full.batches) == {4}


def test_other_errors_are_not_taken_for_a_lack_of_memory(use, slide, tmp_path):
    assert not is_out_of_memory(RuntimeError("shape mismatch"))

    class Never(MeanColour):
        def forward(self, _):
            raise MemoryError

    use(Never())
    with pytest.raises(RunError, match="does not hold"):
        engine.run(slide, WHOLE, out=tmp_path / "run")


@pytest.mark.slow
def test_memory_and_time_are_those_of_the_process():
    devices = resolve_devices("cpu")
    before = memory_in_use(devices)["host"]
    held = mmap.mmap(-1, 1 << 28)  # an array may get pages that the process holds
    held.write(b"1" * len(held))
    assert memory_in_use(devices)["host"] - before > len(held) // 2
    clock = Clock(devices[0])
    first = clock.now()
    assert 0 <= clock.between(first, clock.now()) < LONG_S
