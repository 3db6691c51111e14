"""Mipmap of a raster, updated as values come."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Summary = Literal["mean", "highest"]
"""Summary of the cells below one pixel."""

Number = TypeVar("Number", np.float64, np.float32, np.int32)

_SIDE: Final = 2
_QUARTERS: Final = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])

_Cells = tuple["NDArray[np.intp]", ...]
"""Rows and columns of cells in a level."""

_Children = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.bool_]"]


class Mipmap:
    """A raster and its halved levels, down to one cell.

    A coarser cell summarizes exactly the finest cells below it that have values, so
    no value disappears at low zoom. The levels of a class are computed when first
    used; later only the cells marked by `touch` are recomputed. Thread-safe.

    Parameters
    ----------
    values : float32 (classes, rows, columns)
        NaN where there is no value; read again where it is touched.
    """

    def __init__(self, values: NDArray[np.float32]) -> None:
        self._values = values
        self._lock = threading.Lock()
        self._classes: dict[int, _ClassLevels] = {}
        self.depth = max(0, math.ceil(math.log2(max(values.shape[1:]))))
        """Number of the coarsest level; 0 is the raster itself."""

    def is_of(self, values: NDArray[np.float32]) -> bool:
        """Return whether this is the mipmap of the given array itself."""
        return self._values is values

    def level_for(self, pixel: float) -> int:
        """Return the finest level whose cells are no smaller than a pixel.

        Parameters
        ----------
        pixel : float
            Side of a pixel, in cells of the raster.
        """
        if pixel <= 1:
            return 0
        return min(self.depth, math.ceil(math.log2(pixel)))

    def touch(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        """Mark cells whose values have changed.

        Parameters
        ----------
        rows, columns : int64
            Rows and columns of the raster; broadcast against each other.
        """
        with self._lock:
            for levels in self._classes.values():
                levels.stale[rows // _SIDE, columns // _SIDE] = True

    def at(
        self, level: int, channel: int, summary: Summary = "mean"
    ) -> NDArray[np.float32]:
        """Return a level of one class, float32 (rows, columns); NaN: no value.

        The result is not a copy: later calls update it.
        """
        values: NDArray[np.float32] = self._values[channel]
        if level == 0:
            return values
        with self._lock:
            if channel not in self._classes:
                self._classes[channel] = _ClassLevels(values)
            return self._classes[channel].at(level, summary)


@dataclass(frozen=True, eq=False, slots=True)
class _Level:
    """Summaries of square blocks of cells; arrays of (rows, columns)."""

    total: NDArray[np.float64]
    count: NDArray[np.int32]
    """Number of cells of the block that have a value."""

    mean: NDArray[np.float32]
    highest: NDArray[np.float32]
    """NaN where no cell has a value, as in `mean`."""

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> _Level:
        return cls(
            np.zeros(shape, np.float64),
            np.zeros(shape, np.int32),
            np.full(shape, np.nan, np.float32),
            np.full(shape, np.nan, np.float32),
        )

    def above(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> _Cells:
        """Return the blocks that contain cells of the next finer level, each once."""
        within = np.zeros(self.count.shape, bool)
        within[rows // _SIDE, columns // _SIDE] = True
        return np.nonzero(within)

    def put(
        self,
        cells: _Cells,
        total: NDArray[Any],
        count: NDArray[Any],
        highest: NDArray[Any],
    ) -> None:
        """Set the summaries of blocks from the cells below them, each (4, N)."""
        self.total[cells] = total.sum(0, np.float64)
        present = count.sum(0)
        self.count[cells] = present
        mean = self.total[cells] / np.maximum(present, 1)
        self.mean[cells] = np.where(present > 0, mean, np.nan)
        self.highest[cells] = np.fmax.reduce(highest)


class _ClassLevels:
    """Levels of one class."""

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
        chosen = self._levels[level - 1]
        return chosen.highest if summary == "highest" else chosen.mean

    def _refresh(self) -> None:
        """Recompute the stale cells, level by level."""
        if not self.stale.any():
            return
        cells = np.nonzero(self.stale)
        self.stale[:] = False
        self._sum_values(cells)
        for finer, coarser in zip(self._levels, self._levels[1:], strict=False):
            cells = coarser.above(*cells)
            below = _children(cells, finer.count.shape)
            coarser.put(
                cells,
                _gather(finer.total, below, 0),
                _gather(finer.count, below, 0),
                _gather(finer.highest, below, np.nan),
            )

    def _sum_values(self, cells: _Cells) -> None:
        values = _gather(self._values, _children(cells, self._values.shape), np.nan)
        present = ~np.isnan(values)
        self._levels[0].put(cells, np.where(present, values, 0), present, values)


def _children(cells: _Cells, shape: tuple[int, ...]) -> _Children:
    """Return rows and columns of the cells below, and whether they exist.

    All have the shape (4, N); a cell beyond the raster is replaced by the last one.
    """
    rows, columns = cells
    down = rows * _SIDE + _QUARTERS[:, :1]
    right = columns * _SIDE + _QUARTERS[:, 1:]
    exists = (down < shape[0]) & (right < shape[1])
    return np.minimum(down, shape[0] - 1), np.minimum(right, shape[1] - 1), exists


def _gather(
    cells: NDArray[Number], children: _Children, nothing: float
) -> NDArray[Number]:
    """Return the cells below, (4, N); `nothing` beyond the raster."""
    rows, columns, exists = children
    gathered: NDArray[Number] = cells[rows, columns]
    gathered[~exists] = nothing
    return gathered
