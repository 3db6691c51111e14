"""Spherical k-means, deterministic for the same vectors and seed.

Dhillon and Modha, "Concept decompositions for large sparse text data using clustering",
Machine Learning 42, 2001; initialized as in Arthur and Vassilvitskii, "k-means++",
SODA 2007.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CLUSTERS: Final = 20
MAX_SAMPLE: Final = 20_000
"""Number of vectors that the centres are computed from; all are then assigned."""

_MAX_STEPS: Final = 100
_TINY: Final = 1e-12


def unit_vectors(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Return vectors as float32 of length 1; zero vectors stay 0."""
    wide = vectors.astype(np.float32, copy=False)
    with np.errstate(invalid="ignore"):  # vectors that are not finite stay so
        lengths = np.linalg.norm(wide, axis=1, keepdims=True)
        directions: NDArray[np.float32] = wide / np.maximum(lengths, _TINY)
    return directions


def require_clusters(number: int, tiles: int) -> None:
    """Check the number of clusters.

    Raises
    ------
    OutOfBoundsError
        If that number of clusters is not possible.
    """
    if not 1 < number <= min(MAX_CLUSTERS, tiles):
        message = f"{tiles} tiles do not make {number} groups."
        raise OutOfBoundsError(message, f"Choose 2 to {MAX_CLUSTERS}.")


def cluster_names(number: int) -> tuple[str, ...]:
    """Return the names of clusters, the largest first."""
    return tuple(f"group {i + 1}" for i in range(number))


def cluster_centres(
    directions: NDArray[np.float32], number: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the centres of clusters, unit vectors (number, dimensions).

    Parameters
    ----------
    directions : float32 (N, dimensions)
        Unit vectors; of more than `MAX_SAMPLE`, a sample is used.
    number : int
    rng : numpy.random.Generator
    """
    if len(directions) > MAX_SAMPLE:
        directions = directions[rng.choice(len(directions), MAX_SAMPLE, replace=False)]
    centres = _first_centres(directions, number, rng)
    groups = np.full(len(directions), -1)
    for _ in range(_MAX_STEPS):
        cosines = directions @ centres.T
        if np.array_equal(groups, now := cosines.argmax(axis=1)):
            break
        groups = now
        for group in range(number):
            members = directions[groups == group]
            # A group without members restarts at the vector farthest from all centres.
            centres[group] = (
                members.mean(axis=0)
                if len(members)
                else directions[cosines.max(axis=1).argmin()]
            )
        centres = unit_vectors(centres)
    return centres


def _first_centres(
    directions: NDArray[np.float32], number: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Choose distant vectors, at random with a probability proportional to distance."""
    chosen = [int(rng.integers(len(directions)))]
    distance = np.full(len(directions), np.inf)
    while len(chosen) < number:
        latest = directions @ directions[chosen[-1]]
        distance = np.minimum(distance, np.maximum(0, 1 - latest.astype(np.float64)))
        total = distance.sum()
        shares = distance / total if total > _TINY else None
        chosen.append(int(rng.choice(len(directions), p=shares)))
    return directions[chosen].copy()
