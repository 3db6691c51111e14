"""Clusters, components and maps of vectors, which are read a group at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import MissingPackageError
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
_COLOURS: Final = 3
_ENDS: Final = (2, 98)
UMAP_EXTRA: Final = "umap"
MAX_MAPPED: Final = 10_000
"""Tiles that UMAP maps; it takes about a minute for them on two cores."""

_NEIGHBOURS: Final = 15
_FEWEST_MAPPED: Final = 5
"""Tiles up to which there is nothing for UMAP to learn."""

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


def principal_axes(rows: Rows, seed: int, number: int = _AXES) -> NDArray[np.float64]:
    """Return each vector along the axes of the largest variance, (N, number).

    The axes are those of at most `MAX_SAMPLE` vectors; their largest component is
    positive. NaN for a vector that is not finite.
    """
    sample, mean = _sample(rows, np.random.default_rng(seed))
    if not sample.size:
        return np.full((rows.shape[0], number), np.nan)
    axes = _largest_axes(sample - mean, number)
    found = [(_known(group) - mean) @ axes.T for _, group in groups_of(rows)]
    return np.concatenate(found).astype(np.float64)


def component_colours(rows: Rows, seed: int) -> NDArray[np.float64]:
    """Return three principal components of each vector, each from 0 to 1, (N, 3).

    The ends are the percentiles 2 and 98 of the tiles; a component without variance is
    0.5. NaN for a vector that is not finite.
    """
    found = principal_axes(rows, seed, _COLOURS)
    known = found[np.isfinite(found).all(axis=1)]
    if not len(known):
        return found
    low, high = np.percentile(known, _ENDS, axis=0)
    spread = high - low
    shares = (found - low) / np.where(spread > 0, spread, 1)
    limited: NDArray[np.float64] = np.where(spread > 0, shares.clip(0, 1), 0.5)
    limited[~np.isfinite(found).all(axis=1)] = np.nan
    return limited


def umap_places(rows: Rows, seed: int) -> NDArray[np.float64]:
    """Return a map of the vectors by UMAP of their cosines, (N, 2).

    Of more than `MAX_MAPPED` tiles, a sample is mapped; NaN for the others, and for a
    vector that is not finite.

    Raises
    ------
    MissingPackageError
        If umap-learn is not installed.
    """
    try:
        from umap import UMAP  # noqa: PLC0415 - an extra, and slow
    except ImportError as error:
        raise MissingPackageError(UMAP_EXTRA) from error
    count = rows.shape[0]
    chosen = np.arange(count)
    if count > MAX_MAPPED:
        draws = np.random.default_rng(seed)
        chosen = np.sort(draws.choice(count, MAX_MAPPED, replace=False))
    vectors = _known(np.asarray(rows[chosen]))
    finite = np.isfinite(vectors).all(axis=1)
    places = np.full((count, _AXES), np.nan)
    if finite.sum() <= _FEWEST_MAPPED:
        places[chosen] = principal_axes(vectors, seed)
        return places
    neighbours = min(_NEIGHBOURS, int(finite.sum()) - 1)
    # A seed makes the map the same each time, and needs one thread.
    reducer = UMAP(n_neighbors=neighbours, metric="cosine", random_state=seed, n_jobs=1)
    places[chosen[finite]] = reducer.fit_transform(vectors[finite])
    return places


def _largest_axes(centred: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """Return axes, (number, dimensions); zeros where there are fewer."""
    axes = np.zeros((number, centred.shape[1]), np.float32)
    if min(centred.shape) <= _SMALL:
        right = np.linalg.svd(centred, full_matrices=False)[2][:number]
    else:
        from scipy.sparse.linalg import svds  # noqa: PLC0415 - slow, for this only

        start = np.ones(min(centred.shape), np.float32)
        _, sizes, right = svds(centred, number, v0=start)
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
