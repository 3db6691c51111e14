"""A run that is killed at any moment goes on to the same scores, bit for bit."""

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

KILLS = 50
KILLED_AGAIN = 10
"""Of those runs, so many are killed up to three times."""

CHUNKS = 16
BATCH = 16


@pytest.fixture(scope="module")
def killable(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    pixels = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    slide = write_slide(folder, pixels, 256)
    with harness() as process:
        yield Killable(process, slide, folder)


@pytest.fixture(scope="module")
def whole(killable):
    """Return the scores of a run that nobody disturbed, and how long it took."""
    ended = killable.run_slowly("whole")
    assert ended["code"] == 0
    assert killable.chunks_begun("whole") == CHUNKS
    return open_run(killable.path("whole")).heatmap.values, ended["seconds"]


def check_what_is_left(path, scores):
    """Whatever a kill left can be looked at, and holds nothing wrong."""
    try:
        run = open_run(path)
    except RunError as error:
        assert "There is no run" in str(error)  # noqa: PT017 - either is right
        return 0
    assert run.status in ("interrupted", "finished")
    values = run.heatmap.values
    there = ~np.isnan(values)
    assert np.array_equal(values[there], scores[there])
    assert np.count_nonzero(there[0]) == run.tiles_done
    return run.tiles_done


def check_finished(path, scores):
    run = open_run(path)
    assert run.status == "finished"
    assert run.heatmap.values.tobytes() == scores.tobytes()
    left = {p.name for p in path.iterdir()} - {".lock"}
    assert left == {"run.json", "tiles.npy", "scores.zarr"}


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_a_random_moment(killable, whole, seed):
    scores, seconds = whole
    random = np.random.default_rng(seed)
    name = killable.kill_at_random(f"random-{seed}", seconds, random)
    kills, done = 1, check_what_is_left(killable.path(name), scores)
    while True:
        again = seed < KILLED_AGAIN and kills < random.integers(1, 4)
        moment = random.uniform(0, seconds) if again else None
        ended = killable.run_slowly(name, kill_after_s=moment)
        if ended["code"] == 0:
            break
        assert ended["code"] == -signal.SIGKILL
        kills += 1
        before, done = done, check_what_is_left(killable.path(name), scores)
        assert done >= before, "nothing that was done is lost"
    check_finished(killable.path(name), scores)
    begun = killable.chunks_begun(name)
    assert CHUNKS <= begun <= CHUNKS + kills, "a kill costs the chunk in hand alone"


def test_killed_at_operations_on_the_disk(killable, whole, pytestconfig):
    scores, _ = whole
    stride = 1 if pytestconfig.getoption("--kills") else 4
    for name in killable.killed_at_operations(CHUNKS, stride=stride, share=0.9):
        done = check_what_is_left(killable.path(name), scores)
        assert killable.run(name)["code"] == 0
        check_finished(killable.path(name), scores)
        assert killable.chunks_begun(name) <= CHUNKS + 1
        assert killable.chunks_begun(name) >= CHUNKS
        assert done % BATCH == 0
