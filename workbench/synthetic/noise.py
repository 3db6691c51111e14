"""Noise that is deterministic in position, independent of the requested area."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def uniform(
    seed: int, x: NDArray[np.int64], y: NDArray[np.int64], stream: int = 0
) -> NDArray[np.float64]:
    """Return a hash in [0, 1) of each lattice point (x, y): float64, shape of `x`.

    The mixing is that of SplitMix64 (Steele, Lea and Flood, 2014).
    """
    first, second, third = (np.uint64(m) for m in _MIX)
    with np.errstate(over="ignore"):
        key = np.uint64((seed * 1_000_003 + stream * 7_919) % (1 << 63))
        state = (x.astype(np.int64).view(np.uint64) + key) * first
        state = _scramble(state, second, third)
        state = (state ^ y.astype(np.int64).view(np.uint64)) * first + key
        state = _scramble(state, second, third)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _scramble(
    state: NDArray[np.uint64], second: np.uint64, third: np.uint64
) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * second
    state = (state ^ (state >> np.uint64(27))) * third
    return state ^ (state >> np.uint64(31))


def smooth(
    seed: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    size: float,
    octaves: int = 3,
    stream: int = 0,
) -> NDArray[np.float64]:
    """Return value noise, about 0 to 1, on a raster: float64 (len(y), len(x)).

    Parameters
    ----------
    x, y : array
        Coordinates of the columns and rows, in the unit of `size`.
    size : float
        Size of the largest features; each octave halves it.
    """
    total = np.zeros((len(y), len(x)))
    weight, sum_of_weights = 1.0, 0.0
    for octave in range(octaves):
        step = size / 2**octave
        total += weight * _sample_raster(seed, x / step, y / step, stream * 31 + octave)
        sum_of_weights += weight
        weight /= 2
    return total / sum_of_weights


def rotated(
    seed: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    size: float,
    octaves: int = 3,
    stream: int = 0,
) -> NDArray[np.float64]:
    """Return noise as `smooth` does, with the lattice of each octave rotated.

    Slower, but contour lines do not follow columns and rows.
    """
    total = np.zeros((len(y), len(x)))
    for octave in range(octaves):
        step = size / 2**octave
        angle = 0.6 + 2.4 * (stream * 31 + octave)
        cos, sin = np.cos(angle) / step, np.sin(angle) / step
        across = x[None, :] * cos - y[:, None] * sin
        down = x[None, :] * sin + y[:, None] * cos
        total += _sample_points(seed, across, down, stream * 31 + octave) / 2**octave
    return total / (2 - 2.0 ** (1 - octaves))


def _sample_points(
    seed: int, x: NDArray[np.float64], y: NDArray[np.float64], stream: int
) -> NDArray[np.float64]:
    columns, rows = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    across, down = _ease(x - columns), _ease(y - rows)
    x0, y0 = columns.min(), rows.min()
    gy, gx = np.mgrid[y0 : rows.max() + 2, x0 : columns.max() + 2]
    lattice = uniform(seed, gx, gy, stream).ravel()
    index = (rows - y0) * gx.shape[1] + columns - x0
    top = lattice[index] + (lattice[index + 1] - lattice[index]) * across
    index += gx.shape[1]
    bottom = lattice[index] + (lattice[index + 1] - lattice[index]) * across
    return np.asarray(top + (bottom - top) * down)


def _sample_raster(
    seed: int, x: NDArray[np.float64], y: NDArray[np.float64], stream: int
) -> NDArray[np.float64]:
    columns, rows = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    across, down = _ease(x - columns), _ease(y - rows)
    x0, y0 = columns[0], rows[0]
    gy, gx = np.mgrid[y0 : rows[-1] + 2, x0 : columns[-1] + 2]
    lattice = uniform(seed, gx, gy, stream)
    top = lattice[rows - y0]
    bottom = lattice[rows - y0 + 1]
    along = top + (bottom - top) * down[:, None]
    left, right = along[:, columns - x0], along[:, columns - x0 + 1]
    return np.asarray(left + (right - left) * across)


def _ease(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(t * t * (3 - 2 * t))
