"""Rows of an array that are read when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from workbench.system.long_work import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

GROUP = 8192
"""Rows that are read at once, so that memory does not grow with their number."""


class Rows(Protocol):
    """An array of which rows can be read; NumPy, Zarr and HDF5 arrays are."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values, as stored."""

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[Any]:
        """Return rows, by a slice or by their numbers."""


NO_ROWS = np.empty((0, 0), np.float32)
"""The vectors of a file that has none."""


def groups_of(rows: Rows) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield all rows in their order, a group at a time, with the first row's number."""
    for start in range(0, rows.shape[0], GROUP):
        yield start, np.asarray(rows[start : start + GROUP])


def counted_groups(rows: Rows) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield all rows as `groups_of` does, and report them as tiles of long work."""
    yield from counted(
        groups_of(rows), rows.shape[0], "tiles", size=lambda group: len(group[1])
    )
