"""Which tiles make a chunk, and which chunk is next.

Chunks are the unit of work: what they hold follows from the tiles asked for and the
size of a chunk alone, so a resumed run computes the same batches as one that was
never interrupted, and the same numbers come out. Their order is free, and follows
what somebody is looking at.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.grid import Grid


def chunks_of(
    grid: Grid, tiles: NDArray[np.int64], size: int
) -> list[NDArray[np.int64]]:
    """Cut tiles into chunks of neighbours.

    Tiles are lined up along a Hilbert curve, whose pieces are compact, so that the
    tiles of a chunk share most of the stored tiles they are read from.

    Parameters
    ----------
    grid : Grid
    tiles : int64 (N,)
        Numbers of tiles, each once, in any order.
    size : int
        Tiles in each chunk; the last may have fewer.

    Returns
    -------
    list of int64 (<= size,)
        A partition of `tiles`; the number of a chunk is its place in the list.
    """
    rows, columns = np.divmod(np.sort(tiles), grid.columns)
    order = np.argsort(hilbert_index(columns, rows), kind="stable")
    lined_up = np.sort(tiles)[order]
    return [lined_up[i : i + size] for i in range(0, len(lined_up), size)]


def hilbert_index(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of points along the Hilbert curve through all of them.

    Hilbert, "Ueber die stetige Abbildung einer Linie auf ein Flächenstück",
    Mathematische Annalen 38, 1891.

    Parameters
    ----------
    x, y : int64 (N,)
        Not negative, below 2**31.

    Returns
    -------
    int64 (N,)
        Different for different points; points that follow each other in the filled
        square are neighbours.
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


class Schedule:
    """The chunks left to do, those in focus first.

    Iterating draws them one by one; the focus is asked for at each, so that what
    somebody looks at now is what comes next.

    Parameters
    ----------
    grid : Grid
    chunks : list of int64 (n,)
        From `chunks_of`.
    done : collection of int
        Chunks that are not to be drawn.
    focus : callable, optional
        Returns the box that is looked at, or None. Chunks that touch it come first,
        from its centre outwards; the others follow in their order.
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
        """Draw (number, tiles) until none are left."""
        seen = self._focus()
        order = self._order(seen)
        while order:
            if (focus := self._focus()) != seen:
                seen, order = focus, self._order(focus)
            number = order.popleft()
            self._left[number] = False
            yield number, self._chunks[number]

    def _order(self, focus: Box | None) -> deque[int]:
        left = np.flatnonzero(self._left)
        if focus is None:
            return deque(left.tolist())
        x0, y0, x1, y1 = self._hulls[left].T
        touching = (x0 < focus.x1) & (x1 > focus.x0) & (y0 < focus.y1) & (y1 > focus.y0)
        x, y = focus.centre
        away = np.hypot(np.clip(x, x0, x1) - x, np.clip(y, y0, y1) - y)
        off_centre = np.hypot((x0 + x1) / 2 - x, (y0 + y1) / 2 - y)
        away[~touching] = off_centre[~touching] = np.inf
        return deque(left[np.lexsort((off_centre, away))].tolist())


def _hulls(grid: Grid, chunks: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Return x0, y0, x1, y1 around the cores of each chunk, float64 (chunks, 4)."""
    hulls = np.empty((len(chunks), 4))
    for i, tiles in enumerate(chunks):
        rows, columns = np.divmod(tiles, grid.columns)
        hulls[i] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return hulls * grid.step
