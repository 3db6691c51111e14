"""Workers are killed at random; every slide is done once, with the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from made_slides import write_flat, write_tiff
from studies import two_coloured
from workbench.recipe import Recipe
from workbench.study.analysis import analysis_of

pytestmark = pytest.mark.kill

RECIPE = Recipe(tissue_only=False, batch_size=4, device="cpu")
SCRIPT = Path(__file__).parents[1] / "support" / "killable_study.py"


@pytest.fixture(scope="module")
def harness():
    with subprocess.Popen(
        [sys.executable, SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        yield process
        process.stdin.close()


def play(harness, folder, slides, **changes):
    """Make a study and let workers finish it; return what happened and its analysis."""
    study = wb.make_study(folder, slides)
    analysis = analysis_of(study, RECIPE)
    order = {
        "study": str(folder),
        "log": str(folder) + ".log",
        "workers": 3,
        "kills": 0,
        "mean_s": 0.2,
        "pause_s": 0.0,
        "seed": 0,
        **changes,
    }
    harness.stdin.write(json.dumps(order) + "\n")
    harness.stdin.flush()
    return json.loads(harness.stdout.readline()), analysis


def batches(analysis):
    """Return how many batches were begun."""
    return Path(f"{analysis.study.path}.log").stat().st_size


@pytest.mark.parametrize(
    ("number", "kills"), [(8, 5), pytest.param(60, 20, marks=pytest.mark.slow)]
)
def test_killed_workers_lose_a_chunk_at_most(number, kills, harness, tmp_path):
    folder = tmp_path / "slides"
    folder.mkdir()
    for each in range(number):
        pixels = two_coloured(256 + 64 * (each % 3), seed=each)
        write_tiff(folder / f"{each}.tif", pixels, compression="zlib", levels=2)
    (folder / "broken.tif").write_bytes(b"II*\0 of nothing")
    (folder / "empty.tif").write_bytes(b"")
    write_flat(folder / "no-mpp.tif", two_coloured(256), compression="zlib")
    serial, alone = play(harness, tmp_path / "serial", folder, workers=1)
    assert serial == {"deaths": 0, "kills": 0, "failed": 0}
    happened, killed = play(
        harness, tmp_path / "killed", folder, kills=kills, pause_s=0.01
    )
    # A kill may come to a worker that has just ended by itself.
    assert kills / 2 < happened["deaths"] <= kills
    assert killed.counts() == {"finished": number, "refused": 3}
    states = killed.states()
    assert "is damaged" in states["broken"].reason
    assert "pixel size" in states["no-mpp"].reason
    for row, run in killed.runs():
        other = alone.open_run(row.name)
        assert np.array_equal(run.heatmap.values, other.heatmap.values)
        assert run.tiles_done == other.tiles_done
    # A kill costs the chunk in flight: no other batch was computed twice.
    assert batches(alone) <= batches(killed) <= batches(alone) + kills


def test_a_slide_that_kills_its_worker_is_blamed_alone(harness, tmp_path):
    folder = tmp_path / "slides"
    folder.mkdir()
    for each in range(4):
        pixels = two_coloured(256, seed=each)
        if each == 2:
            pixels[:] = (255, 0, 255)
        write_tiff(folder / f"{each}.tif", pixels, compression="zlib", levels=2)
    happened, analysis = play(harness, tmp_path / "study", folder, workers=2)
    assert happened["deaths"] in (3, 4)  # the first may count as progress
    states = analysis.states()
    assert [state.status for state in states.values()].count("finished") == 3
    assert states["2"].status == "refused"
    assert "ended 3 times without a result" in states["2"].reason
    assert [states[name].attempts for name in "013"] == [1, 1, 1]
