"""What a run answers: values with their place. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import OutOfBoundsError
from workbench.geometry import Box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from workbench.area import Area
    from workbench.results.mipmap import Mipmap


@dataclass(frozen=True, eq=False, slots=True)
class Heatmap:
    """Values over a slide on a regular raster; colours are chosen when shown."""

    values: NDArray[np.float32]
    """float32, shape (classes, rows, columns); NaN where not computed."""

    classes: tuple[str, ...]
    cell: float
    """Side of one raster cell, in level-0 pixels (need not be whole)."""

    unit: str = ""
    """Of the values; empty for probabilities."""

    value_range: tuple[float, float] = (0.0, 1.0)
    """The range to show first."""

    version: int = 0
    """Grows whenever values of a run under way are added."""

    asked: NDArray[np.bool_] | None = None
    """Which blocks of cells are asked for, bool, with a whole number of cells along
    each side of a block; None: not known. Asked for and NaN is not done, or failed."""

    overview: Mipmap | None = None
    """The values at coarser cells, kept by whoever adds to them; None: not kept."""

    region: Area | None = None
    """What the values are of: cells that its outline cuts have those of the part
    inside. None: cells count whole."""

    def channel(self, name: str) -> NDArray[np.float32]:
        """Return the raster (rows, columns) of one class.

        Raises
        ------
        OutOfBoundsError
            If there is no class of that name.
        """
        if name not in self.classes:
            message = f"The heatmap has no class '{name}'."
            raise OutOfBoundsError(message, f"It has: {', '.join(self.classes)}.")
        values: NDArray[np.float32] = self.values[self.classes.index(name)]
        return values

    def at(self, x: float, y: float) -> dict[str, float] | None:
        """Return the value of each class at a level-0 point, None outside."""
        if self.region is not None and not self.region.holds([x], [y])[0]:
            return None
        row, column = int(y // self.cell), int(x // self.cell)
        _, rows, columns = self.values.shape
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        return {
            name: float(value)
            for name, value in zip(
                self.classes, self.values[:, row, column], strict=True
            )
        }

    def within(self, box: Box) -> NDArray[np.float32]:
        """Return the values of the cells that a box touches, (classes, rows, columns).

        A view of them; what lies beyond the raster is left out.
        """
        _, rows, columns = self.values.shape
        x0, y0 = (max(0, int(edge // self.cell)) for edge in (box.x0, box.y0))
        x1 = min(columns, int(-(-box.x1 // self.cell)))
        y1 = min(rows, int(-(-box.y1 // self.cell)))
        inside: NDArray[np.float32] = self.values[:, y0 : max(y0, y1), x0 : max(x0, x1)]
        return inside

    def box(self, row: int, column: int) -> Box:
        """Return what one cell covers, in level-0 pixels."""
        edge = [round(i * self.cell) for i in (column, row, column + 1, row + 1)]
        return Box(edge[0], edge[1], edge[2], edge[3])
