"""Values over a slide as a layer; colours are chosen here, when they are shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import OutOfBoundsError, RecipeError
from workbench.layers.colormaps import COLORMAPS, colours, ramp_legend
from workbench.layers.encode import encode_palette
from workbench.layers.resampling import Values
from workbench.results.heatmap import Heatmap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.layers.layer import Legend, Pyramid
    from workbench.layers.resampling import HasHeatmap
    from workbench.results.mipmap import Summary
    from workbench.slide.readers.base import EncodedTile

_SHADES: Final = 255
"""Colours of a tile; the palette's entry 0 is transparent."""

PENDING: Final = 255
"""Entry of the palette for what is asked for and not done."""

PENDING_COLOUR: Final = (128, 128, 128, 150)
_STRIPE_EVERY: Final = 8
_STRIPE: Final = 1
"""Pixels from stripe to stripe, and of each; a tile holds a whole number of them."""


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

    summary: Summary = "mean"
    """What cells that are smaller than a pixel are shown as: their mean, or the
    highest of them, which shows the smallest focus however far one zooms out."""

    nearest: int = 0
    """Where a pixel is so many level-0 pixels wide, or less, no value is drawn: there
    something else is to be seen."""

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
    the heatmap. A cell is drawn exactly where it lies, sharp at every zoom; where
    many cells lie under one pixel it shows what sums them up. What is asked for and
    not done is hatched, what is not asked for is transparent.

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
        heatmap = source if isinstance(source, Heatmap) else source.heatmap
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
        self._channel = heatmap.classes.index(self.name)
        self._values = Values(source, pyramid, self.style.summary)
        self._palette = self.style.palette()

    @property
    def heatmap(self) -> Heatmap:
        """The values, as they are now."""
        return self._values.heatmap

    @property
    def version(self) -> str:
        """Grows with the heatmap."""
        return str(self.heatmap.version)

    def value_at(self, x: float, y: float) -> float | None:
        """Return the value at a level-0 point; None where there is none."""
        heatmap = self.heatmap
        found = heatmap.at(x, y)
        if found is None or math.isnan(found[self.name]):
            return None
        return found[self.name]

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG, None where nothing is drawn.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        under = self._values.under((z, x, y), [self._channel])
        indices = under.spread(self.style.quantize(under.values[0]))
        if self.pyramid.downsample(z) <= self.style.nearest:
            indices = np.zeros_like(indices)
        return encode_hatched(indices, self._palette, under.pending)


def encode_hatched(
    indices: NDArray[np.uint8], palette: NDArray[np.uint8], pending: NDArray[np.bool_]
) -> EncodedTile | None:
    """Return a tile as PNG with thin stripes where `pending`; None: nothing is drawn.

    Parameters
    ----------
    indices : uint8 (H, W)
    palette : uint8 (256, 4)
        Where there are stripes, they take the place of its last entry, and what had
        that takes the one before.
    pending : bool (H, W)
    """
    if pending.any():
        indices = np.minimum(indices, PENDING - 1)
        indices[pending & _stripes(pending.shape)] = PENDING
        palette = palette.copy()
        palette[PENDING] = PENDING_COLOUR
    return encode_palette(indices, palette) if indices.any() else None


@lru_cache(maxsize=8)
def _stripes(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return where the stripes of a tile are, bool (H, W)."""
    along = np.add.outer(*map(np.arange, shape)) % _STRIPE_EVERY
    stripes: NDArray[np.bool_] = along < _STRIPE
    return stripes
