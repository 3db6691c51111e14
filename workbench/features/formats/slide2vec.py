"""slide2vec: vectors in `.pt` or `.npz`, coordinates in an `.npz`, facts in JSON.

`tile_embeddings/<slide>.pt` with `<slide>.meta.json` beside it, and
`tiles/<slide>.coordinates.npz` of the same output folder. Rows are in the same order,
or `tile_index` in the file of vectors names them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import FeaturesError, UnplacedTilesError
from workbench.features.stored import StoredFeatures
from workbench.features.tensors import read_tensor

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.features.stored import Request

FORMAT: Final = "slide2vec"


def metadata_of(path: Path) -> Path:
    """Return the place of the metadata of a file of vectors."""
    return path.with_name(f"{path.stem}.meta.json")


def read(path: Path, request: Request) -> StoredFeatures:
    """Read vectors, and the coordinates of the same slide."""
    facts = _metadata(path, request)
    arrays = _arrays(path) if path.suffix == ".npz" else {"features": read_tensor(path)}
    if "features" not in arrays:
        listed = ", ".join(arrays) or "nothing"
        raise FeaturesError(path, f"it has no array 'features' (it has: {listed})")
    features = arrays["features"]
    common: dict[str, Any] = {
        "path": path,
        "format": FORMAT,
        "encoder": str(facts.get("encoder_name", "")),
        "mpp": facts.get("requested_spacing_um"),
        "attributes": facts,
    }
    if features.ndim == 1:
        return StoredFeatures(slide_vector=features, **common)
    corners = _corners(path, facts, request, arrays.get("tile_index"))
    size = facts.get("tile_size_lv0")
    return StoredFeatures(corners=corners, size=size, vectors=features, **common)


def _metadata(path: Path, request: Request) -> dict[str, Any]:
    file = metadata_of(path)
    if not request.finds(file):
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FeaturesError(file, f"it is not readable as JSON ({error})") from error
    return found if isinstance(found, dict) else {}


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file; objects are never unpickled."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # zipfile, zlib and NumPy raise many
        reason = f"it is damaged or holds objects in place of numbers ({error})"
        raise FeaturesError(path, reason) from error


def _corners(
    path: Path, facts: dict[str, Any], request: Request, rows: NDArray[Any] | None
) -> NDArray[Any]:
    """Return the corners of the tiles, of `rows` if the file names them."""
    file = request.coordinates or _coordinates(path, facts, request)
    if file is None:
        missing = f"no 'tiles/{path.stem}.coordinates.npz' lies in its output folder"
        remedy = "Give that file: coordinates='…', or --coordinates."
        error = UnplacedTilesError(path, missing, remedy)
        raise error.asking(needed="coordinates")
    arrays = _arrays(file)
    if not {"x", "y"} <= set(arrays):
        raise FeaturesError(file, "it has no arrays x and y")
    corners = np.stack([arrays["x"], arrays["y"]], axis=1)
    if rows is None:
        return corners
    numbers = arrays.get("tile_index", np.arange(len(corners)))
    order = np.argsort(numbers, kind="stable")
    found = np.searchsorted(numbers[order], rows)
    if len(rows) and (
        found.max() >= len(order) or (numbers[order[found]] != rows).any()
    ):
        raise FeaturesError(path, f"it names tiles that '{file}' does not have")
    return np.asarray(corners[order[found]])


def _coordinates(path: Path, facts: dict[str, Any], request: Request) -> Path | None:
    """Return the file of coordinates: in the same output folder, wherever it is now.

    A file that the metadata name elsewhere is not read: it might be any.
    """
    name = f"{path.stem}.coordinates.npz"
    places = [folder / "tiles" / name for folder in list(path.parents)[:3]]
    stored = facts.get("coordinates_npz_path")
    if isinstance(stored, str) and stored:
        named = (path.parent / stored).resolve()
        if named.is_relative_to(path.parent.parent.resolve()):
            places.append(named)
    return next((place for place in places if request.finds(place)), None)
