"""Tables of tiles: which columns are the place of a tile, and which are scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import FeaturesError
from workbench.features.stored import StoredFeatures

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.features.stored import Unit

_EDGES: Final = ("x0", "y0", "x1", "y1")
_PLACES: Final[tuple[tuple[tuple[str, ...], Unit | None], ...]] = (
    (_EDGES, None),
    (("minx", "miny", "width", "height"), "px"),
    (("x_px", "y_px", "width_px", "height_px"), "px"),
    (("x_um", "y_um", "width_um", "height_um"), "um"),
    (("x", "y", "width", "height"), None),
    (("x", "y", "w", "h"), None),
)
"""Names of the upper left corner and the size of a tile, and their unit where the
names say it: minx and miny are WSInfer's and ours."""

_NUMBERS: Final = "iufb"
_NO_SCORES: Final = {"tile", "tile_id", "index"}
"""Numbers of tiles, which are no scores."""


def from_columns(
    path: Path,
    layout: str,
    columns: Mapping[str, NDArray[Any]],
    attributes: Mapping[str, Any],
) -> StoredFeatures:
    """Return tiles and scores from columns of equal length.

    Names are compared in lower case. Other columns of numbers are scores.

    Raises
    ------
    FeaturesError
        If there is no x and y, or they are no numbers.
    """
    own = {name.strip().lower(): name for name in columns}
    names, unit = _place_of(path, list(own))
    numbers = [_numbers(path, columns[own[name]], name) for name in names]
    corners, size = np.stack(numbers[:2], 1), None
    if len(names) > 2:  # noqa: PLR2004 - more than the corner
        size = np.stack(numbers[2:], 1) - (corners if names == _EDGES else 0)
    rest = [
        name
        for key, name in own.items()
        if key not in {*names, *_NO_SCORES} and columns[name].dtype.kind in _NUMBERS
    ]
    values = [np.asarray(columns[name], np.float64) for name in rest]
    return StoredFeatures(
        path=path,
        format=layout,
        corners=corners,
        unit=unit,
        size=size,
        names=tuple(rest),
        values=np.stack(values, 1) if values else None,
        attributes=attributes,
    )


def find_place(columns: Collection[str]) -> tuple[tuple[str, ...], Unit | None] | None:
    """Return the columns of a tile's corner, and of its size if stored; their unit.

    None if there is no corner. Names are in lower case.
    """
    for names, unit in _PLACES:
        if set(names) <= set(columns):
            return names, unit
    for names, unit in _PLACES:
        if set(names[:2]) <= set(columns):
            return names[:2], unit
    return None


def _place_of(path: Path, own: list[str]) -> tuple[tuple[str, ...], Unit | None]:
    if found := find_place(own):
        return found
    reason = f"it has no columns x and y (it has: {', '.join(own[:9])})"
    raise FeaturesError(path, reason, "Name the columns of the upper left corner x, y.")


def _numbers(path: Path, column: NDArray[Any], name: str) -> NDArray[Any]:
    if column.dtype.kind not in _NUMBERS:
        raise FeaturesError(path, f"'{name}' holds {column.dtype} in place of numbers")
    return column
