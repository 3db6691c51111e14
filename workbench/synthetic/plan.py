"""The layout of one block, computed on a coarse raster for speed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.synthetic.layout import Layout

CELL: Final = 8
"""Side of a raster cell, in level-0 pixels."""

_BORDER = 8
"""Cells around the block, needed for interpolation."""


@dataclass(frozen=True)
class Plan:
    """Classes and fibres in and around a block.

    The corners of the block are multiples of `CELL`, so that neighbouring blocks share
    one raster of cells.
    """

    layout: Layout
    box: Box
    mpp: float

    @cached_property
    def x(self) -> NDArray[np.float64]:
        """Centres of the columns, in µm, including the border."""
        return self._centres(self.box.x0, self.box.x1)

    @cached_property
    def y(self) -> NDArray[np.float64]:
        """Centres of the rows, in µm, including the border."""
        return self._centres(self.box.y0, self.box.y1)

    def _centres(self, start: int, stop: int) -> NDArray[np.float64]:
        cells = np.arange(start // CELL - _BORDER, -(-stop // CELL) + _BORDER)
        return np.asarray((cells + 0.5) * CELL * self.mpp)

    @cached_property
    def classes(self) -> NDArray[np.uint8]:
        """Class numbers, including the border."""
        return self.layout.classes(self.x, self.y)

    @cached_property
    def fibres(self) -> NDArray[np.float64]:
        """Field of the fibres, including the border."""
        return self.layout.fibres(self.x, self.y)

    def own(self, raster: NDArray[Any]) -> NDArray[Any]:
        """Return a raster without its border."""
        return raster[_BORDER:-_BORDER, _BORDER:-_BORDER]

    def full(self, raster: NDArray[np.float64], margin: int = 0) -> NDArray[np.float32]:
        """Upsample a raster to level-0 pixels: the block and `margin` around it."""
        scaled = cv2.resize(
            raster.astype(np.float32),
            None,
            fx=CELL,
            fy=CELL,
            interpolation=cv2.INTER_LINEAR,
        )
        cut = _BORDER * CELL - margin
        return np.asarray(scaled[cut:-cut, cut:-cut], np.float32)

    def class_at(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """Return the class at positions in µm, in or near the block."""
        return np.asarray(self.classes[self._cells(x, y)])

    def fibre_angle(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the direction of the fibres, along the contours of their field."""
        down = np.gradient(self.fibres, axis=0)
        across = np.gradient(self.fibres, axis=1)
        cells = self._cells(x, y)
        return np.asarray(np.arctan2(across[cells], -down[cells]))

    def _cells(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        side = CELL * self.mpp
        column = np.floor((x - self.x[0]) / side + 0.5).astype(np.int64)
        row = np.floor((y - self.y[0]) / side + 0.5).astype(np.int64)
        return (
            np.clip(row, 0, len(self.y) - 1),
            np.clip(column, 0, len(self.x) - 1),
        )
