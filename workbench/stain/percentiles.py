"""Percentiles without sorting: exact order statistics of many numbers or angles.

Numbers are counted in fine bins; only those in the bin of the requested rank are
examined one by one.
"""

from __future__ import annotations

import math
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
    smaller, larger, share = neighbours(values, (percent,))[0]
    return float(smaller + (larger - smaller) * share)


@numba.njit(nogil=True, cache=True)
def neighbours(
    values: NDArray[np.float64], percents: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return the two values that each percentile lies between, and the share.

    Parameters
    ----------
    values : float64 (N,)
        At least one, all finite.
    percents : tuple of float
        From 0 to 100.

    Returns
    -------
    float64 (K, 3)
        Per percentile: the smaller value, the larger one, and the distance from the
        smaller one as a share of their difference, 0 to 1.
    """
    low, high = values[0], values[0]
    for value in values:
        low, high = min(low, value), max(high, value)
    found = np.zeros((len(percents), 3))
    found[:, :2] = low
    if not high > low:
        return found
    scale = (_BINS - 1) / (high - low)
    counts = np.zeros(_BINS, np.int64)
    for value in values:
        counts[int((value - low) * scale)] += 1
    for number, percent in enumerate(percents):
        position = percent / 100 * (len(values) - 1)
        rank = int(position)
        # The bins that hold the rank and the next one, and all bins between them.
        first, before = _bin_of(rank, counts)
        last, _ = _bin_of(min(rank + 1, len(values) - 1), counts)
        here, count = np.empty(counts[first : last + 1].sum(), np.float64), 0
        for value in values:
            if first <= int((value - low) * scale) <= last:
                here[count] = value
                count += 1
        here.sort()
        found[number, 0] = here[rank - before]
        found[number, 1] = here[min(rank - before + 1, count - 1)]
        found[number, 2] = position - rank
    return found


@numba.njit(nogil=True, cache=True)
def _bin_of(rank: int, counts: NDArray[np.int64]) -> tuple[int, int]:
    """Return the bin of a rank, and the number of values in the bins before it."""
    number, before = 0, 0
    while before + counts[number] <= rank:
        before += counts[number]
        number += 1
    return number, before


@numba.njit(nogil=True, cache=True)
def turn(along: float, across: float) -> float:
    """Return a number, -2 to 2 once around, in the order of `arctan2(along, across)`.

    It is much faster, for directions of which few angles are needed: `angles`.
    """
    length = abs(across) + abs(along)
    part = along / length if length > 0 else 0.0
    return part if across >= 0 else math.copysign(2.0, along) - part


def angles(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angles, in radians, of results of `turn`."""
    ahead = np.abs(turns) <= 1
    along = np.where(ahead, turns, np.copysign(2, turns) - turns)
    across = 1 - np.abs(along)
    found: NDArray[np.float64] = np.arctan2(along, np.where(ahead, across, -across))
    return found
