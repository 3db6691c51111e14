"""`Heatmap`: values of a model on a raster over a slide. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.area import Area
from workbench.errors import MissingPackageError, OutOfBoundsError
from workbench.geometry import Box
from workbench.markup import facts
from workbench.results.heatmap_picture import heatmap_pictures
from workbench.system.public_names import former_members

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    from workbench.geometry import BoxLike
    from workbench.results.mipmap import Mipmap


@former_members
@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Heatmap:
    """Values on a regular raster over a slide; colours are chosen for display.

    Examples
    --------
    >>> heatmap = run.heatmap
    >>> heatmap.to_frame().index.names
    FrozenList(['y', 'x'])
    >>> heatmap.to_xarray().dims
    ('class', 'y', 'x')
    """

    values: NDArray[np.float32]
    """float32, shape (classes, rows, columns); NaN where not computed."""

    classes: tuple[str, ...]
    """Names of the classes, one for each plane of `values`."""

    cell: float
    """Side of one raster cell, in level-0 pixels (need not be whole)."""

    unit: str = ""
    """Unit of the values; empty for probabilities."""

    value_range: tuple[float, float] = (0.0, 1.0)
    """Range of the colour scale at first display."""

    version: int = 0
    """Version of the values; increases whenever a run in progress adds some."""

    selected: NDArray[np.bool_] | None = None
    """Selected blocks of cells, bool, with a whole number of cells along each side of
    a block; None: not known. A selected cell with NaN is not computed or failed."""

    overview: Mipmap | None = None
    """Values at coarser cells, updated by the owner of the heatmap; None: none."""

    region: Area | None = None
    """Region of the values: a cell that its outline cuts has the value of the part
    inside. None: values are of whole cells."""

    def channel(self, name: str) -> NDArray[np.float32]:
        """Return the raster (rows, columns) of one class.

        Raises
        ------
        OutOfBoundsError
            If there is no class with that name.
        """
        if name not in self.classes:
            message = f"The heatmap has no class '{name}'."
            raise OutOfBoundsError(message, f"It has: {', '.join(self.classes)}.")
        values: NDArray[np.float32] = self.values[self.classes.index(name)]
        return values

    def at(self, x: float, y: float) -> dict[str, float] | None:
        """Return the value of each class at a level-0 point; None outside."""
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

    def within(self, box: BoxLike | Area) -> NDArray[np.float32]:
        """Return the values of the cells that a box touches, (classes, rows, columns).

        The result is a view; cells beyond the raster are left out. Of an area, those
        of its box, NaN where the centre of a cell is outside.
        """
        if isinstance(box, Area):
            inside = self.within(box.box).copy()
            corner = box.box.y0, box.box.x0
            top, left = (int(max(0, edge) // self.cell) for edge in corner)
            ys, xs = self._centres
            rows, columns = inside.shape[1:]
            held = box.lattice(xs[left : left + columns], ys[top : top + rows])
            inside[:, ~held] = np.nan
            return inside
        box = Box.of(box)
        _, rows, columns = self.values.shape
        x0, y0 = (max(0, int(edge // self.cell)) for edge in (box.x0, box.y0))
        x1 = min(columns, int(-(-box.x1 // self.cell)))
        y1 = min(rows, int(-(-box.y1 // self.cell)))
        found: NDArray[np.float32] = self.values[:, y0 : max(y0, y1), x0 : max(x0, x1)]
        return found

    def box(self, row: int, column: int) -> Box:
        """Return the box of one cell, in level-0 pixels."""
        edge = [round(i * self.cell) for i in (column, row, column + 1, row + 1)]
        return Box(edge[0], edge[1], edge[2], edge[3])

    def to_frame(self) -> pd.DataFrame:
        """Return the cells that have a value as a table.

        Returns
        -------
        DataFrame
            float32, a row for each cell, a column for each class. The index holds the
            centre of the cell: "y" and "x", in level-0 pixels.
        """
        import pandas as pd  # noqa: PLC0415 - slow, for this only

        rows, columns = np.nonzero(np.isfinite(self.values).any(axis=0))
        ys, xs = self._centres
        index = pd.MultiIndex.from_arrays([ys[rows], xs[columns]], names=["y", "x"])
        values = self.values[:, rows, columns].T
        return pd.DataFrame(values, index, columns=list(self.classes))

    def to_xarray(self) -> xr.DataArray:
        """Return a copy of the values with their coordinates.

        Returns
        -------
        DataArray
            float32, dimensions ("class", "y", "x"); y and x are the centres of the
            cells, in level-0 pixels. Attributes: `units`, and `cell`, the side of a
            cell in level-0 pixels.

        Raises
        ------
        MissingPackageError
            If xarray is not installed.
        """
        try:
            import xarray as xr  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingPackageError(error.name or "xarray") from error
        ys, xs = self._centres
        place = {"units": "px", "long_name": "level-0 pixels"}
        return xr.DataArray(
            self.values.copy(),
            dims=("class", "y", "x"),
            coords={
                "class": list(self.classes),
                "y": ("y", ys, place),
                "x": ("x", xs, place),
            },
            name="heatmap",
            attrs={"units": self.unit, "cell": self.cell},
        )

    @property
    def _centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres of the rows and of the columns, in level-0 pixels."""
        _, rows, columns = self.values.shape
        ys, xs = (
            (np.arange(number, dtype=np.float64) + 0.5) * self.cell
            for number in (rows, columns)
        )
        return ys, xs

    def __repr__(self) -> str:
        """Say in one line what it holds and where."""
        _, rows, columns = self.values.shape
        known = float(np.isfinite(self.values).any(axis=0).mean())
        return (
            f"Heatmap({', '.join(self.classes)}; {rows} x {columns} cells of"
            f" {self.cell:g} px, {known:.0%} with a value)"
        )

    def _repr_html_(self) -> str:
        """Show a notebook the first classes as pictures."""
        _, rows, columns = self.values.shape
        table = {
            "Classes": ", ".join(self.classes),
            "Cells": f"{rows} x {columns}, {self.cell:g} px each",
            "Unit": self.unit or "probability",
        }
        pictures = heatmap_pictures(self.classes, self.values, self.value_range)
        return str(facts(table) + pictures)
