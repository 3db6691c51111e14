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
    first = _ranked(values, below)
    if below + 1 >= len(values):
        return float(first)
    return float(first + (_ranked(values, below + 1) - first) * (position - below))


@numba.njit(nogil=True, cache=True)
def _ranked(values: NDArray[np.float64], rank: int) -> float:
    """Return the number with `rank` smaller ones before it."""
    low, high = values.min(), values.max()
    if not high > low:
        return float(low)
    scale = (_BINS - 1) / (high - low)
    counts = np.zeros(_BINS, np.int64)
    for value in values:
        counts[int((value - low) * scale)] += 1
    bin_, before = 0, 0
    while before + counts[bin_] <= rank:
        before += counts[bin_]
        bin_ += 1
    here = np.empty(counts[bin_], np.float64)
    found = 0
    for value in values:
        if int((value - low) * scale) == bin_:
            here[found] = value
            found += 1
    here.sort()
    return float(here[rank - before])
