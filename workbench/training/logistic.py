"""Multinomial logistic regression for few labels and long vectors.

The penalty on the weights keeps the solution in the span of the examples, so with
fewer examples than dimensions it is found in as many dimensions as there are examples:
exact, and a fraction of the time. The products are small: threads of the BLAS that wait
for each other on a busy machine made them a hundred times as slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from workbench.system.blas_threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

PENALTY: Final = 1e-4
"""Weight of the squared weights in the loss, for each dimension of a vector."""

_PRECISION: Final = {"gtol": 1e-6, "ftol": 1e-13, "maxiter": 500}
"""Of L-BFGS-B: probabilities then agree with those of other solvers to 1e-3."""


@dataclass(frozen=True, eq=False, slots=True)
class LinearHead:
    """One linear layer: logits of K classes for vectors of D dimensions."""

    weight: NDArray[np.float32]
    """float32 (K, D)."""

    bias: NDArray[np.float32]
    """float32 (K,)."""

    def probabilities(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the softmax of the logits, float64 (N, K)."""
        with one_thread():
            logits = vectors @ self.weight.T + self.bias
        shares: NDArray[np.float64] = softmax(logits.astype(np.float64), axis=1)
        return shares


def fit_logistic(
    vectors: NDArray[np.float32],
    codes: NDArray[np.int64],
    scale: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    classes: int,
    start: LinearHead | None = None,
) -> LinearHead:
    """Return the head that classifies labelled vectors; the same input, the same head.

    Classes weigh the same however many examples they have. L-BFGS on standardized
    vectors; the standardization is folded into the head.

    Parameters
    ----------
    vectors : float32 (N, D)
        Finite vectors of the labelled tiles.
    codes : int64 (N,)
        Index of the class of each.
    scale : float64 (D,), float64 (D,)
        Mean and standard deviation by which vectors are standardized.
    classes : int
        Number of classes K; each has an example.
    start : LinearHead, optional
        An earlier solution from which the search begins.
    """
    with one_thread():
        return _fit(vectors, codes, scale, classes, start)


def _fit(
    vectors: NDArray[np.float32],
    codes: NDArray[np.int64],
    scale: tuple[NDArray[np.float64], NDArray[np.float64]],
    classes: int,
    start: LinearHead | None,
) -> LinearHead:
    mean, deviation = scale
    inputs = (vectors.astype(np.float64) - mean) / deviation
    basis, inputs = _compact(inputs)
    dimensions = inputs.shape[1]
    first = np.zeros((classes, dimensions + 1))
    if start is not None:
        weight = start.weight.astype(np.float64)
        first[:, -1] = start.bias + weight @ mean
        weight = weight * deviation
        first[:, :-1] = weight if basis is None else weight @ basis
    weights, penalty = _balanced(codes, classes), PENALTY * len(mean)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        return _loss(flat, inputs, codes, weights, penalty)

    solver: Any = minimize
    found = solver(loss, first.ravel(), jac=True, method="L-BFGS-B", options=_PRECISION)
    head: NDArray[np.float64] = found.x.reshape(classes, dimensions + 1)
    weight = head[:, :-1] if basis is None else head[:, :-1] @ basis.T
    weight = weight / deviation
    bias = head[:, -1] - weight @ mean
    return LinearHead(weight.astype(np.float32), bias.astype(np.float32))


def _compact(inputs: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64]]:
    """Return a basis (D, N) of the examples' span, and the examples in it (N, N).

    With at least as many examples as dimensions: None, and the examples unchanged.
    """
    number, dimensions = inputs.shape
    if number >= dimensions:
        return None, inputs
    basis, triangle = np.linalg.qr(inputs.T)
    return basis, triangle.T


def _balanced(codes: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return weights of the examples, of sum 1; each class has the same share."""
    counts = np.bincount(codes, minlength=classes)
    return 1.0 / (counts[codes] * np.count_nonzero(counts))


def _loss(
    flat: NDArray[np.float64],
    inputs: NDArray[np.float64],
    codes: NDArray[np.int64],
    weights: NDArray[np.float64],
    penalty: float,
) -> tuple[float, NDArray[np.float64]]:
    """Return weighted cross-entropy plus penalty, and its gradient."""
    head = flat.reshape(-1, inputs.shape[1] + 1)
    logits = inputs @ head[:, :-1].T + head[:, -1]
    logs = logits - logsumexp(logits, axis=1, keepdims=True)
    rows = np.arange(len(codes))
    loss = -weights @ logs[rows, codes] + 0.5 * penalty * (head[:, :-1] ** 2).sum()
    errors = np.exp(logs)
    errors[rows, codes] -= 1
    errors *= weights[:, None]
    gradient = np.empty_like(head)
    gradient[:, :-1] = errors.T @ inputs + penalty * head[:, :-1]
    gradient[:, -1] = errors.sum(axis=0)
    return float(loss), gradient.ravel()
