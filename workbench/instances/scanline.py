"""Where a line of pixel centres crosses an outline, for compiled fills (even-odd)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@numba.njit(nogil=True, cache=True)
def cross_ring(
    along: NDArray[Any],
    across: NDArray[Any],
    ring: tuple[int, int],
    line: float,
    crossings: NDArray[np.float64],
) -> int:
    """Write the sorted places at which a ring crosses a line; return their number.

    Parameters
    ----------
    along : (P,)
        Coordinates of all rings along the line: x for a row.
    across : (P,)
        Coordinates across the line: y for a row.
    ring : (int, int)
        First point of the ring, and the end after its last one.
    line : float
        Place of the line: y of a row.
    crossings : float64 (M,)
        Changed in place; M is at least the number of points of the ring.
    """
    count = 0
    start, end = ring
    one, before = along[end - 1], across[end - 1]
    for at in range(start, end):
        other, after = along[at], across[at]
        if (before <= line) != (after <= line):
            found = one + (line - before) * (other - one) / (after - before)
            place = count
            while place > 0 and crossings[place - 1] > found:
                crossings[place] = crossings[place - 1]
                place -= 1
            crossings[place] = found
            count += 1
        one, before = other, after
    return count
