"""Keys of a Dask cluster, so that its port takes work only from their holders."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from workbench.errors import MissingPackageError, StudyError
from workbench.system.atomic_files import disk_errors

CERTIFICATE: Final = "certificate.pem"
KEY: Final = "key.pem"
CONFIGURATION: Final = "dask.yaml"
_PRIVATE: Final = 0o600


def write_keys(folder: str | os.PathLike[str]) -> Path:
    """Write a new key, its certificate, and a configuration of Dask that uses them.

    Scheduler, workers and clients use the same key: each takes work and results only
    from holders of it, over TLS. `DASK_CONFIG` names the folder for all of them. The
    certificate is valid for a year.

    Parameters
    ----------
    folder : path
        Created if missing; readable by its owner alone.

    Returns
    -------
    Path
        The folder, absolute.

    Raises
    ------
    MissingPackageError
        If Dask distributed is not installed.
    StudyError
        If the folder holds keys.
    """
    try:
        from distributed import Security  # noqa: PLC0415 - an extra
    except ImportError as error:
        package = "dask"
        raise MissingPackageError(package) from error
    root = Path(folder).absolute()
    if (root / KEY).exists():
        message = f"'{root}' holds keys."
        raise StudyError(message, "Use them, or remove them and all copies.")
    keys = Security.temporary()
    both = {"cert": str(root / CERTIFICATE), "key": str(root / KEY)}
    roles = dict.fromkeys(("scheduler", "worker", "client"), both)
    tls = {"require-encryption": True, "tls": {"ca-file": both["cert"], **roles}}
    configuration = json.dumps({"distributed": {"comm": tls}}, indent=2)  # also YAML
    with disk_errors(root):
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(root / CONFIGURATION, configuration)
        _write(root / CERTIFICATE, keys.tls_ca_file)
        _write(root / KEY, keys.tls_scheduler_key)
    return root


def _write(file: Path, text: str) -> None:
    """Write a file that is never readable by others."""
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(number, "w", encoding="utf-8") as out:
        out.write(text)
