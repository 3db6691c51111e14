"""Values over a slide as a layer; colours are chosen here, when they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from workbench.errors import OutOfBoundsError, RecipeError
from workbench.layers.colour import COLORMAPS, colours, ramp_legend
from workbench.layers.encode import encode_palette
from workbench.layers.raster import cells_under, take_cells
from workbench.results import Heatmap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.layers.layer import Legend, Pyramid
    from workbench.slide.reader import EncodedTile

_SHADES: Final = 255
"""Colours of a tile; the palette's entry 0 is transparent."""


class HasHeatmap(Protocol):
    """What a run is to a layer."""

    @property
    def heatmap(self) -> Heatmap:
        """The values so far."""


@dataclass(frozen=True, slots=True)
class HeatmapStyle:
    """How values become colours.

    Raises
    ------
    RecipeError
        If the colormap is not known, or the range is empty.
    """

    colormap: str = COLORMAPS[0]
    """One of `COLORMAPS`, or "#rrggbb" for a ramp of one hue."""

    low: float = 0.0
    high: float = 1.0
    """The values at the ends of the colormap; beyond them the colour stays."""

    threshold: float | None = None
    """Values below it are transparent; None: all are shown."""

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        colours(self.colormap, 2)
        if not self.low < self.high:
            message = f"The values {self.low} to {self.high} are no range."
            raise RecipeError(message, "Give low < high.")

    def quantize(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the palette index of each value: 1 to 255; 0 for what is not drawn."""
        scaled = (values - self.low) / (self.high - self.low)
        drawn = ~np.isnan(values)
        if self.threshold is not None:
            drawn &= values >= self.threshold
        shades = np.rint(np.clip(np.nan_to_num(scaled), 0, 1) * (_SHADES - 1))
        return np.where(drawn, shades.astype(np.uint8) + 1, 0).astype(np.uint8)

    def palette(self) -> NDArray[np.uint8]:
        """Return the colour and opacity of each index, uint8 (256, 4)."""
        palette = np.zeros((_SHADES + 1, 4), np.uint8)
        palette[1:, :3] = colours(self.colormap, _SHADES)
        palette[1:, 3] = 255
        return palette


class HeatmapLayer:
    """One class of a heatmap.

    Drawn from a run it shows what the run has by then: its version follows that of
    the heatmap. A cell is drawn exactly where it lies, sharp at every zoom; cells
    that were not computed are transparent.

    Parameters
    ----------
    source : Run or Heatmap
    pyramid : Pyramid
        Of the slide that it lies over.
    channel : str, optional
        Name of the class; the first by default.
    style : HeatmapStyle, optional
        By default over the heatmap's own range.

    Raises
    ------
    OutOfBoundsError
        If there is no such class.
    """

    def __init__(
        self,
        source: HasHeatmap | Heatmap,
        pyramid: Pyramid,
        *,
        channel: str | None = None,
        style: HeatmapStyle | None = None,
    ) -> None:
        self._source = source
        heatmap = self.heatmap
        self.name = heatmap.classes[0] if channel is None else channel
        if self.name not in heatmap.classes:
            message = f"The heatmap has no class '{self.name}'."
            raise OutOfBoundsError(message, f"It has: {', '.join(heatmap.classes)}.")
        low, high = heatmap.value_range
        self.pyramid = pyramid
        self.style = style or HeatmapStyle(low=low, high=high)
        self.legend: Legend | None = ramp_legend(
            self.name,
            heatmap.unit,
            self.style.colormap,
            (self.style.low, self.style.high),
        )
        self._palette = self.style.palette()

    @property
    def heatmap(self) -> Heatmap:
        """The values, as they are now."""
        source = self._source
        return source if isinstance(source, Heatmap) else source.heatmap

    @property
    def version(self) -> str:
        """Grows with the heatmap."""
        return str(self.heatmap.version)

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG, None where no value is drawn.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        heatmap = self.heatmap
        rows, columns = cells_under(self.pyramid, (z, x, y), heatmap.cell)
        # Each cell is coloured once, however many pixels it fills.
        own_rows, down = np.unique(rows, return_inverse=True)
        own_columns, right = np.unique(columns, return_inverse=True)
        channel = heatmap.channel(self.name)
        values = take_cells(channel, own_rows, own_columns, outside=np.nan)
        indices = self.style.quantize(values)[np.ix_(down, right)]
        return encode_palette(indices, self._palette) if indices.any() else None
