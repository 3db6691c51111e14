"""Clients of Dask schedulers, encrypted or of this machine alone."""

from __future__ import annotations

import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit

from workbench.errors import MissingPackageError, StudyError
from workbench.study.cluster.started_clusters import is_started, start_cluster

LOCAL: Final = "local"
"""Word for a cluster of this machine, in place of the address of a scheduler."""


def workers_of(address: str) -> int:
    """Return the number of workers of a scheduler.

    Raises
    ------
    MissingPackageError
        If Dask distributed is not installed.
    StudyError
        If the scheduler cannot be reached, or would take work from anybody.
    """
    with connect(address) as client:
        return len(client.scheduler_info(n_workers=-1)["workers"])


def connect(address: str) -> Any:
    """Return a client of a scheduler, or of a cluster that is started.

    Parameters
    ----------
    address : str
        That of a scheduler; "local": a cluster of this machine with keys of its own; or
        a cluster to start, see `start_cluster`.

    Raises
    ------
    MissingPackageError
        If Dask distributed is not installed.
    StudyError
        If the scheduler cannot be reached, or would take work from anybody.
    """
    try:
        from distributed import Client, LocalCluster, Security  # noqa: PLC0415 - an extra
    except ImportError as error:
        package = "dask"
        raise MissingPackageError(package) from error
    if address == LOCAL:
        security = Security.temporary()
        cluster = LocalCluster(
            threads_per_worker=1,
            n_workers=1,
            host="127.0.0.1",
            protocol="tls://",
            security=security,
            dashboard_address="127.0.0.1:0",
            memory_limit=None,  # Dask would kill a worker that uses its share
        )
        return Client(cluster, security=security)
    if is_started(address):
        return Client(start_cluster(address))
    if not _is_safe(address):
        message = f"The scheduler at '{address}' would take work from anybody."
        remedy = "Start it with TLS, give its address as tls://..., and set the keys"
        remedy += " in Dask's configuration (distributed.comm.tls)."
        raise StudyError(message, remedy)
    try:
        return Client(address, security=Security())
    except (OSError, ValueError, TypeError) as error:
        message = f"The Dask scheduler at '{address}' cannot be reached: {error}."
        remedy = "Check its address, and the keys in Dask's configuration."
        raise StudyError(message, remedy) from error


def _is_safe(address: str) -> bool:
    """Return whether an address is encrypted, or of this machine alone."""
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    if parts.scheme == "tls":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"
