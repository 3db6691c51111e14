"""Dask starts workers; the folder says what is done."""

from __future__ import annotations

import pytest

import workbench as wb
from made_slides import write_tiff
from studies import two_coloured
from workbench.errors import StudyError
from workbench.study.analysis import analysis_of
from workbench.study.cluster.dask_workers import DaskWorkers
from workbench.study.running import run_analysis
from workbench.study.worker import WorkerOptions

distributed = pytest.importorskip("distributed")

RECIPE = wb.Recipe(device="cpu", batch_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    for number in range(3):
        pixels = two_coloured(256, seed=number)
        write_tiff(folder / f"{number}.tif", pixels, compression="zlib", levels=2)
    return folder


@pytest.fixture
def analysis(folder, tmp_path):
    return analysis_of(wb.make_study(tmp_path / "study", folder), RECIPE)


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=1, processes=False, dashboard_address=None
    ) as cluster:
        yield cluster


def test_workers_of_a_cluster_draw_from_the_folder(analysis, cluster):
    with distributed.Client(cluster) as client:
        found = run_analysis(analysis, client)
    assert (found.finished, found.left) == (3, 0)
    assert [state.attempts for state in analysis.states().values()] == [1, 1, 1]
    assert not list((analysis.path / "workers").glob("stop-*"))


def test_an_error_of_the_model_ends_the_work(analysis, cluster):
    other = analysis_of(analysis.study, RECIPE.replace(model="nothing"))
    with (
        distributed.Client(cluster) as client,
        pytest.raises(wb.WorkbenchError, match="no model 'nothing'"),
    ):
        run_analysis(other, client)


def test_a_cluster_without_workers_is_given_up_with_a_sentence(analysis):
    with (
        distributed.LocalCluster(
            n_workers=0, processes=False, dashboard_address=None
        ) as empty,
        distributed.Client(empty) as client,
    ):
        workers = DaskWorkers(analysis, WorkerOptions(), client, patience_s=0.0)
        with pytest.raises(StudyError, match="no worker for 0 s"):
            workers.tend(3)


def test_schedulers_that_anybody_could_use_are_refused(analysis):
    with pytest.raises(StudyError, match="would take work from anybody"):
        DaskWorkers(analysis, WorkerOptions(), "tcp://10.1.2.3:8786")


@pytest.mark.slow
def test_a_local_cluster_needs_no_set_up(analysis):
    found = run_analysis(analysis, "local")
    assert (found.finished, found.left) == (3, 0)
