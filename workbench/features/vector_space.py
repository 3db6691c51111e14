"""Clusters and principal components of vectors, which are read a group at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.features.rows import groups_of
from workbench.results.spherical_kmeans import (
    MAX_SAMPLE,
    cluster_centres,
    require_clusters,
    unit_vectors,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.features.rows import Rows

_AXES: Final = 2
_SMALL: Final = 64
"""Side of a matrix up to which all its singular values are computed."""


def cluster_cosines(rows: Rows, number: int, seed: int) -> NDArray[np.float32]:
    """Return the cosine of each vector to the centre of each cluster, (N, number).

    Vectors are taken minus their mean; the largest cluster comes first. NaN for a
    vector that is not finite.

    Raises
    ------
    OutOfBoundsError
        If that number of clusters is not possible.
    """
    rng = np.random.default_rng(seed)
    sample, mean = _sample(rows, rng)
    require_clusters(number, len(sample))
    centres = cluster_centres(unit_vectors(sample - mean), number, rng)
    found = [
        unit_vectors(_known(group) - mean) @ centres.T for _, group in groups_of(rows)
    ]
    cosines: NDArray[np.float32] = np.concatenate(found)
    known = cosines[np.isfinite(cosines).all(axis=1)]
    sizes = np.bincount(known.argmax(axis=1), minlength=number)
    return cosines[:, np.argsort(-sizes, kind="stable")]


def principal_axes(rows: Rows, seed: int) -> NDArray[np.float64]:
    """Return each vector along the two axes of the largest variance, (N, 2).

    The axes are those of at most `MAX_SAMPLE` vectors; their largest component is
    positive. NaN for a vector that is not finite.
    """
    sample, mean = _sample(rows, np.random.default_rng(seed))
    if not sample.size:
        return np.full((rows.shape[0], _AXES), np.nan)
    axes = _largest_axes(sample - mean)
    found = [(_known(group) - mean) @ axes.T for _, group in groups_of(rows)]
    return np.concatenate(found).astype(np.float64)


def _largest_axes(centred: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return two axes, (2, dimensions); zeros where there are fewer."""
    axes = np.zeros((_AXES, centred.shape[1]), np.float32)
    if min(centred.shape) <= _SMALL:
        right = np.linalg.svd(centred, full_matrices=False)[2][:_AXES]
    else:
        from scipy.sparse.linalg import svds  # noqa: PLC0415 - slow, for this only

        start = np.ones(min(centred.shape), np.float32)
        _, sizes, right = svds(centred, _AXES, v0=start)
        right = right[np.argsort(-sizes)]
    largest = np.abs(right).argmax(axis=1)
    signs = np.sign(right[np.arange(len(right)), largest])
    axes[: len(right)] = right * signs[:, None]
    return axes


def _known(group: NDArray[Any]) -> NDArray[np.float32]:
    """Return vectors as float32, with NaN alone in those that are not finite."""
    wide: NDArray[np.float32] = group.astype(np.float32)
    wide[~np.isfinite(wide).all(axis=1)] = np.nan
    return wide


def _sample(
    rows: Rows, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return at most `MAX_SAMPLE` finite vectors, and the mean of all of them."""
    count, dimensions = rows.shape
    chosen = np.ones(count, bool)
    if count > MAX_SAMPLE:
        chosen[:] = False
        chosen[rng.choice(count, MAX_SAMPLE, replace=False)] = True
    total, number = np.zeros(dimensions), 0
    kept: list[NDArray[Any]] = [np.empty((0, dimensions), np.float32)]
    for start, group in groups_of(rows):
        wide = _known(group)
        finite = np.isfinite(wide).all(axis=1)
        total += wide[finite].sum(axis=0, dtype=np.float64)
        number += int(finite.sum())
        kept.append(wide[finite & chosen[start : start + len(wide)]])
    mean: NDArray[np.float32] = (total / max(1, number)).astype(np.float32)
    return np.concatenate(kept), mean
