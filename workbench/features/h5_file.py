"""Reads HDF5 files that other tools wrote; nothing in them is trusted."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np

from workbench.errors import FeaturesError
from workbench.features.h5_rows import h5_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.features.rows import Rows

NUMBERS: Final = "iufb"
"""Kinds of types that are numbers."""

_AXES: Final = 2


@contextmanager
def open_h5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading.

    Raises
    ------
    FeaturesError
        If it is damaged, half-written, or read wrongly within the block.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        reason = f"it is damaged or was not written completely ({error})"
        raise FeaturesError(path, reason) from error


def dataset(file: h5py.Group, name: str) -> h5py.Dataset | None:
    """Return a data set of numbers; None if there is none of this name.

    Raises
    ------
    FeaturesError
        If it holds no numbers, or its values lie in another file.
    """
    path = file.file.filename
    link = file.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        raise FeaturesError(path, f"'{name}' is a link to another file")
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        return None
    if found.external or found.is_virtual:
        raise FeaturesError(path, f"the values of '{name}' lie in another file")
    if found.dtype.kind not in NUMBERS:
        reason = f"'{name}' holds {found.dtype} in place of numbers"
        raise FeaturesError(path, reason)
    return found


def array(path: Path, data: h5py.Dataset) -> NDArray[Any]:
    """Return a whole data set."""
    return np.asarray(h5_rows(path, data)[:]) if data.shape else np.asarray(data[()])


def attributes(*holders: h5py.HLObject) -> dict[str, Any]:
    """Return the attributes of a file or of data sets as plain Python values."""
    return {
        name: _plain(value)
        for holder in holders
        for name, value in holder.attrs.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value


def vectors(path: Path, data: h5py.Dataset) -> tuple[Rows, NDArray[Any] | None]:
    """Return the vectors of tiles in a data set, and the vector of a slide.

    (N, D) and (1, N, D) are of tiles, (D,) is of the slide, (0,) of no tile.

    Raises
    ------
    FeaturesError
        If it has another shape.
    """
    if data.ndim == 1:
        return np.empty((0, 0), data.dtype), array(path, data) if data.size else None
    if data.ndim == _AXES:
        return h5_rows(path, data), None
    if data.ndim == _AXES + 1 and data.shape[0] == 1:
        return array(path, data)[0], None
    reason = f"'{data.name}' has the shape {data.shape}, not (tiles, dimensions)"
    raise FeaturesError(path, reason)


def coordinates(path: Path, data: h5py.Dataset) -> NDArray[Any]:
    """Return coordinates, (N, columns).

    Raises
    ------
    FeaturesError
        If they have another shape.
    """
    if not data.size:
        return np.empty((0, 2), data.dtype)
    if data.ndim != _AXES or data.shape[1] < _AXES:
        reason = f"'{data.name}' has the shape {data.shape}, not (tiles, 2)"
        raise FeaturesError(path, reason)
    return array(path, data)


def scores_by_tile(path: Path, found: NDArray[Any], tiles: int) -> NDArray[np.float64]:
    """Return scores (N, K) from an array (N,), (N, K) or (K, N).

    Models of attention give (1, N) or (classes, N).

    Raises
    ------
    FeaturesError
        If it has another shape, or it is not clear which axis is that of the tiles.
    """
    values = np.asarray(found, np.float64)
    if values.ndim == 1:
        values = values[:, None]
    fits = [length == tiles for length in values.shape]
    if fits == [True, False] or values.shape == (tiles, 1):
        return values
    if fits == [False, True]:
        return values.T
    reason = f"scores of the shape {found.shape} are not of {tiles:,} tiles"
    raise FeaturesError(path, reason)
