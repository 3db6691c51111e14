"""Writes features in TRIDENT's layout, which CLAM and Patho-Bench read too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np

from workbench.errors import FeaturesError
from workbench.features.formats import trident
from workbench.features.rows import counted_groups
from workbench.geometry import objective_of_mpp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.features.features import Features

_CHUNK_ROWS: Final = 64
_TOLERANCE_PX: Final = 1e-3
"""Differences of the sides of tiles that come from rounding."""


def write_trident(features: Features, path: Path) -> None:
    """Write `features` (N, D) and `coords` (N, 2) with TRIDENT's attributes.

    Coordinates are int64 if all are whole, else float64, which TRIDENT rounds itself.
    A fact that is not known is the text "None", as TRIDENT writes it.

    Raises
    ------
    FeaturesError
        If there are no vectors, or the tiles are not squares of one size.
    """
    if not features.dimensions:
        remedy = "Write a table: --to parquet, or a file that ends in .parquet."
        raise FeaturesError(features.path, "it has no vectors", remedy)
    boxes = features.stored_boxes()
    side = _side(features, boxes)
    with h5py.File(path, "w") as file:
        rows = _growing(
            file, "features", features.vectors.shape, features.vectors.dtype
        )
        for start, group in counted_groups(features.vectors):
            rows[start : start + len(group)] = group
        about = {"name": _slide_name(features), "savetodir": str(path.parent)}
        rows.attrs.update({**about, "encoder": features.encoder or "None"})
        corners = _whole(boxes[:, :2])
        coords = _growing(file, "coords", corners.shape, corners.dtype)
        coords[:] = corners
        coords.attrs.update({**_facts(features, side), **about})


def _slide_name(features: Features) -> str:
    """Return the name of the slide as the file gives it, else that of the file."""
    stored = features.attributes.get("name") or features.attributes.get("slide")
    return Path(stored).stem if isinstance(stored, str) else features.path.stem


def _growing(
    file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> h5py.Dataset:
    chunks = (max(1, min(_CHUNK_ROWS, shape[0])), shape[1])
    return file.create_dataset(
        name, shape, dtype, chunks=chunks, maxshape=(None, shape[1])
    )


def _whole(corners: NDArray[np.float64]) -> NDArray[Any]:
    whole = np.rint(corners)
    return whole.astype(np.int64) if np.array_equal(whole, corners) else corners


def _side(features: Features, boxes: NDArray[np.float64]) -> float | None:
    """Return the side of all tiles; None without tiles."""
    if not len(boxes):
        return None
    sides = boxes[:, 2:] - boxes[:, :2]
    least, most = float(sides.min()), float(sides.max())
    if most - least > _TOLERANCE_PX:
        reason = f"its tiles are {least:g} to {most:g} pixels wide, not all the same"
        remedy = "Write a table: --to parquet, or a file that ends in .parquet."
        raise FeaturesError(features.path, reason, remedy)
    return round(least, 3)


def _facts(features: Features, side: float | None) -> dict[str, Any]:
    """Return TRIDENT's attributes: those of its own file, else what is known."""
    slide_mpp, mpp = features.slide_mpp, features.mpp
    width, height = features.slide_size or (None, None)
    facts: dict[str, Any] = {
        "patch_size": side * slide_mpp / mpp if side and slide_mpp and mpp else None,
        "patch_size_level0": side,
        "level0_magnification": objective_of_mpp(slide_mpp) if slide_mpp else None,
        "target_magnification": objective_of_mpp(mpp) if mpp else None,
        "overlap": None,
        "level0_width": width,
        "level0_height": height,
    }
    own = features.attributes if features.format == trident.FORMAT else {}
    facts.update({name: own[name] for name in facts if name in own})
    return {name: _plain(value) for name, value in facts.items()}


def _plain(value: Any) -> Any:
    """Return a whole number as int, and None as TRIDENT's text."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else round(value, 4)
    return "None" if value is None else value
