"""The provenance of a file whose format has no place for it, in a file beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import ProvenanceError
from workbench.provenance.provenance import KEY, MAX_BYTES, Provenance
from workbench.system.atomic_files import replace_file
from workbench.system.paths import is_file

if TYPE_CHECKING:
    import os

SUFFIX: Final = ".provenance.json"
"""Added to the name of a file, it names the file with its provenance."""


def sidecar_of(path: Path) -> Path:
    """Return the place of the provenance beside a file."""
    return path.with_name(f"{path.name}{SUFFIX}")


def write_sidecar(path: str | os.PathLike[str], provenance: Provenance) -> Path:
    """Write the provenance of a file beside it, with the file's SHA-256.

    Parameters
    ----------
    path : path
        A file that is complete.
    provenance : Provenance

    Returns
    -------
    Path
        `<path>.provenance.json`.

    Raises
    ------
    RunFolderError
        On an I/O error.
    """
    file = Path(path)
    block = {**provenance.block, "file": _facts(file)}
    sidecar = sidecar_of(file)
    replace_file(sidecar, json.dumps({KEY: block}, indent=1).encode())
    return sidecar


def read_sidecar(path: Path) -> Provenance | None:
    """Return the provenance that lies beside a file; None if there is none.

    Raises
    ------
    ProvenanceError
        If it is damaged, or the file was changed after it was written.
    """
    sidecar = sidecar_of(path)
    if not is_file(sidecar):
        return None
    try:
        with sidecar.open("rb") as file:
            content: Any = json.loads(file.read(MAX_BYTES + 1))
        block = content[KEY]
        recorded = dict(block["file"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        reason = f"it cannot be read ({error!s:.200})"
        raise ProvenanceError(sidecar, reason) from error
    if path.is_file() and recorded != _facts(path, recorded):
        reason = f"it was changed after '{sidecar.name}' was written"
        remedy = f"Export it again, or remove '{sidecar.name}'."
        raise ProvenanceError(path, reason, remedy)
    return Provenance.of_block(block, sidecar)


def _facts(path: Path, recorded: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the size and the SHA-256 of a file; the size alone where it differs."""
    size = path.stat().st_size
    if recorded is not None and recorded.get("size") != size:
        return {"size": size}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size": size, "sha256": digest}
