"""Running studies: what is left, refusals, pauses, shares and copies."""

from __future__ import annotations

import json
import os
import socket
import threading

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import workbench as wb
from made_slides import write_flat, write_tiff
from studies import two_coloured
from workbench.cli import main
from workbench.cli.study.run import shard_of_job
from workbench.errors import RecipeError, StudyError
from workbench.inference import plan
from workbench.study import local_workers, worker
from workbench.study.analysis import analysis_of
from workbench.study.local_workers import LocalWorkers
from workbench.study.running import divided, run_analysis
from workbench.study.staging import Staging
from workbench.study.study_progress import StudyWatch
from workbench.study.worker import WorkerOptions, draw_order

RECIPE = wb.Recipe(device="cpu", batch_size=4)


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    for number, side in enumerate((256, 512, 384)):
        pixels = two_coloured(side, seed=number)
        write_tiff(folder / f"{number}.tif", pixels, compression="zlib", levels=2)
    write_flat(folder / "no-mpp.tif", two_coloured(256, seed=9), compression="zlib")
    return folder


@pytest.fixture
def study(slides, tmp_path):
    return wb.make_study(tmp_path / "study", slides)


def statuses(analysis):
    return {name: state.status for name, state in analysis.states().items()}


def test_a_study_is_run_once_and_what_is_left_later(study, monkeypatch, slides):
    loaded = []
    load = plan.find_model
    monkeypatch.setattr(
        plan, "find_model", lambda *a, **k: loaded.append(a) or load(*a, **k)
    )
    assert [row.name for row in draw_order(analysis_of(study, RECIPE), (0, 1))] == [
        *("1", "2", "0"),
        "no-mpp",
    ]
    analysis = study.run(RECIPE, workers=0)
    assert len(loaded) == 1
    done = dict.fromkeys("012", "finished")
    assert statuses(analysis) == {**done, "no-mpp": "refused"}
    assert "pixel size" in analysis.states()["no-mpp"].reason
    with wb.open_slide(slides / "1.tif") as slide:
        alone = wb.run(slide, RECIPE, out=study.path / "reports" / "alone")
    found = analysis.open_run("1")
    assert np.array_equal(found.heatmap.values, alone.heatmap.values, equal_nan=True)
    # The user gives the pixel size: that slide alone is run.
    table = pd.DataFrame({"path": [str(slides / "no-mpp.tif")], "mpp": ["0.5"]})
    wb.make_study(study.path, table)
    again = study.run(RECIPE, workers=0)
    assert statuses(again) == {**done, "no-mpp": "finished"}
    assert [state.attempts for state in again.states().values()] == [1, 1, 1, 2]


@pytest.mark.slow
def test_processes_work_and_are_seen(study):
    seen = []
    analysis = study.run(RECIPE, workers=1, progress=seen.append)
    assert analysis.counts() == {"finished": 3, "refused": 1}
    assert (seen[0].slides, seen[0].left, seen[0].fraction) == (4, 4, 0.0)
    assert (seen[-1].left, seen[-1].fraction) == (0, 1.0)
    assert str(seen[-1]) == "3 of 4 slides, 1 refused"
    said = CliRunner().invoke(main, ["study", "status", str(study.path)])
    assert "tissue-classes: 3 of 4 slides, 1 refused" in said.output
    assert "no-mpp: The pixel size" in said.output


def test_a_slide_in_work_is_seen(study):
    analysis = analysis_of(study, RECIPE)
    watch = StudyWatch(analysis)
    claim = analysis.claim(study.rows[0])
    with claim.hold():
        claim.begin()
        assert watch.look().running == 1
        claim.end("cancelled")
    assert watch.look().running == 0


@pytest.mark.slow
def test_a_model_that_cannot_be_used_is_one_error(study):
    with pytest.raises(StudyError, match="There is no model 'nothing'"):
        study.run(RECIPE, model="nothing", workers=1)


def test_a_study_is_cancelled_paused_and_continued(study):
    analysis = analysis_of(study, RECIPE)
    analysis.cancel()
    cancel = threading.Event()
    cancel.set()
    assert run_analysis(analysis, 0, cancel=cancel).left == 4
    assert analysis.control == "work"
    analysis.pause()
    assert "(pause)" in invoke("status", study.path).output
    assert invoke("status", study.path, "--resume").exit_code == 0
    assert analysis.control == "work"


def test_a_recipe_has_one_name(study):
    analysis_of(study, RECIPE)
    with pytest.raises(RecipeError, match="batch_size = 4, not 8"):
        analysis_of(study, RECIPE.replace(batch_size=8))
    assert analysis_of(study, RECIPE.replace(batch_size=8), "mine").name == "mine"
    with pytest.raises(RecipeError, match="region is of one slide"):
        analysis_of(study, RECIPE.replace(region=(0, 0, 9, 9)))
    with pytest.raises(StudyError, match="has 2 analyses"):
        study.analysis()
    with pytest.raises(StudyError, match="no analysis 'other'"):
        study.analysis("other")


def test_shares_are_disjoint_and_complete(study):
    analysis = analysis_of(study, RECIPE)
    shares = [draw_order(analysis, (each, 3)) for each in range(3)]
    assert sorted(row.name for share in shares for row in share) == [
        *("0", "1", "2"),
        "no-mpp",
    ]
    array = {"ID": "7", "MIN": "3", "STEP": "2", "COUNT": "4"}
    job = {f"SLURM_ARRAY_TASK_{name}": text for name, text in array.items()}
    assert shard_of_job(job) == (2, 4)
    assert shard_of_job({}) == (0, 1)
    assert "is no share" in invoke("run", study.path, "--shard", "3/3").output


def test_a_share_is_run_from_the_command_line(study, tmp_path):
    words = ["--workers", "0", "--shard", "0/2", "--stage", tmp_path / "stage"]
    said = invoke("run", study.path, *words, "--device", "cpu", "--json")
    facts = json.loads(said.stdout)
    assert (facts["finished"], facts["left"]) == (2, 0)
    assert list((tmp_path / "stage").iterdir()) == []
    record = study.analysis().open_run("1").record
    assert record["slide"]["path"] == study.row("1").path
    said = invoke("run", study.path, "--workers", "0", "--no-progress")
    assert "no-mpp: The pixel size" in said.output
    assert study.analysis().counts() == {"finished": 3, "refused": 1}
    assert study.analysis().retry() == 1
    assert statuses(study.analysis())["no-mpp"] == "open"


def test_copies_are_bounded_and_removed(study, tmp_path):
    first, ahead = study.rows[0], study.rows[1]
    size = os.path.getsize(first.path)  # noqa: PTH202
    stage = Staging(tmp_path / "stage", size)
    with stage.local(first, ahead) as path:
        assert path.startswith(str(tmp_path / "stage"))
        with wb.open_slide(path) as copy:
            assert copy.id == first.id
    with stage.local(ahead, None) as path:
        assert path == ahead.path  # it would not fit
    stage.close()
    assert list((tmp_path / "stage").iterdir()) == []


def test_devices_and_cores_are_divided(study):
    analysis = analysis_of(study, RECIPE.replace(device="cuda:0,cuda:1"))
    options = divided(analysis, 3, WorkerOptions())
    assert [each.device for each in options] == ["cuda:0", "cuda:1", "cuda:0"]
    assert options[0].threads >= 1
    assert len(divided(analysis, None, WorkerOptions())) == 2
    with pytest.raises(StudyError, match="cannot work"):
        divided(analysis, -1, WorkerOptions())


def test_the_time_left_follows_the_area(study):
    clock = iter((0.0, 10.0))
    analysis = analysis_of(study, RECIPE)
    watch = StudyWatch(analysis, clock=lambda: next(clock))
    assert watch.look().eta_s is None
    study.run(RECIPE, workers=0, shard=(0, 4))
    found = watch.look()
    assert found.finished == 1
    assert found.fraction == pytest.approx(512**2 / (512**2 + 2 * 384**2 + 256**2))
    assert found.eta_s == pytest.approx(10 * (1 - found.fraction) / found.fraction)


def invoke(*words):
    return CliRunner().invoke(main, ["study", *map(str, words)])


def test_processes_start_while_there_is_memory_for_them(study, monkeypatch):
    analysis = analysis_of(study, RECIPE)
    workers = LocalWorkers(analysis, [WorkerOptions()] * 4)
    started = []
    monkeypatch.setattr(workers, "_start", lambda n: started.append(n) or Sleeping(n))
    monkeypatch.setattr(local_workers, "available_memory", lambda: 0)
    workers.tend(4)
    assert started == [0]  # the first always
    room = 2 * local_workers.PROCESS_BYTES  # one is still loading its model
    monkeypatch.setattr(local_workers, "available_memory", lambda: room)
    workers.tend(4)
    assert started == [0, 1]
    for number in (0, 1):  # they say what they do, so they have loaded it
        name = f"{socket.gethostname()}-{number}.json"
        (analysis.path / "workers" / name).write_text("{}")
    workers.tend(4)
    assert started == [0, 1, 2, 3]


class Sleeping:
    """A process that goes on."""

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        return None


# -- priorities ------------------------------------------------------------------


def names_of(rows):
    return [row.name for row in rows]


def test_slides_of_high_priority_are_drawn_first(study):
    analysis = analysis_of(study, RECIPE)
    assert names_of(draw_order(analysis, (0, 1))) == ["1", "2", "0", "no-mpp"]
    study.prioritize(["0"])
    said = CliRunner().invoke(
        main, ["study", "prioritize", str(study.path), "no-mpp", "--priority", "2.5"]
    )
    assert said.output == "Priority 2.5 for 1 slide.\n"
    assert names_of(draw_order(analysis, (0, 1))) == ["no-mpp", "0", "1", "2"]
    priorities = study.slides.set_index("slide")["priority"].sort_index()
    assert priorities.tolist() == [1.0, 0.0, 0.0, 2.5]
    with pytest.raises(StudyError, match="no slide 'none'"):
        study.prioritize(["none"])


def test_priorities_of_an_edited_table_are_numbers_or_none(slides, tmp_path):
    table = tmp_path / "slides.csv"
    lines = [
        f"{slides / '0.tif'},urgent",
        f"{slides / '2.tif'},3",
        f"{slides / '1.tif'},",
    ]
    table.write_text("\n".join(["path,priority", *lines]))
    study = wb.make_study(tmp_path / "edited", table)
    assert [row.priority for row in study.rows] == [0, 3, 0]


def test_a_priority_that_is_given_during_a_run_counts_at_once(study, monkeypatch):
    ran = []
    run = worker.run

    def noting(slide, *args, **kwargs):
        ran.append(slide.name)
        if len(ran) == 1:
            study.prioritize(["0"])
        return run(slide, *args, **kwargs)

    monkeypatch.setattr(worker, "run", noting)
    study.run(RECIPE, workers=0)
    assert ran == ["1.tif", "0.tif", "2.tif", "no-mpp.tif"]
