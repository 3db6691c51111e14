"""Division of tiles into chunks, and the order of the chunks.

Chunks are the unit of work. Their content depends only on the selected tiles and the
chunk size, so a resumed run computes the same batches, and the same numbers, as an
uninterrupted one. Their order is free and follows the view of the user.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.tiling.grid import Grid


_COARSE: Final = 16
"""Every chunk with a number divisible by this is in the coarse pass."""


def chunks_of(
    grid: Grid, tiles: NDArray[np.int64], size: int
) -> list[NDArray[np.int64]]:
    """Divide tiles into chunks of neighbours.

    Tiles are sorted along a Hilbert curve, whose segments are compact, so that the
    tiles of a chunk share most of the stored tiles they are read from.

    Parameters
    ----------
    grid : Grid
    tiles : int64 (N,)
        Tile numbers, unique, in any order.
    size : int
        Tiles per chunk; the last may have fewer.

    Returns
    -------
    list of int64 (<= size,)
        A partition of `tiles`; the number of a chunk is its index in the list.
    """
    rows, columns = np.divmod(np.sort(tiles), grid.columns)
    order = np.argsort(hilbert_index(columns, rows), kind="stable")
    ordered = np.sort(tiles)[order]
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]


def hilbert_index(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions of points along a Hilbert curve that covers all of them.

    Hilbert, "Ueber die stetige Abbildung einer Linie auf ein Flächenstück",
    Mathematische Annalen 38, 1891.

    Parameters
    ----------
    x, y : int64 (N,)
        Coordinates, from 0 to 2**31 - 1.

    Returns
    -------
    int64 (N,)
        Unique positions; consecutive points of the full square are neighbours.
    """
    x, y = x.copy(), y.copy()
    index = np.zeros_like(x)
    largest = int(max(x.max(initial=0), y.max(initial=0)))
    bits = largest.bit_length()
    for bit in reversed(range(bits)):
        side = 1 << bit
        right, down = (x & side) > 0, (y & side) > 0
        index += side * side * ((3 * right) ^ down)
        x, y = x & (side - 1), y & (side - 1)
        turned = right & ~down
        x[turned], y[turned] = side - 1 - x[turned], side - 1 - y[turned]
        x[~down], y[~down] = y[~down], x[~down]
    return index


class ChunkOrder:
    """Iterator over the remaining chunks, those in focus first.

    The focus is queried before each chunk, so that the current view is processed next.
    Without a focus every 16th chunk comes first, which covers the whole slide coarsely
    and then fills it in.

    Parameters
    ----------
    grid : Grid
    chunks : list of int64 (n,)
        From `chunks_of`.
    done : collection of int
        Numbers of chunks to skip.
    focus : callable, optional
        Returns the box in view, or None. Chunks that touch it come first, from its
        centre outwards. It is called from several threads.
    """

    def __init__(
        self,
        grid: Grid,
        chunks: list[NDArray[np.int64]],
        *,
        done: Collection[int] = (),
        focus: Callable[[], Box | None] | None = None,
    ) -> None:
        self._chunks = chunks
        self._focus = focus or (lambda: None)
        self._left = np.array([i not in done for i in range(len(chunks))], bool)
        self._hulls = _hulls(grid, chunks)

    def __iter__(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield (number, tiles) of each remaining chunk."""
        current = self._focus()
        order = self._sort_remaining(current)
        while order:
            if (focus := self._focus()) != current:
                current, order = focus, self._sort_remaining(focus)
            number = order.popleft()
            self._left[number] = False
            yield number, self._chunks[number]

    def first(self, numbers: Sequence[int]) -> int:
        """Return the chunk among `numbers` that comes first for the current focus."""
        focus = self._focus()
        if focus is None:
            return numbers[0]
        away, off_centre = self._distances(np.asarray(numbers), focus)
        return numbers[int(np.lexsort((off_centre, away))[0])]

    def hurries(self, numbers: Sequence[int]) -> bool:
        """Return whether the focus is on remaining chunks, and on none of `numbers`."""
        focus = self._focus()
        if focus is None or self._touches(np.asarray(numbers), focus).any():
            return False
        return bool(self._touches(np.flatnonzero(self._left), focus).any())

    def _sort_remaining(self, focus: Box | None) -> deque[int]:
        left = np.flatnonzero(self._left)
        left = left[np.argsort(left % _COARSE != 0, kind="stable")]
        if focus is not None:
            away, off_centre = self._distances(left, focus)
            left = left[np.lexsort((off_centre, away))]
        return deque(left.tolist())

    def _touches(self, chunks: NDArray[np.int64], focus: Box) -> NDArray[np.bool_]:
        x0, y0, x1, y1 = self._hulls[chunks].T
        across = (x0 < focus.x1) & (x1 > focus.x0)
        touching: NDArray[np.bool_] = across & (y0 < focus.y1) & (y1 > focus.y0)
        return touching

    def _distances(
        self, chunks: NDArray[np.int64], focus: Box
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the distances of chunks, and of their centres, from the focus centre.

        The distance is infinite for chunks that the focus does not touch.
        """
        x0, y0, x1, y1 = self._hulls[chunks].T
        x, y = focus.centre
        away = np.hypot(np.clip(x, x0, x1) - x, np.clip(y, y0, y1) - y)
        off_centre = np.hypot((x0 + x1) / 2 - x, (y0 + y1) / 2 - y)
        outside = ~self._touches(chunks, focus)
        away[outside] = off_centre[outside] = np.inf
        return away, off_centre


def _hulls(grid: Grid, chunks: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Return the bounds x0, y0, x1, y1 of the cores of each chunk, float64 (N, 4)."""
    hulls = np.empty((len(chunks), 4))
    for i, tiles in enumerate(chunks):
        rows, columns = np.divmod(tiles, grid.columns)
        hulls[i] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return hulls * grid.step
