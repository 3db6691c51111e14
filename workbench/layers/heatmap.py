"""Layer that shows one class of a heatmap through a colormap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import OutOfBoundsError, RecipeError
from workbench.layers.colormaps import COLORMAPS, colours, ramp_legend
from workbench.layers.contours import ContourLayer
from workbench.layers.encode import encode_palette
from workbench.layers.resampling import HeatmapTiles
from workbench.results.heatmap import Heatmap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from workbench.layers.layer import Legend, Pyramid
    from workbench.layers.resampling import HeatmapSource
    from workbench.results.mipmap import Summary
    from workbench.slide.readers.base import EncodedTile

_SHADES: Final = 255
"""Colours of a tile; the palette's entry 0 is transparent."""

PENDING: Final = 255
"""Palette entry of pixels that are requested but not computed yet."""

PENDING_COLOUR: Final = (128, 128, 128, 150)
_STRIPE_PERIOD_PX: Final = 8
_STRIPE_PX: Final = 1
"""Period and width of the stripes; a tile holds a whole number of periods."""


@dataclass(frozen=True, slots=True)
class HeatmapStyle:
    """Mapping of values to colours.

    Raises
    ------
    RecipeError
        If the colormap is not known, or the range is empty.
    """

    colormap: str = COLORMAPS[0]
    """One of `COLORMAPS`, or "#rrggbb" for a ramp of one hue."""

    low: float = 0.0
    high: float = 1.0
    """Values at the ends of the colormap; values beyond are clipped."""

    threshold: float | None = None
    """Values below this are transparent; None: all values are drawn."""

    summary: Summary = "mean"
    """Summary of several cells under one pixel: their mean, or the highest, which
    keeps the smallest focus visible at every zoom."""

    nearest: int = 0
    """Downsample at and below which values are not drawn, so that another layer shows
    there; 0: drawn at all zooms."""

    smooth: bool = False
    """Whether values are interpolated between the centres of cells, rather than drawn
    as cells. Of rasters; boxes of `TileScoresLayer` are drawn as boxes."""

    def __post_init__(self) -> None:
        """Check the colormap and the range."""
        colours(self.colormap, 2)
        if not self.low < self.high:
            message = f"The values {self.low} to {self.high} are not a range."
            raise RecipeError(message, "Give low < high.")

    def last_zoom(self, pyramid: Pyramid) -> int:
        """Return the last zoom at which values are drawn; -1: at none."""
        return max(-1, pyramid.max_zoom - self.nearest.bit_length())

    def quantize(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the palette index of each value: 1 to 255; 0 if it is not drawn."""
        scaled = (values - self.low) / (self.high - self.low)
        drawn = ~np.isnan(values)
        if self.threshold is not None:
            drawn &= values >= self.threshold
        shades = np.rint(np.clip(np.nan_to_num(scaled), 0, 1) * (_SHADES - 1))
        return np.where(drawn, shades.astype(np.uint8) + 1, 0).astype(np.uint8)

    def palette(self) -> NDArray[np.uint8]:
        """Return RGBA of each index: uint8 (256, 4)."""
        palette = np.zeros((_SHADES + 1, 4), np.uint8)
        palette[1:, :3] = colours(self.colormap, _SHADES)
        palette[1:, 3] = 255
        return palette


class HeatmapLayer:
    """One class of a heatmap.

    Over a run it shows the values computed so far; its version is that of the
    heatmap. Cells are drawn at their exact place, sharp at every zoom, or smooth if
    the style says so; several cells under one pixel are summarized. Cells that are
    requested but not computed yet are hatched; cells that are not requested are
    transparent.

    Parameters
    ----------
    source : Run or Heatmap
    pyramid : Pyramid
        Pyramid of the slide.
    channel : str, optional
        Name of the class; by default the first.
    style : HeatmapStyle, optional
        By default the colormap spans the value range of the heatmap.
    origin : (float, float)
        Upper left corner of the raster, in level-0 pixels.

    Raises
    ------
    OutOfBoundsError
        If there is no such class.
    """

    def __init__(
        self,
        source: HeatmapSource | Heatmap,
        pyramid: Pyramid,
        *,
        channel: str | None = None,
        style: HeatmapStyle | None = None,
        origin: tuple[float, float] = (0.0, 0.0),
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
        self._source = source
        self._origin = origin
        self._tiles = HeatmapTiles(source, pyramid, self.style.summary, origin=origin)
        self._palette = self.style.palette()

    @property
    def heatmap(self) -> Heatmap:
        """The current heatmap."""
        return self._tiles.heatmap

    @property
    def version(self) -> str:
        """Version of the heatmap; increases as values are added."""
        return str(self.heatmap.version)

    @property
    def drawn_to_zoom(self) -> int:
        """Last zoom at which values are drawn; -1: at none."""
        return self.style.last_zoom(self.pyramid)

    def value_at(self, x: float, y: float) -> float | None:
        """Return the value at a level-0 point; None if there is none."""
        values = self.heatmap.at(x - self._origin[0], y - self._origin[1])
        if values is None or math.isnan(values[self.name]):
            return None
        return values[self.name]

    def contours(self, levels: Iterable[float]) -> ContourLayer:
        """Return a layer of lines where these values cross levels.

        Parameters
        ----------
        levels : iterable of float
            1 to 9 values.

        Raises
        ------
        RecipeError
            If there are no levels, too many, or one that is not a number.
        """
        return ContourLayer(
            self._source,
            self.pyramid,
            levels,
            channel=self.name,
            style=self.style,
            origin=self._origin,
        )

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if it is empty.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        cells = self._tiles.cells((z, x, y), [self._channel])
        if self.style.smooth:
            values = self._tiles.interpolated((z, x, y), self._channel)
            indices = cells.within(self.style.quantize(values))
        else:
            indices = cells.spread(self.style.quantize(cells.values[0]))
        if z > self.drawn_to_zoom:
            indices = np.zeros_like(indices)
        return encode_with_pending(indices, self._palette, cells.pending)


def encode_with_pending(
    indices: NDArray[np.uint8], palette: NDArray[np.uint8], pending: NDArray[np.bool_]
) -> EncodedTile | None:
    """Return a tile as PNG with thin stripes where `pending`; None if it is empty.

    Parameters
    ----------
    indices : uint8 (H, W)
    palette : uint8 (256, 4)
        RGBA. If there are stripes, they replace the last entry, and pixels that had
        this entry get the one before it.
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
    """Return the mask of a tile's stripes, bool (H, W)."""
    along = np.add.outer(*map(np.arange, shape)) % _STRIPE_PERIOD_PX
    stripes: NDArray[np.bool_] = along < _STRIPE_PX
    return stripes
