"""Scheduler, workers and client of compose.yaml, as processes that are killed."""

from __future__ import annotations

import json
import random
import time
from collections import Counter

import numpy as np
import pytest

import slow_model
import workbench as wb
from made_slides import write_flat, write_tiff
from many_machines import Machines
from patience import LONG_S
from studies import two_coloured
from workbench.recipe import Recipe
from workbench.study.study_progress import StudyWatch

pytest.importorskip("distributed", reason="extra `dask`")

BATCH = 4
CHECKED = 3
"""Tiles with which a model is checked when it is loaded: two, and one alone."""
FLAGS = ["--model", slow_model.NAME, "--batch-size", str(BATCH), "--device", "cpu"]
FLAGS += ["--no-tissue-only"]
RECIPE = Recipe(
    model=slow_model.NAME, tissue_only=False, batch_size=BATCH, device="cpu"
)


def write_slides(folder, number):
    folder.mkdir()
    for each in range(number):
        pixels = two_coloured(1024 + 256 * (each % 3), seed=each)
        path = folder / f"{each}.tif"
        write_tiff(path, pixels, mpp=1.0, levels=1, compression="zlib")
    (folder / "broken.tif").write_bytes(b"II*\0 of nothing")
    (folder / "empty.tif").write_bytes(b"")
    write_flat(folder / "no-mpp.tif", two_coloured(256), compression="zlib")


def kill_one(kind, machines, watch, chance):
    """Lose a machine of a kind while slides are in work; return whether it was."""
    if kind == "client":
        return machines.client.kill()
    if kind == "scheduler":
        return machines.scheduler.kill()
    analysis = watch.analysis
    states = analysis.states().values()
    working = [
        int(s.worker.rpartition("-")[2]) for s in states if s.status == "running"
    ]
    found = [w for w in map(machines.holder, working) if w is not None]
    return bool(found) and chance.choice(found).kill()


class Watch:
    """The state of the study while it is run."""

    def __init__(self, study):
        self.study, self.analysis, self._watch = study, None, None

    def look(self):
        """Return its progress; None: it has not begun."""
        if self._watch is None and self.study.analyses:
            self.analysis = self.study.analysis()
            self._watch = StudyWatch(self.analysis)
        return self._watch and self._watch.look()


def play(machines, study, kills, slides, seed=0):
    """Run the study while machines are lost evenly over it; return what was lost."""
    chance = random.Random(seed)
    left = [kind for kind, number in kills.items() for _ in range(number)]
    chance.shuffle(left)
    lost, number = Counter(), len(left)
    watch, end = Watch(study), time.monotonic() + LONG_S + 30 * number
    while not machines.tend():
        assert time.monotonic() < end, [m.said() for m in machines.all]
        time.sleep(0.05)
        found = watch.look()
        due = found and found.finished >= sum(lost.values()) * slides / (number + 1)
        if left and due and found.running:
            time.sleep(chance.uniform(0, 0.5))
            if kill_one(left[-1], machines, watch, chance):
                lost[left.pop()] += 1
    return lost


def computed(log):
    """Return how often each tile was computed, by the sum of its pixels."""
    return Counter(log.read_text().split())


@pytest.mark.kill
@pytest.mark.parametrize(
    ("slides", "kills"),
    [
        (6, {"worker": 1, "scheduler": 1, "client": 1}),
        pytest.param(
            60,
            {"worker": 20, "scheduler": 5, "client": 5},
            marks=[pytest.mark.thorough, pytest.mark.timeout(3600)],
        ),
    ],
    ids=["few", "many"],
)
def test_a_study_outlives_its_machines(slides, kills, tmp_path, monkeypatch):
    environment = slow_model.offer(tmp_path / "package")
    log = tmp_path / "tiles.log"
    environment |= {slow_model.PAUSE: "0.04", slow_model.LOG: str(log)}
    write_slides(tmp_path / "slides", slides)
    study = wb.make_study(tmp_path / "study", tmp_path / "slides")
    machines = Machines(tmp_path, "study", FLAGS, environment=environment)
    try:
        lost = play(machines, study, kills, slides)
    finally:
        machines.close()
    assert lost == kills
    analysis = study.analysis()
    assert analysis.counts() == {"finished": slides, "refused": 3}
    reasons = {name: state.reason for name, state in analysis.states().items()}
    assert "is damaged" in reasons["broken"]
    assert "pixel size" in reasons["no-mpp"]
    ends = [
        json.loads(line)["event"]
        for file in (analysis.path / "claims").glob("*.jsonl")
        for line in file.read_text().splitlines()
    ]
    assert ends.count("finished") == slides  # each slide once

    # The same in one process, without Dask: the same bits, and each tile once.
    alone_log = tmp_path / "alone.log"
    monkeypatch.syspath_prepend(environment["PYTHONPATH"])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(slow_model.LOG, str(alone_log))
    monkeypatch.setattr(slow_model, "PAUSE_S", 0.0)
    monkeypatch.setattr(slow_model, "CARD", tmp_path / "package" / "slow_card.json")
    serial = wb.make_study(tmp_path / "serial", tmp_path / "slides")
    alone = serial.run(RECIPE, workers=0)
    for row, run in analysis.runs():
        other = alone.open_run(row.name)
        assert np.array_equal(run.heatmap.values, other.heatmap.values, equal_nan=True)
    once, often = computed(alone_log), computed(log)
    for tile in alone_log.read_text().split()[:CHECKED]:
        once.pop(tile, None)  # each process that loads the model checks it with these
    again = sum(max(0, often[tile] - n) for tile, n in once.items())
    # Each attempt that was cut short costs the chunk in hand, and no more.
    cut_short = ends.count("began") - ends.count("finished") - ends.count("refused")
    assert cut_short >= lost["worker"] + lost["scheduler"]
    assert again <= BATCH * cut_short
