"""A dictionary of two stains with sparse amounts, at the optimum of its objective.

Every density v is explained by amounts a >= 0 of two unit vectors D >= 0, with the
cost (Mairal et al., "Online dictionary learning for sparse coding", ICML 2009)

    1/2 |v - a D|^2 + penalty * (a_1 + a_2).

For given vectors the optimal amounts have a closed form, so the cost is a function of
four angles alone (variable projection), and by the envelope theorem its gradient is
that at fixed amounts. The function is minimized by L-BFGS: no seed, no step size, no
time limit, and the same result every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOLERANCE: Final[Any] = {"maxiter": 200, "ftol": 1e-15, "gtol": 1e-10, "maxls": 40}


@dataclass(frozen=True, eq=False, slots=True)
class Densities:
    """Points in optical density, with their weights."""

    points: NDArray[np.float64]
    """float64, shape (K, 3)."""

    weights: NDArray[np.float64]
    """float64, shape (K,), not negative."""


def sparse_codes(
    points: NDArray[np.float64], stains: NDArray[np.float64], penalty: float
) -> NDArray[np.float64]:
    """Return the exact solution of the non-negative lasso of two unit vectors.

    With b = D v - penalty and g the vectors' inner product, g >= 0, each amount is
    max(0, min(b, (b - g * b of the other) / (1 - g^2))): the first if the other stain
    is absent, the second if both are present.

    Parameters
    ----------
    points : float64 (..., 3)
        Densities.
    stains : float64 (2, 3)
        Unit vectors without negative entries, not parallel.
    penalty : float
        Cost of one unit of stain.

    Returns
    -------
    float64 (..., 2)
        Amounts, none negative.
    """
    overlap = float(stains[0] @ stains[1])
    alone = points @ stains.T - penalty
    both = (alone - overlap * alone[..., ::-1]) / (1 - overlap**2)
    codes: NDArray[np.float64] = np.maximum(np.minimum(alone, both), 0)
    return codes


def objective(
    densities: Densities, stains: NDArray[np.float64], penalty: float
) -> float:
    """Return the mean cost of densities with their optimal amounts.

    Parameters
    ----------
    densities : Densities
        Densities to explain.
    stains : float64 (2, 3)
        Unit vectors without negative entries.
    penalty : float
        Cost of one unit of stain.
    """
    total, _ = _price(densities.points, densities.weights, stains, penalty)
    return float(total / densities.weights.sum())


def learn_dictionary(
    densities: Densities, starts: NDArray[np.float64], penalty: float
) -> NDArray[np.float64]:
    """Return the stain vectors with the lowest cost reached from any start.

    Parameters
    ----------
    densities : Densities
        Densities to explain.
    starts : float64 (S, 2, 3)
        Vectors to start from, without negative entries.
    penalty : float
        Cost of one unit of stain.

    Returns
    -------
    float64 (2, 3)
        Unit vectors without negative entries, in the order of the start.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - slow to import

    weights = densities.weights / densities.weights.sum()

    def price(angles: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        stains, tangents = _vectors(angles)
        value, slope = _price(densities.points, weights, stains, penalty)
        return value, (slope * tangents).sum(-1).ravel()

    found = [
        minimize(
            price,
            _angles(start).ravel(),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, np.pi / 2)] * 4,
            options=_TOLERANCE,
        )
        for start in starts
    ]
    best = min(found, key=lambda each: float(each.fun))
    stains, _ = _vectors(best.x)
    # The cosine of pi / 2 is not quite zero.
    return np.maximum(stains, 0)


def _angles(stains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return polar angle and azimuth, shape (2, 2): angle, stain."""
    unit = stains / np.linalg.norm(stains, axis=1, keepdims=True)
    polar = np.arccos(np.clip(unit[:, 2], -1, 1))
    return np.stack([polar, np.arctan2(unit[:, 1], unit[:, 0])])


def _vectors(
    angles: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return unit vectors (2, 3) and their derivatives (angle, stain, 3)."""
    (sin_p, sin_a), (cos_p, cos_a) = (f(angles.reshape(2, 2)) for f in (np.sin, np.cos))
    stains = np.stack([sin_p * cos_a, sin_p * sin_a, cos_p], 1)
    by_polar = np.stack([cos_p * cos_a, cos_p * sin_a, -sin_p], 1)
    by_azimuth = np.stack([-sin_p * sin_a, sin_p * cos_a, np.zeros(2)], 1)
    return stains, np.stack([by_polar, by_azimuth])


@numba.njit(cache=True, nogil=True)
def _price(
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    stains: NDArray[np.float64],
    penalty: float,
) -> tuple[float, NDArray[np.float64]]:
    """Return the weighted sum of costs and its gradient (2, 3) by the vectors."""
    d, e = stains[0], stains[1]
    overlap = d[0] * e[0] + d[1] * e[1] + d[2] * e[2]
    spread = 1 / max(1 - overlap * overlap, 1e-12)
    total = 0.0
    gradient = np.zeros((2, 3))
    for k in range(len(points)):
        x, y, z = points[k, 0], points[k, 1], points[k, 2]
        first = x * d[0] + y * d[1] + z * d[2] - penalty
        second = x * e[0] + y * e[1] + z * e[2] - penalty
        a = max(min(first, (first - overlap * second) * spread), 0.0)
        b = max(min(second, (second - overlap * first) * spread), 0.0)
        x -= a * d[0] + b * e[0]
        y -= a * d[1] + b * e[1]
        z -= a * d[2] + b * e[2]
        weight = weights[k]
        total += weight * (0.5 * (x * x + y * y + z * z) + penalty * (a + b))
        a *= weight
        b *= weight
        gradient[0, 0] -= a * x
        gradient[0, 1] -= a * y
        gradient[0, 2] -= a * z
        gradient[1, 0] -= b * x
        gradient[1, 1] -= b * y
        gradient[1, 2] -= b * z
    return total, gradient
