"""TRIDENT (mahmoodlab): coordinates, vectors of tiles and of slides in HDF5.

`coords` int64 (N, 2), level-0 upper left corners, has all facts about the tiles as
attributes; `features` is (N, D), or (D,) for a slide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workbench.features.h5_file import attributes, coordinates, dataset, vectors
from workbench.features.rows import NO_ROWS
from workbench.features.stored import StoredFeatures
from workbench.geometry import mpp_of_objective

if TYPE_CHECKING:
    from pathlib import Path

    import h5py

    from workbench.features.rows import Rows
    from workbench.features.stored import Request

FORMAT: Final = "TRIDENT"


def matches(file: h5py.File) -> bool:
    """Return whether the file has this layout."""
    coords = file.get("coords")
    facts = getattr(coords, "attrs", ())
    return "patch_size_level0" in facts or "target_magnification" in facts


def read(path: Path, file: h5py.File, _: Request) -> StoredFeatures:
    """Read a file of coordinates, of vectors, or of a slide's vector."""
    coords, features = dataset(file, "coords"), dataset(file, "features")
    facts = attributes(coords)
    tiles: Rows = NO_ROWS
    slide_vector = None
    if features is not None:
        facts = {**attributes(features), **facts}
        tiles, slide_vector = vectors(path, features)
    return StoredFeatures(
        path=path,
        format=FORMAT,
        corners=coordinates(path, coords),
        size=_side(facts),
        vectors=tiles,
        slide_vector=slide_vector,
        encoder=_text(facts.get("encoder")),
        mpp=_mpp(facts.get("target_magnification")),
        slide_size=_slide_size(facts),
        attributes=facts,
    )


def _side(facts: dict[str, Any]) -> float | None:
    """Return the side of a tile; files of early versions have magnifications only."""
    if _number(facts.get("patch_size_level0")):
        return float(facts["patch_size_level0"])
    names = ("patch_size", "level0_magnification", "target_magnification")
    numbers = [_number(facts.get(name)) for name in names]
    if not all(numbers):
        return None
    size, stored, target = numbers
    return float(size * stored // target)


def _slide_size(facts: dict[str, Any]) -> tuple[int, int] | None:
    size = [_number(facts.get(f"level0_{side}")) for side in ("width", "height")]
    return (int(size[0]), int(size[1])) if all(size) else None


def _mpp(magnification: Any) -> float | None:
    return mpp_of_objective(number) if (number := _number(magnification)) else None


def _number(value: Any) -> float:
    """Return a positive number; 0 for anything else, such as the text "None"."""
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value != "None" else ""
