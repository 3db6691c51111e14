"""Tissue of a slide as a raster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.geometry import Box


@dataclass(frozen=True, eq=False)
class Tissue:
    """Tissue mask on a raster over the whole slide."""

    mask: NDArray[np.bool_]
    """bool, shape (rows, columns), read-only; cell (r, c) covers level-0 pixels
    [c * downsample, (c + 1) * downsample) and likewise for rows."""

    downsample: float
    """Side of a cell, in level-0 pixels."""

    _integral: NDArray[np.int32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Compute the integral image, so that the fraction of a box is four lookups."""
        self.mask.flags.writeable = False
        integral = cv2.integral(self.mask.view(np.uint8))
        object.__setattr__(self, "_integral", integral)

    def fraction(self, box: Box) -> float:
        """Return the share of `box` that is tissue, 0 to 1; outside is no tissue."""
        return float(self.fractions([box])[0])

    def fractions(self, boxes: Sequence[Box]) -> NDArray[np.float64]:
        """Return the share of each box that is tissue, float64 of shape (N,)."""
        corners = np.array([(b.x0, b.y0, b.x1, b.y1) for b in boxes], np.float64)
        x0, y0, x1, y1 = corners.reshape(-1, 4).T / self.downsample
        tissue = self._sum(x1, y1) - self._sum(x0, y1)
        tissue += self._sum(x0, y0) - self._sum(x1, y0)
        area = (x1 - x0) * (y1 - y0)
        share = np.divide(tissue, area, out=np.zeros_like(area), where=area > 0)
        clipped: NDArray[np.float64] = np.clip(share, 0, 1)
        return clipped

    def area_mm2(self, mpp: float) -> float:
        """Return the area of the tissue in mm², on a slide of `mpp` µm per pixel."""
        return float(self.mask.sum()) * (self.downsample * mpp / 1000) ** 2

    def _sum(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the tissue above and left of points, in cells.

        Between cell corners the integral of a piecewise constant mask is bilinear,
        so this is exact and not an approximation.
        """
        rows, columns = self.mask.shape
        x, y = np.clip(x, 0, columns), np.clip(y, 0, rows)
        column = np.minimum(x.astype(np.int64), columns - 1)
        row = np.minimum(y.astype(np.int64), rows - 1)
        right, down = x - column, y - row
        table = self._integral
        upper = table[row, column] * (1 - right) + table[row, column + 1] * right
        lower = (
            table[row + 1, column] * (1 - right) + table[row + 1, column + 1] * right
        )
        total: NDArray[np.float64] = upper * (1 - down) + lower * down
        return total
