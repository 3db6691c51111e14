"""Embeddings and blended segmentations that are killed go on to the same result."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from killing import Killable, harness, write_slide
from workbench.errors import RunError
from workbench.results.run import open_run

pytestmark = [
    pytest.mark.kill,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL"),
]

KILLS = 5
"""By default, for each task; `pytest --kills 25` for 50 in all."""

STRIDE = 9
"""One of so many operations on the disk is fatal."""

CHUNKS = 16
OUTPUTS = {
    "segmentation": {"scores.zarr"},
    "embedding": {"scores.zarr", "vectors.zarr"},
}


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        kills = metafunc.config.getoption("--kills") or KILLS
        metafunc.parametrize("seed", range(kills))


@pytest.fixture(scope="module")
def process():
    with harness() as process:
        yield process


@pytest.fixture(scope="module", params=OUTPUTS)
def killable(request, process, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    pixels = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    return Killable(process, write_slide(folder, pixels, 256), folder, request.param)


@pytest.fixture(scope="module")
def whole(killable):
    """Return a run that nobody disturbed, and how long it took."""
    ended = killable.run_slowly("whole")
    assert ended["code"] == 0
    assert killable.chunks_begun("whole") == CHUNKS
    return open_run(killable.path("whole")), ended["seconds"]


def alone(values, cells):
    """Return the values to which no neighbour's answer adds anything."""
    if cells == 1:
        return values
    inner = np.arange(values.shape[1]) % cells
    inner = (inner > 0) & (inner < cells - 1)
    return values[:, inner][:, :, inner]


def check_what_is_left(path, whole):
    """Whatever a kill left can be looked at, and holds nothing wrong."""
    try:
        run = open_run(path)
    except RunError as error:
        assert "There is no run" in str(error)  # noqa: PT017 - either is right
        return 0
    values, expected = (
        alone(each.heatmap.values, whole.record["model"]["cells"])
        for each in (run, whole)
    )
    there = ~np.isnan(values)
    assert np.array_equal(values[there], expected[there])
    if whole.record["model"]["task"] == "embedding":
        found, right = run.embeddings, whole.embeddings
        assert len(found) == run.tiles_done
        rows = np.searchsorted(right.tiles, found.tiles)
        assert found.vectors.tobytes() == right.vectors[rows].tobytes()
    return run.tiles_done


def check_finished(path, whole):
    run = open_run(path)
    task = run.record["model"]["task"]
    assert run.status == "finished"
    assert run.heatmap.values.tobytes() == whole.heatmap.values.tobytes()
    if task == "embedding":
        assert run.embeddings.vectors.tobytes() == whole.embeddings.vectors.tobytes()
        assert len(run.embeddings) == run.tiles_total
    left = {p.name for p in path.iterdir()} - {".lock"}
    assert left == {"run.json", "tiles.npy"} | OUTPUTS[task]


def test_killed_at_a_random_moment(killable, whole, seed):
    run, seconds = whole
    random = np.random.default_rng(seed)
    name = killable.kill_at_random(f"random-{seed}", seconds, random)
    before = check_what_is_left(killable.path(name), run)
    ended = killable.run_slowly(name, kill_after_s=random.uniform(0, seconds))
    assert check_what_is_left(killable.path(name), run) >= before
    kills = 1 + (ended["code"] != 0)
    if ended["code"]:
        assert ended["code"] == -signal.SIGKILL
        assert killable.run(name)["code"] == 0
    check_finished(killable.path(name), run)
    begun = killable.chunks_begun(name)
    assert CHUNKS <= begun <= CHUNKS + kills, "a kill costs the chunk in hand alone"


def test_killed_at_operations_on_the_disk(killable, whole):
    run, _ = whole
    for name in killable.killed_at_operations(CHUNKS, stride=STRIDE, share=0.8):
        check_what_is_left(killable.path(name), run)
        assert killable.run(name)["code"] == 0
        check_finished(killable.path(name), run)
        assert CHUNKS <= killable.chunks_begun(name) <= CHUNKS + 1
