"""A run that is killed at any moment goes on to the same scores, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from workbench.errors import RunError
from workbench.store import open_run

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")

KILLS = 50
KILLED_AGAIN = 10
"""Of those runs, so many are killed up to three times."""

CHUNKS = 16
BATCH = 16
PAUSE_S = 0.015


class Killable:
    """Starts runs in processes of their own, and kills them."""

    def __init__(self, process, slide, folder):
        self._process, self._slide, self._folder = process, slide, folder

    def run(self, name, *, kill_after_s=None, fatal=0, pause_s=0.0, finds=False):
        order = {
            "slide": str(self._slide),
            "out": str(self.path(name)),
            "log": str(self._folder / f"{name}.log"),
            "kill_after_s": kill_after_s,
            "fatal": fatal,
            "pause_s": pause_s,
            "finds": finds,
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def path(self, name):
        return self._folder / name

    def chunks_begun(self, name):
        log = self._folder / f"{name}.log"
        return log.stat().st_size if log.exists() else 0

    def operations(self, name):
        return int((self._folder / f"{name}.log.operations").read_text())


@pytest.fixture(scope="module")
def killable(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    pixels = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    tifffile.imwrite(
        folder / "slide.tiff",
        pixels,
        tile=(256, 256),
        photometric="rgb",
        resolution=(10000, 10000),  # 1 µm per pixel
        resolutionunit="CENTIMETER",
    )
    script = Path(__file__).with_name("killable.py")
    with subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        yield Killable(process, folder / "slide.tiff", folder)
        process.stdin.close()


@pytest.fixture(scope="module")
def whole(killable):
    """Return the scores of a run that nobody disturbed, and how long it took."""
    ended = killable.run("whole", pause_s=PAUSE_S)
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


def kill_at_random(killable, name, seconds, random):
    """Kill a new run at a random moment; return the name it went by."""
    for attempt in range(10):
        moment = random.uniform(0, seconds) / (1 + attempt)
        tried = f"{name}-{attempt}"
        ended = killable.run(tried, kill_after_s=moment, pause_s=PAUSE_S)
        if ended["code"] == -signal.SIGKILL:
            return tried
        assert ended["code"] == 0, "it was done before the moment came"
    return pytest.fail("no run lasted long enough to be killed")


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_a_random_moment(killable, whole, seed):
    scores, seconds = whole
    random = np.random.default_rng(seed)
    name = kill_at_random(killable, f"random-{seed}", seconds, random)
    kills, done = 1, check_what_is_left(killable.path(name), scores)
    while True:
        again = seed < KILLED_AGAIN and kills < random.integers(1, 4)
        moment = random.uniform(0, seconds) if again else None
        ended = killable.run(name, kill_after_s=moment, pause_s=PAUSE_S)
        if ended["code"] == 0:
            break
        assert ended["code"] == -signal.SIGKILL
        kills += 1
        before, done = done, check_what_is_left(killable.path(name), scores)
        assert done >= before, "nothing that was done is lost"
    check_finished(killable.path(name), scores)
    begun = killable.chunks_begun(name)
    assert CHUNKS <= begun <= CHUNKS + kills, "a kill costs the chunk in hand alone"


def test_killed_at_every_operation_on_the_disk(killable, whole):
    scores, _ = whole
    killable.run("counted")
    operations = killable.operations("counted")
    assert operations > CHUNKS
    killed = 0
    for fatal in range(1, operations + 1):
        name = f"operation-{fatal}"
        ended = killable.run(name, fatal=fatal)
        if ended["code"] == 0:  # parts of the scores are written in any order
            continue
        assert ended["code"] == -signal.SIGKILL
        killed += 1
        done = check_what_is_left(killable.path(name), scores)
        assert killable.run(name)["code"] == 0
        check_finished(killable.path(name), scores)
        assert killable.chunks_begun(name) <= CHUNKS + 1
        assert killable.chunks_begun(name) >= CHUNKS
        assert done % BATCH == 0
    assert killed > operations * 0.9
