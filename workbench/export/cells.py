"""Lists the cells of a run's heatmap that have values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.results.run import Run


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """The cells of a heatmap that have values, row by row."""

    boxes: NDArray[np.int64]
    """Box of each cell in level-0 pixels, cropped to the slide: x0, y0, x1, y1, int64
    of shape (N, 4)."""

    values: NDArray[np.float32]
    """Values of each cell, float32 of shape (N, classes)."""

    measures: tuple[str, ...]
    """Name of each column of values: prob_<class>, or <class> and its unit."""

    @classmethod
    def of(cls, run: Run) -> Cells:
        """List the cells of a run; those without a value are left out."""
        heatmap = run.heatmap
        rows, columns = np.nonzero(np.isfinite(heatmap.values).all(axis=0))
        width, height = run.grid.slide_size
        left_upper = np.stack([columns, rows], axis=1)
        corners = np.concatenate([left_upper, left_upper + 1], axis=1)
        boxes = np.rint(corners * heatmap.cell).astype(np.int64)
        boxes = np.minimum(boxes, [width, height, width, height])
        on_slide = (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])
        values = heatmap.values[:, rows, columns].T
        return cls(boxes[on_slide], values[on_slide], measures_of(run))


def measures_of(run: Run) -> tuple[str, ...]:
    """Return the column name of each class, as in other tools."""
    card = run.card
    if card.task == "measurement":
        unit = f" {card.unit}" if card.unit else ""
        return tuple(f"{name}{unit}" for name in card.classes)
    return tuple(f"prob_{name}" for name in card.classes)
