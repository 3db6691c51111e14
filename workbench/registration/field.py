"""A smooth map of the plane: affine, plus displacements on a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import linalg

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS: Final = 50
_CLOSE_UM: Final = 1e-3


@dataclass(frozen=True, eq=False, slots=True)
class Field:
    """A map from micrometres of the fixed slide to micrometres of the moving one."""

    affine: NDArray[np.float64]
    """Affine part, float64 (2, 3)."""

    shifts: NDArray[np.float64]
    """Displacements after the affine part at the nodes, float64 (rows, columns, 2)."""

    spacing: float
    """Distance of the nodes in micrometres; the first is at the corner of the slide."""

    @classmethod
    def flat(
        cls, affine: NDArray[np.float64], size_um: tuple[float, float], spacing: float
    ) -> Field:
        """Return an affine map without displacements."""
        columns, rows = (int(np.ceil(side / spacing)) + 1 for side in size_um)
        return cls(affine, np.zeros((rows, columns, 2)), spacing)

    @property
    def nodes(self) -> NDArray[np.float64]:
        """Places of the nodes in micrometres, float64 (rows, columns, 2)."""
        rows, columns, _ = self.shifts.shape
        y, x = np.mgrid[:rows, :columns] * self.spacing
        return np.stack([x, y], axis=-1)

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where points lie in the moving slide: micrometres, (..., 2)."""
        return points @ self.affine[:, :2].T + self.affine[:, 2] + self.shift(points)

    def shift(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the displacements at points, by cubic splines: (..., 2)."""
        return interpolated(self.shifts, points / self.spacing)

    def inverse(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where points of the moving slide lie in the fixed one: (..., 2).

        By fixed-point iteration, which converges where the map does not fold.
        """
        back = np.linalg.inv(self.affine[:, :2]).T
        found = (points - self.affine[:, 2]) @ back
        for _ in range(_ROUNDS):
            step = (points - self(found)) @ back
            found = found + step
            if np.abs(step).max(initial=0.0) < _CLOSE_UM:
                break
        return found

    def areas(self) -> NDArray[np.float64]:
        """Return the change of area at each node, relative to the affine part.

        1 is unchanged; 0 or less is a fold.
        """
        dy, dx = (np.gradient(self.shifts, self.spacing, axis=axis) for axis in (0, 1))
        linear = self.affine[:, :2]
        jacobian = linear + np.stack([dx, dy], axis=-1)
        return np.asarray(np.linalg.det(jacobian) / np.linalg.det(linear))


def interpolated(
    values: NDArray[np.float64], places: NDArray[np.float64], order: int = 3
) -> NDArray[np.float64]:
    """Return values of a raster (rows, columns, K) at places (..., 2) in x, y nodes."""
    flat = places.reshape(-1, 2)[:, ::-1].T
    least = min(values.shape[:2])
    degree = min(order, least - 1)
    found = [
        ndimage.map_coordinates(values[..., k], flat, order=degree, mode="nearest")
        for k in range(values.shape[2])
    ]
    return np.stack(found, axis=-1).reshape(*places.shape[:-1], values.shape[2])


def smoothest(
    shape: tuple[int, int],
    places: NDArray[np.float64],
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    stiffness: float,
) -> NDArray[np.float64]:
    """Return the raster of least bending that is near values at places.

    It minimizes the weighted squares of the differences plus `stiffness` times the
    squares of the second derivatives (a thin plate on a grid), so that it goes on
    linearly where there are no values.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the raster.
    places : float (N, 2)
        x and y in nodes.
    values : float (N, K)
    weights : float (N,)
    stiffness : float
        In units of weight.

    Returns
    -------
    float (rows, columns, K)
    """
    rows, columns = shape
    reading = _bilinear(shape, places)
    bending = [
        sparse.kron(sparse.eye(rows), _second(columns)),
        sparse.kron(_second(rows), sparse.eye(columns)),
        np.sqrt(2) * sparse.kron(_first(rows), _first(columns)),
    ]
    stacked = sparse.vstack(bending)
    plate = stacked.T @ stacked
    weighted = reading.T @ sparse.diags(weights)
    tiny = 1e-9 * sparse.eye(rows * columns)
    left = sparse.csc_matrix(weighted @ reading + stiffness * plate + tiny)
    solve = linalg.factorized(left)
    found = [solve(weighted @ values[:, k]) for k in range(values.shape[1])]
    return np.stack(found, axis=-1).reshape(rows, columns, values.shape[1])


def _bilinear(shape: tuple[int, int], places: NDArray[np.float64]) -> sparse.csr_matrix:
    """Return the matrix that reads a raster at places."""
    rows, columns = shape
    x = np.clip(places[:, 0], 0, columns - 1 - 1e-9)
    y = np.clip(places[:, 1], 0, rows - 1 - 1e-9)
    column, row = x.astype(int), y.astype(int)
    x, y = x - column, y - row
    corners = [
        (row * columns + column, (1 - x) * (1 - y)),
        (row * columns + column + 1, x * (1 - y)),
        ((row + 1) * columns + column, (1 - x) * y),
        ((row + 1) * columns + column + 1, x * y),
    ]
    number = np.arange(len(places))
    index = np.concatenate([each for each, _ in corners])
    values = np.concatenate([each for _, each in corners])
    place = (np.tile(number, 4), index)
    return sparse.csr_matrix((values, place), shape=(len(places), rows * columns))


def _first(count: int) -> sparse.csr_matrix:
    return sparse.csr_matrix(
        sparse.eye(count - 1, count, 1) - sparse.eye(count - 1, count)
    )


def _second(count: int) -> sparse.csr_matrix:
    first = _first(count)
    return sparse.csr_matrix(first[1:] - first[:-1])
