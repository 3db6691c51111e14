"""Registrations as HDF5 files of some kilobytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np

from workbench.errors import RegistrationError
from workbench.provenance.embedding import keep_inside
from workbench.provenance.provenance import Provenance
from workbench.registration.field import Field
from workbench.system.atomic_files import disk_errors, move_file
from workbench.system.paths import is_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT: Final = 1
_MOST_NODES: Final = 1 << 24
_REMEDY: Final = "Register the slides again: workbench register."
_FACTS: Final = {"id": str, "name": str, "size": list, "mpp": float}


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """The fields of a `Registration`."""

    fixed: Mapping[str, Any]
    moving: Mapping[str, Any]
    transform: Field
    errors: NDArray[np.float64]
    quality: Mapping[str, float]


def write_registration(path: Path, parts: Parts) -> Path:
    """Write a registration; see `Registration.save`."""
    transform = parts.transform
    part = path.with_name(f".part-{path.name}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(part, "w") as file:
            file.attrs["registration"] = FORMAT
            for name in ("fixed", "moving", "quality"):
                file.attrs[name] = json.dumps(dict(getattr(parts, name)))
            file["affine"] = transform.affine
            file["affine"].attrs["maps"] = "µm of the fixed slide to µm of the moving"
            shifts = file.create_dataset(
                "displacements_um",
                data=transform.shifts.astype(np.float32),
                compression=4,
            )
            shifts.attrs["spacing_um"] = transform.spacing
            errors = parts.errors.astype(np.float32)
            file.create_dataset("errors_um", data=errors, compression=4)
        made = Provenance.new(
            "registration",
            slide=dict(parts.fixed),
            parents=tuple(
                {"kind": "slide", "name": each["name"], "digest": each["id"]}
                for each in (parts.fixed, parts.moving)
            ),
        )
        keep_inside(part, made)
    move_file(part, path)
    return path


def read_registration(path: Path) -> Parts:
    """Read a registration; see `open_registration`."""
    if not is_file(path):
        raise RegistrationError(path, "there is no such file", _REMEDY)
    try:
        with h5py.File(path, "r") as stored:
            _check_format(path, stored.attrs["registration"])
            texts = {n: stored.attrs[n] for n in ("fixed", "moving", "quality")}
            facts = {name: json.loads(text) for name, text in texts.items()}
            rasters = [
                _read(stored[name])
                for name in ("affine", "displacements_um", "errors_um")
            ]
            spacing = float(stored["displacements_um"].attrs["spacing_um"])
        affine, shifts, errors = rasters
        _check(affine, shifts, errors, spacing)
        for name in ("fixed", "moving"):
            _check_slide(facts[name])
    except RegistrationError:
        raise
    except Exception as error:  # HDF5 raises many for damaged files
        reason = f"it is damaged ({str(error) or type(error).__name__:.200})"
        raise RegistrationError(path, reason, _REMEDY) from error
    transform = Field(affine, shifts, spacing)
    return Parts(facts["fixed"], facts["moving"], transform, errors, facts["quality"])


def _check_format(path: Path, number: object) -> None:
    if number != FORMAT:
        reason = f"it has format {number}, not {FORMAT}"
        raise RegistrationError(path, reason, _REMEDY)


def _read(dataset: Any) -> Any:
    if dataset.size > _MOST_NODES:
        message = f"'{dataset.name}' has {dataset.size:,} numbers"
        raise ValueError(message)
    return np.asarray(dataset[:], np.float64)


def _check(affine: Any, shifts: Any, errors: Any, spacing: float) -> None:
    right = affine.shape == (2, 3) and shifts.ndim == 3 and shifts.shape[2] == 2  # noqa: PLR2004 - x and y
    if not right or errors.shape != shifts.shape[:2] or min(errors.shape) < 2:  # noqa: PLR2004 - two nodes
        message = "its rasters do not fit each other"
        raise ValueError(message)
    finite = np.isfinite(affine).all() and np.isfinite(shifts).all()
    if not finite or not spacing > 0 or np.linalg.det(affine[:, :2]) == 0:
        message = "its numbers are no map"
        raise ValueError(message)


def _check_slide(facts: Any) -> None:
    for name, kind in _FACTS.items():
        if not isinstance(facts.get(name), kind):
            message = f"it does not say the {name} of a slide"
            raise TypeError(message)
