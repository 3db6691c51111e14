"""Percentiles without sorting: the exact order statistics of many numbers.

Numbers are counted in fine bins; only those in the bin that holds the wanted rank are
looked at one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS: Final = 4096


@numba.njit(nogil=True, cache=True)
def percentile(values: NDArray[np.float64], percent: float) -> float:
    """Return `np.percentile(values, percent)`.

    Parameters
    ----------
    values : float64 (N,)
        At least one, all finite.
    percent : float
        From 0 to 100.
    """
    position = percent / 100 * (len(values) - 1)
    below = int(position)
    low, high = values[0], values[0]
    for value in values:
        low, high = min(low, value), max(high, value)
    if not high > low:
        return float(low)
    scale = (_BINS - 1) / (high - low)
    counts = np.zeros(_BINS, np.int64)
    for value in values:
        counts[int((value - low) * scale)] += 1
    # The bins that hold the rank and the next one, and all bins between them.
    first, before = _bin_of(below, counts)
    last, _ = _bin_of(min(below + 1, len(values) - 1), counts)
    here = np.empty(counts[first : last + 1].sum(), np.float64)
    found = 0
    for value in values:
        if first <= int((value - low) * scale) <= last:
            here[found] = value
            found += 1
    here.sort()
    smaller = here[below - before]
    larger = here[min(below - before + 1, found - 1)]
    return float(smaller + (larger - smaller) * (position - below))


@numba.njit(nogil=True, cache=True)
def _bin_of(rank: int, counts: NDArray[np.int64]) -> tuple[int, int]:
    """Return the bin of the number of that rank, and how many lie in bins before."""
    number, before = 0, 0
    while before + counts[number] <= rank:
        before += counts[number]
        number += 1
    return number, before
