"""Clusters that are started for a study; `play_clusters.py` plays them through."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from workbench.errors import StudyError
from workbench.study.cluster.dask_client import connect
from workbench.study.cluster.started_clusters import (
    BATCH_SYSTEMS,
    ask_again,
    is_started,
    start_cluster,
    waits_for_jobs,
)

dask = pytest.importorskip("dask")
pytest.importorskip("distributed")


@pytest.fixture
def keys(tmp_path):
    """A configuration of Dask that names keys."""
    with dask.config.set({"distributed.comm.tls.ca-file": str(tmp_path / "ca.pem")}):
        yield


def test_addresses_are_no_clusters_to_start():
    for text in ("tls://host:8786", "local", "127.0.0.1:8786", "slurm", "k8s:3"):
        assert not is_started(text)
    for system in (*BATCH_SYSTEMS, "ssh"):
        assert is_started(f"{system}:4")


def test_no_cluster_is_started_without_keys():
    for text in ("slurm:4", "ssh:a,b"):
        with pytest.raises(StudyError, match="no keys for the cluster"):
            connect(text)


@pytest.mark.usefixtures("keys")
def test_what_cannot_be_started_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(StudyError, match="need the package 'dask-jobqueue'"):
        start_cluster("slurm:4")
    with pytest.raises(StudyError, match="need the package 'asyncssh'"):
        start_cluster("ssh:a,b")
    for text in ("slurm:0", "slurm:many", "pbs:100001"):
        with pytest.raises(StudyError, match="no number of jobs"):
            start_cluster(text)
    with pytest.raises(StudyError, match="'b;rm' is no name of a host"):
        start_cluster("ssh:a,b;rm")


@pytest.mark.usefixtures("keys")
def test_as_many_jobs_are_asked_for_again_and_again(monkeypatch):
    asked = {}

    class Cluster:
        def __init__(self, **options):
            asked.update(options)

        worker_spec = ("a", "b")

        def scale(self, number=None, jobs=None):
            asked.setdefault("scaled", []).append(number or jobs)

        def job_script(self):
            return "#!/bin/sh"

    module = SimpleNamespace(PBSCluster=Cluster)
    monkeypatch.setitem(sys.modules, "dask_jobqueue", module)
    made = start_cluster("pbs:7")
    assert asked["protocol"] == "tls://"
    assert asked["security"].require_encryption
    ask_again(made)  # for the jobs that are in its specification
    assert asked["scaled"] == [7, 2]
    assert waits_for_jobs(made)
    assert not waits_for_jobs(None)
