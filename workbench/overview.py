"""Values at coarser and coarser cells, kept up to date as they come."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Summary = Literal["mean", "highest"]
"""What many cells under one pixel are shown as."""

Number = TypeVar("Number", np.float64, np.float32, np.int32)

_SIDE: Final = 2
_QUARTERS: Final = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])

_Children = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.bool_]"]


class Overview:
    """A raster halved again and again, until it is one cell.

    A coarser cell sums up exactly the finest cells beneath it that have values, so
    that none is missed however far one zooms out. A class is summed up when it is
    first looked at; from then on only what is told by `touch`, when it is next looked
    at. Safe from any number of threads.

    Parameters
    ----------
    values : float32 (classes, rows, columns)
        NaN where there is none; looked at again where it is touched.
    """

    def __init__(self, values: NDArray[np.float32]) -> None:
        self._values = values
        self._lock = threading.Lock()
        self._classes: dict[int, _Halvings] = {}
        self.depth = max(0, math.ceil(math.log2(max(values.shape[1:]))))
        """The coarsest level; 0 is the raster itself."""

    def is_of(self, values: NDArray[np.float32]) -> bool:
        """Tell whether it is the overview of this very array."""
        return self._values is values

    def level_for(self, pixel: float) -> int:
        """Return the finest level whose cells are no smaller than a pixel.

        Parameters
        ----------
        pixel : float
            Side of a pixel in cells of the raster.
        """
        if pixel <= 1:
            return 0
        return min(self.depth, math.ceil(math.log2(pixel)))

    def touch(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        """Take notice that the values of some cells have changed.

        Parameters
        ----------
        rows, columns : int64
            Of the raster; broadcast against each other.
        """
        with self._lock:
            for halvings in self._classes.values():
                halvings.stale[rows // _SIDE, columns // _SIDE] = True

    def at(
        self, level: int, channel: int, summary: Summary = "mean"
    ) -> NDArray[np.float32]:
        """Return a level of one class, float32 (rows, columns); NaN: no values."""
        values: NDArray[np.float32] = self._values[channel]
        if level == 0:
            return values
        with self._lock:
            if channel not in self._classes:
                self._classes[channel] = _Halvings(values)
            return self._classes[channel].at(level, summary)


@dataclass(frozen=True, eq=False, slots=True)
class _Level:
    """Square blocks of cells, each summed up; arrays of (rows, columns)."""

    total: NDArray[np.float64]
    count: NDArray[np.int32]
    """How many cells of the block have a value."""

    highest: NDArray[np.float32]
    """-inf where none has."""

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> _Level:
        return cls(
            np.zeros(shape, np.float64),
            np.zeros(shape, np.int32),
            np.full(shape, -np.inf, np.float32),
        )


class _Halvings:
    """The levels of one class."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self._values = values
        self._levels: list[_Level] = []
        rows, columns = values.shape
        while rows > 1 or columns > 1:
            rows, columns = -(-rows // _SIDE), -(-columns // _SIDE)
            self._levels.append(_Level.empty((rows, columns)))
        self.stale = np.ones((-(-values.shape[0] // 2), -(-values.shape[1] // 2)), bool)

    def at(self, level: int, summary: Summary) -> NDArray[np.float32]:
        self._refresh()
        here = self._levels[level - 1]
        known = here.count > 0
        if summary == "highest":
            return np.where(known, here.highest, np.float32(np.nan))
        mean = here.total / np.maximum(here.count, 1)
        return np.where(known, mean, np.nan).astype(np.float32)

    def _refresh(self) -> None:
        """Sum up anew what is stale, level by level."""
        rows, columns = np.nonzero(self.stale)
        if not len(rows):
            return
        self.stale[:] = False
        self._sum_values(rows, columns)
        for finer, coarser in zip(self._levels, self._levels[1:], strict=False):
            rows, columns = np.unique(np.stack([rows // 2, columns // 2]), axis=1)
            below = _children(rows, columns, finer.count.shape)
            coarser.total[rows, columns] = _take(finer.total, below, 0).sum(0)
            coarser.count[rows, columns] = _take(finer.count, below, 0).sum(0)
            coarser.highest[rows, columns] = _take(finer.highest, below, -np.inf).max(0)

    def _sum_values(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        below = _children(rows, columns, self._values.shape)
        values = _take(self._values, below, np.nan)
        known = ~np.isnan(values)
        first = self._levels[0]
        first.count[rows, columns] = known.sum(0)
        first.total[rows, columns] = np.where(known, values, 0).sum(0, np.float64)
        first.highest[rows, columns] = np.where(known, values, -np.inf).max(0)


def _children(
    rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, ...]
) -> _Children:
    """Return rows and columns beneath coarser cells, and whether they are there.

    All are of shape (4, N); what lies beyond the raster is at its last cell.
    """
    down = rows * _SIDE + _QUARTERS[:, :1]
    right = columns * _SIDE + _QUARTERS[:, 1:]
    there = (down < shape[0]) & (right < shape[1])
    return np.minimum(down, shape[0] - 1), np.minimum(right, shape[1] - 1), there


def _take(
    cells: NDArray[Number], children: _Children, nothing: float
) -> NDArray[Number]:
    """Return the cells beneath, (4, N); `nothing` beyond the raster."""
    rows, columns, there = children
    found: NDArray[Number] = cells[rows, columns]
    found[~there] = nothing
    return found
