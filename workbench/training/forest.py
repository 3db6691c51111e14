"""Random forest as arrays: fitted by scikit-learn, stored without code, fast to apply.

A pickle could run code when it is opened, so a forest is stored as numbers, and walked
by a few compiled lines.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Self

import numba
import numpy as np

from workbench.system.thread_pool import run_parallel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

TREES: Final = 50
DEPTH: Final = 10
"""Most steps from the root of a tree to a leaf."""

_SMALLEST_LEAF: Final = 2
_BLOCK: Final = 1 << 16
_TOGETHER: Final = 256
_DTYPES: Final = {
    "roots": np.int32,
    "feature": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "shares": np.float32,
}


@dataclass(frozen=True, eq=False, slots=True)
class Forest:
    """Trees of a random forest, all nodes one after another.

    L. Breiman, "Random forests", Machine Learning 45, 2001.
    """

    roots: NDArray[np.int32]
    """Node at which each tree begins, int32 (T,)."""

    feature: NDArray[np.int32]
    """Column that a node compares; -1: it is a leaf; int32 (M,)."""

    threshold: NDArray[np.float64]
    """A value up to this goes to the left; float64 (M,)."""

    left: NDArray[np.int32]
    """Node of lower values, after its parent; int32 (M,)."""

    right: NDArray[np.int32]
    """Node of higher values, after its parent; int32 (M,)."""

    shares: NDArray[np.float32]
    """Share of each class at a node, float32 (M, K)."""

    @classmethod
    def fit(
        cls, values: NDArray[np.float32], codes: NDArray[np.int64], *, seed: int = 0
    ) -> Self:
        """Return the forest of examples; the same examples give the same forest.

        Parameters
        ----------
        values : float32 (N, F)
            Finite values of the examples.
        codes : int64 (N,)
            Class of each, 0 to K - 1; each class has an example, and weighs the same.
        """
        from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - slow

        made = RandomForestClassifier(
            TREES,
            max_depth=DEPTH,
            min_samples_leaf=_SMALLEST_LEAF,
            class_weight="balanced",
            random_state=seed,
        ).fit(values, codes)
        return cls.of_trees([each.tree_ for each in made.estimators_])

    @classmethod
    def of_trees(cls, trees: list[Any]) -> Self:
        """Return the forest of the trees of scikit-learn."""
        sizes = [tree.node_count for tree in trees]
        roots = np.cumsum([0, *sizes[:-1]])
        shift = np.repeat(roots, sizes)
        leaf = np.concatenate([tree.children_left for tree in trees]) < 0
        children = [
            np.concatenate([getattr(tree, name) for tree in trees]) + shift
            for name in ("children_left", "children_right")
        ]
        votes = np.concatenate([tree.value[:, 0, :] for tree in trees])
        parts: dict[str, Any] = {
            "roots": roots,
            "feature": np.where(leaf, -1, np.concatenate([t.feature for t in trees])),
            "threshold": np.concatenate([tree.threshold for tree in trees]),
            "left": np.where(leaf, 0, children[0]),
            "right": np.where(leaf, 0, children[1]),
            "shares": votes / votes.sum(axis=1, keepdims=True),
        }
        return cls(**{n: part.astype(_DTYPES[n]) for n, part in parts.items()})

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], columns: int) -> Self:
        """Return the forest in arrays of a file, which may be damaged.

        Parameters
        ----------
        arrays : mapping
            As `arrays` returns.
        columns : int
            Number of columns of the values.

        Raises
        ------
        ValueError
            If an array is missing or of another type, or a node leads nowhere.
        """
        for name, dtype in _DTYPES.items():
            ndim = 2 if name == "shares" else 1
            if name not in arrays or arrays[name].dtype != dtype:
                message = f"it has no '{name}' of type {np.dtype(dtype)}"
                raise ValueError(message)
            if arrays[name].ndim != ndim or not arrays[name].size:
                message = f"'{name}' has the shape {arrays[name].shape}"
                raise ValueError(message)
        found = cls(**{name: np.ascontiguousarray(arrays[name]) for name in _DTYPES})
        found._check(columns)
        return found

    def _check(self, columns: int) -> None:
        """Refuse nodes that lead out of the arrays or back, and so without end."""
        number = len(self.feature)
        sizes = {len(getattr(self, f.name)) for f in fields(self)[1:]}
        inner = np.flatnonzero(self.feature >= 0)
        ends = [children[inner] for children in (self.left, self.right)]
        good = (
            sizes == {number}
            and bool((self.feature < columns).all())
            and bool(((self.roots >= 0) & (self.roots < number)).all())
            and all(bool(((e > inner) & (e < number)).all()) for e in ends)
            and bool(np.isfinite(self.shares).all())
        )
        if not good:
            message = "its nodes lead nowhere"
            raise ValueError(message)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, for a file."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def probabilities(
        self, values: NDArray[np.float32], *, threads: int = 2
    ) -> NDArray[np.float32]:
        """Return the mean share of each class over the trees, float32 (N, K).

        Parameters
        ----------
        values : float32 (N, F)
            Finite values.
        threads : int
            Number of threads, the caller's included.
        """
        values = np.ascontiguousarray(values, np.float32)
        found = np.zeros((len(values), self.shares.shape[1]), np.float32)
        steps = self._steps()

        def walk(start: int) -> None:
            rows = slice(start, start + _BLOCK)
            _walk(values[rows], steps, self.shares, found[rows])

        starts = range(0, len(values), _BLOCK)
        run_parallel([lambda s=s: walk(s) for s in starts], threads)  # type: ignore[misc]
        return found

    def _steps(self) -> tuple[NDArray[Any], ...]:
        """Return the nodes for walks without branches.

        A leaf leads to itself, so that all values take as many steps as a tree is
        deep. Thresholds are the largest float32 up to those of float64: the values are
        float32, so that the comparisons stay the same.
        """
        leaf = self.feature < 0
        own = np.arange(len(leaf), dtype=np.int32)
        sides = [np.where(leaf, own, side) for side in (self.left, self.right)]
        near = self.threshold.astype(np.float32)
        lower = np.nextafter(near, np.float32(-np.inf))
        threshold = np.where(near > self.threshold, lower, near)
        return (
            self.roots,
            self._depths(),
            np.where(leaf, 0, self.feature).astype(np.int32),
            np.where(leaf, np.float32(np.inf), threshold),
            np.stack(sides, axis=1).astype(np.int32),
        )

    def _depths(self) -> NDArray[np.int32]:
        """Return the number of steps to the deepest leaf of each tree, int32 (T,)."""
        below = np.zeros(len(self.feature), np.int32)
        for node in np.flatnonzero(self.feature >= 0)[::-1]:  # children come later
            below[node] = 1 + max(below[self.left[node]], below[self.right[node]])
        return below[self.roots]


@numba.njit(nogil=True, cache=True)
def _walk(
    values: NDArray[np.float32],
    steps: tuple[NDArray[Any], ...],
    shares: NDArray[np.float32],
    found: NDArray[np.float32],
) -> None:
    """Add the mean share of each class to `found`, float32 (N, K).

    Many values walk through a tree at once, because the steps of one wait for memory.
    """
    roots, depths, feature, threshold, children = steps
    nodes = np.empty(_TOGETHER, np.int32)
    for start in range(0, len(values), _TOGETHER):
        count = min(_TOGETHER, len(values) - start)
        for tree in range(len(roots)):
            nodes[:count] = roots[tree]
            for _ in range(depths[tree]):
                for row in range(count):
                    node = nodes[row]
                    value = values[start + row, feature[node]]
                    nodes[row] = children[node, np.int32(value > threshold[node])]
            for row in range(count):
                for code in range(shares.shape[1]):
                    found[start + row, code] += shares[nodes[row], code]
        for row in range(start, start + count):
            for code in range(shares.shape[1]):
                found[row, code] /= len(roots)
