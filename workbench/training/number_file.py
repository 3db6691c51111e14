"""Files of small models: arrays of numbers with facts, which opening cannot run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import TrainingError
from workbench.provenance.places import META
from workbench.system.atomic_files import disk_errors, replace_file
from workbench.training.model_provenance import provenance_of_model

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from workbench.provenance.provenance import Provenance

SUFFIX: Final = ".safetensors"
FORMAT: Final = 1
_KEY: Final = "workbench"
_MAX_BYTES: Final = 1 << 30


def save_numbers(
    path: str | os.PathLike[str],
    kind: str,
    arrays: Mapping[str, NDArray[Any]],
    facts: Mapping[str, Any],
) -> Path:
    """Write arrays and facts as one safetensors file; return its path.

    Parameters
    ----------
    path : path
        Ends in .safetensors, which is added if there is no suffix.
    kind : str
        What the file is, such as "instance classifier".
    arrays : mapping of str to array
    facts : mapping
        Ready for JSON.

    Raises
    ------
    TrainingError
        If the path has another suffix.
    RunFolderError
        If writing fails; an earlier file is then unchanged.
    """
    from safetensors.numpy import save  # noqa: PLC0415 - for this only

    file = Path(path)
    file = file if file.suffix else file.with_suffix(SUFFIX)
    if file.suffix != SUFFIX:
        message = f"'{file.name}' does not end in {SUFFIX}."
        raise TrainingError(message, "Give a name that does.")
    about = json.dumps({"format": FORMAT, "kind": kind, **facts})
    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    made = _provenance(file.stem, kind, facts)
    replace_file(file, save(dict(arrays), {_KEY: about, META: made.text}))
    return file


def _provenance(name: str, kind: str, facts: Mapping[str, Any]) -> Provenance:
    """Return what made a small model, from the facts that it is saved with."""
    options = dict(facts.get("provenance") or {})
    slides = options.pop("slides", ())
    model = {"name": name, "task": kind, "classes": list(facts.get("classes") or ())}
    if encoder := facts.get("encoder"):
        model["encoder"] = encoder
    return provenance_of_model(model, options, slides)


def read_numbers(
    file: Path, kind: str
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return facts and arrays of a file that `save_numbers` has written.

    Raises
    ------
    Exception
        Of many kinds, if it is missing, damaged, larger than 1 GiB, or of another kind.
    """
    from safetensors import safe_open  # noqa: PLC0415 - for this only

    size = file.stat().st_size
    if size > _MAX_BYTES:
        message = f"it has {size:,} bytes"
        raise ValueError(message)
    with safe_open(file, "numpy") as stored:
        facts = json.loads((stored.metadata() or {})[_KEY])
        names = stored.keys()
        arrays = {name: stored.get_tensor(name) for name in names}
    if (facts["format"], facts["kind"]) != (FORMAT, kind):
        message = f"it is '{facts['kind']}' of format {facts['format']}"
        raise ValueError(message)
    return facts, arrays
