"""Clusters that are started for a study: by a batch system, or on hosts over SSH.

`slurm:16` asks Slurm for 16 jobs (dask-jobqueue); what a job is (cores, memory, time,
partition) is in Dask's configuration, as `deploy/dask/jobqueue.yaml`. `ssh:a,b` starts
the scheduler on the first host, and a worker on each (asyncssh). All of them talk by
TLS, with the keys of Dask's configuration.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Final

from workbench.errors import StudyError

BATCH_SYSTEMS: Final = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "htcondor": "HTCondorCluster",
}
"""Batch systems, and their classes of `dask_jobqueue`."""

_TEXT: Final = re.compile(rf"({'|'.join((*BATCH_SYSTEMS, 'ssh'))}):(.+)")
_MOST_JOBS: Final = 10_000
_HOST: Final = re.compile(r"[\w.@:-]+")


def is_started(text: str) -> bool:
    """Return whether a text names a cluster to start, not the address of one."""
    return _TEXT.fullmatch(text) is not None


def start_cluster(text: str) -> Any:
    """Start a cluster.

    Parameters
    ----------
    text : str
        "SYSTEM:JOBS", with a system of `BATCH_SYSTEMS`, or "ssh:HOST,HOST".

    Returns
    -------
    dask cluster
        With as many workers as there are jobs or hosts; jobs that end are asked for
        again.

    Raises
    ------
    StudyError
        If it cannot be started: a package, the keys or the configuration is missing.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        message = f"'{text}' names no cluster to start."
        raise StudyError(message, "Write slurm:16, or ssh:HOST,HOST.")
    system, rest = found.groups()
    security = _security()
    try:
        if system == "ssh":
            return _over_ssh(_hosts(rest), security)
        return _by_jobs(system, _jobs(rest), security)
    except ImportError as error:
        package = "asyncssh" if system == "ssh" else "dask-jobqueue"
        message = f"Clusters of '{system}' need the package '{package}'."
        raise StudyError(message, f"Run: pip install {package}.") from error
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        message = f"The cluster '{text}' cannot be started: {error}."
        remedy = "Check Dask's configuration; docs/machines.md has an example."
        raise StudyError(message, remedy) from error


def waits_for_jobs(cluster: Any) -> bool:
    """Return whether workers of a cluster may wait in a queue for long."""
    return hasattr(cluster, "job_script")


def ask_again(cluster: Any) -> None:
    """Ask again for the jobs of a cluster that have ended; those that wait are left.

    Dask notices that a worker is lost, and does nothing about its job by itself.
    """
    cluster.scale(len(cluster.worker_spec))


def _by_jobs(system: str, jobs: int, security: Any) -> Any:
    import dask_jobqueue  # noqa: PLC0415 - an extra of the user's

    made = getattr(dask_jobqueue, BATCH_SYSTEMS[system])(
        n_workers=0,
        processes=1,
        protocol="tls://",
        security=security,
        scheduler_options={"dashboard": False},
    )
    made.scale(jobs=jobs)
    return made


def _over_ssh(hosts: list[str], security: Any) -> Any:
    import asyncssh  # noqa: F401, PLC0415 - an extra of the user's; Dask says less
    from distributed import SSHCluster  # noqa: PLC0415 - an extra

    return SSHCluster(
        [hosts[0], *hosts],
        scheduler_options={"protocol": "tls://", "dashboard": False},
        worker_options={"nthreads": 1, "memory_limit": 0},
        remote_python=sys.executable,
        security=security,
    )


def _security() -> Any:
    """Return the keys of Dask's configuration."""
    import dask  # noqa: PLC0415 - an extra
    from distributed import Security  # noqa: PLC0415

    if not dask.config.get("distributed.comm.tls.ca-file", None):
        message = "There are no keys for the cluster."
        remedy = "Run: workbench study keys FOLDER, and set DASK_CONFIG=FOLDER."
        raise StudyError(message, remedy)
    return Security(require_encryption=True)


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= _MOST_JOBS:
        message = f"'{text}' is no number of jobs."
        raise StudyError(message, f"Give 1 to {_MOST_JOBS:,}, such as slurm:16.")
    return int(text)


def _hosts(text: str) -> list[str]:
    hosts = [each.strip() for each in text.split(",")]
    if wrong := [each for each in hosts if not _HOST.fullmatch(each)]:
        message = f"'{wrong[0]}' is no name of a host."
        raise StudyError(message, "Separate hosts by commas, such as ssh:a,b.")
    return hosts
