"""A run that finds objects and is killed goes on to the same file, bit for bit."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from killing import Killable, harness, write_slide
from labelled_slides import blobs, slide_of
from workbench.errors import RunError
from workbench.geometry import Box
from workbench.results.run import open_run

pytestmark = [
    pytest.mark.kill,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL"),
]

KILLS = 3
STRIDE = 5
"""One of so many operations on the disk is fatal."""

LABELS = blobs((320, 320), 120, (4, 8))
CHUNKS = 7
WHOLE = Box(0, 0, 320, 320)


@pytest.fixture(scope="module")
def killable(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    slide = write_slide(folder, slide_of(LABELS).pixels, 160)
    with harness("--finds") as process:
        yield Killable(process, slide, folder, "instances", pause_s=0.02)


@pytest.fixture(scope="module")
def whole(killable):
    """Return the file of a run that nobody disturbed, and how long it took."""
    ended = killable.run_slowly("whole")
    assert ended["code"] == 0
    assert killable.chunks_begun("whole") == CHUNKS
    path = killable.path("whole")
    assert len(open_run(path).instances) == LABELS.max()
    return (path / "instances.parquet").read_bytes(), ended["seconds"]


def check_what_is_left(path):
    """Whatever a kill left can be looked at; return how many objects there are."""
    try:
        run = open_run(path)
    except RunError:
        return 0
    found = run.instances
    assert len(found.within(WHOLE)[0]) == len(found) <= LABELS.max()
    return len(found)


def check_finished(path, content):
    run = open_run(path)
    assert run.status == "finished"
    assert (path / "instances.parquet").read_bytes() == content
    assert run.record["objects"]["count"] == LABELS.max()
    left = {p.name for p in path.iterdir()} - {".lock"}
    assert left == {"run.json", "tiles.npy", "scores.zarr", "instances.parquet"}


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_a_random_moment(killable, whole, seed):
    content, seconds = whole
    random = np.random.default_rng(seed)
    name = killable.kill_at_random(f"random-{seed}", seconds, random)
    before = check_what_is_left(killable.path(name))
    ended = killable.run_slowly(name, kill_after_s=seconds / 2)
    assert check_what_is_left(killable.path(name)) >= before
    if ended["code"]:
        assert killable.run(name)["code"] == 0
    check_finished(killable.path(name), content)
    # The network is up to three chunks ahead of what is written.
    assert CHUNKS <= killable.chunks_begun(name) <= CHUNKS + 2 * 4


def test_killed_at_operations_on_the_disk(killable, whole):
    content, _ = whole
    for name in killable.killed_at_operations(CHUNKS, stride=STRIDE, share=0.8):
        check_what_is_left(killable.path(name))
        assert killable.run(name)["code"] == 0
        check_finished(killable.path(name), content)
