"""Values at coarser and coarser cells, kept up to date as they come."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Summary = Literal["mean", "highest"]
"""What many cells under one pixel are shown as."""

Number = TypeVar("Number", np.float64, np.float32, np.int32)

_SIDE: Final = 2
_QUARTERS: Final = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])

_Places = tuple["NDArray[np.intp]", ...]
"""Rows and columns of a level."""

_Children = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.bool_]"]


class Mipmap:
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
        """Return a level of one class, float32 (rows, columns); NaN: no values.

        Not a copy: it follows what is told by `touch`, once somebody looks again.
        """
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

    mean: NDArray[np.float32]
    highest: NDArray[np.float32]
    """NaN where none has, as of the mean."""

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> _Level:
        return cls(
            np.zeros(shape, np.float64),
            np.zeros(shape, np.int32),
            np.full(shape, np.nan, np.float32),
            np.full(shape, np.nan, np.float32),
        )

    def above(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> _Places:
        """Return the blocks that hold some of the next finer level, each once."""
        within = np.zeros(self.count.shape, bool)
        within[rows // _SIDE, columns // _SIDE] = True
        return np.nonzero(within)

    def put(
        self,
        places: _Places,
        total: NDArray[Any],
        count: NDArray[Any],
        highest: NDArray[Any],
    ) -> None:
        """Take the sums of what lies beneath some blocks, each (4, N)."""
        self.total[places] = total.sum(0, np.float64)
        known = count.sum(0)
        self.count[places] = known
        mean = self.total[places] / np.maximum(known, 1)
        self.mean[places] = np.where(known > 0, mean, np.nan)
        self.highest[places] = np.fmax.reduce(highest)


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
        return here.highest if summary == "highest" else here.mean

    def _refresh(self) -> None:
        """Sum up anew what is stale, level by level."""
        if not self.stale.any():
            return
        places = np.nonzero(self.stale)
        self.stale[:] = False
        self._sum_values(places)
        for finer, coarser in zip(self._levels, self._levels[1:], strict=False):
            places = coarser.above(*places)
            below = _children(places, finer.count.shape)
            coarser.put(
                places,
                _take(finer.total, below, 0),
                _take(finer.count, below, 0),
                _take(finer.highest, below, np.nan),
            )

    def _sum_values(self, places: _Places) -> None:
        values = _take(self._values, _children(places, self._values.shape), np.nan)
        known = ~np.isnan(values)
        self._levels[0].put(places, np.where(known, values, 0), known, values)


def _children(places: _Places, shape: tuple[int, ...]) -> _Children:
    """Return rows and columns beneath coarser cells, and whether they are there.

    All are of shape (4, N); what lies beyond the raster is at its last cell.
    """
    rows, columns = places
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
