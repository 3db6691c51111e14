"""Layer of contour lines: where one class of a heatmap crosses chosen values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import OutOfBoundsError, RecipeError
from workbench.layers.colormaps import colours, hex_colour
from workbench.layers.encode import encode_palette
from workbench.layers.layer import Legend
from workbench.layers.resampling import HeatmapTiles
from workbench.results.heatmap import Heatmap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from workbench.layers.heatmap import HeatmapStyle
    from workbench.layers.layer import Pyramid
    from workbench.layers.resampling import HeatmapSource
    from workbench.slide.readers.base import EncodedTile

MAX_CONTOURS: Final = 9
"""Largest number of contour lines of a layer."""

_HALO_COLOUR: Final = (27, 27, 31, 255)
_SHADES: Final = 256
_MARGIN: Final = 2
"""Pixels beyond a tile that its lines and their halo depend on."""

_HALO: Final = 1


class ContourLayer:
    """Lines where the interpolated values of a heatmap cross levels.

    Lines are two pixels wide, in the colour of their level within a dark halo, so that
    they are visible on the slide and on the heatmap itself. They end where cells have
    no value.

    Parameters
    ----------
    source : Run or Heatmap
    pyramid : Pyramid
        Pyramid of the slide.
    levels : iterable of float
        Values at which lines are drawn, 1 to 9; in any order.
    channel : str, optional
        Name of the class; by default the first.
    style : HeatmapStyle
        Its colormap and limits give the colours of the lines; its summary is that of
        several cells under one pixel; lines end at its `nearest`.
    origin : (float, float)
        Upper left corner of the raster, in level-0 pixels.

    Raises
    ------
    OutOfBoundsError
        If there is no such class.
    RecipeError
        If there are no levels, too many, or one that is not a number.
    """

    def __init__(
        self,
        source: HeatmapSource | Heatmap,
        pyramid: Pyramid,
        levels: Iterable[float],
        *,
        channel: str | None = None,
        style: HeatmapStyle,
        origin: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        heatmap = source if isinstance(source, Heatmap) else source.heatmap
        channel = heatmap.classes[0] if channel is None else channel
        heatmap.channel(channel)  # raises if there is none
        self.levels = _checked(levels)
        self.name = f"Contours of {channel}"
        self.pyramid = pyramid
        self._style = style
        self._channel = heatmap.classes.index(channel)
        self._tiles = HeatmapTiles(source, pyramid, style.summary, origin=origin)
        shades = colours(style.colormap, _SHADES)
        spread = (np.array(self.levels) - style.low) / (style.high - style.low)
        lines = shades[np.rint(np.clip(spread, 0, 1) * (_SHADES - 1)).astype(int)]
        self._palette = np.zeros((len(lines) + 2, 4), np.uint8)
        self._palette[_HALO] = _HALO_COLOUR
        self._palette[_HALO + 1 :, :3] = lines
        self._palette[_HALO + 1 :, 3] = 255
        named = [f"{level:.4g} {heatmap.unit}".rstrip() for level in self.levels]
        hexes = [hex_colour(line) for line in lines]
        entries = tuple(zip(named, hexes, strict=True))
        self.legend: Legend | None = Legend(self.name, entries=entries)

    @property
    def version(self) -> str:
        """Version of the heatmap; increases as values are added."""
        return str(self._tiles.heatmap.version)

    @property
    def drawn_to_zoom(self) -> int:
        """Last zoom at which lines are drawn; -1: at none."""
        return self._style.last_zoom(self.pyramid)

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if no line crosses it.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        if (z, x, y) not in self.pyramid:
            message = f"There is no tile ({x}, {y}) at zoom {z} of {self.pyramid}."
            raise OutOfBoundsError(message)
        if z > self.drawn_to_zoom:
            return None
        values = self._tiles.interpolated((z, x, y), self._channel, margin=_MARGIN)
        indices = np.zeros(values.shape, np.uint8)
        lines = [_crossings(values, level) for level in self.levels]
        for line in lines:
            indices[_grown(line)] = _HALO
        for number, line in enumerate(lines):
            indices[line] = _HALO + 1 + number
        inner = indices[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
        inside = self._tiles.inside((z, x, y))
        if inside is not None:
            inner[~inside] = 0
        return encode_palette(inner, self._palette) if inner.any() else None


def _checked(levels: Iterable[float]) -> tuple[float, ...]:
    """Return the levels, each once, in ascending order."""
    given = tuple(sorted({float(level) for level in levels}))
    if not 0 < len(given) <= MAX_CONTOURS or not all(map(math.isfinite, given)):
        message = f"Contour lines at {list(given)} cannot be drawn."
        raise RecipeError(message, f"Give 1 to {MAX_CONTOURS} numbers.")
    return given


def _crossings(values: NDArray[np.float32], level: float) -> NDArray[np.bool_]:
    """Return the pixels on both sides of where values cross a level, bool (H, W)."""
    known = ~np.isnan(values)
    above = known & (np.nan_to_num(values) >= level)
    line = np.zeros(values.shape, bool)
    for axis in (0, 1):
        one, other = _neighbours(above, axis)
        both = np.logical_and(*_neighbours(known, axis))
        crossed = both & (one != other)
        first, second = _neighbours(line, axis)
        first |= crossed
        second |= crossed
    return line


def _grown(line: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return pixels and their neighbours on four sides, bool (H, W)."""
    grown = line.copy()
    for axis in (0, 1):
        (first, second), (one, other) = (
            _neighbours(pixels, axis) for pixels in (grown, line)
        )
        first |= other
        second |= one
    return grown


def _neighbours(
    pixels: NDArray[np.bool_], axis: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return views of all pixels but the last, and of the next one to each."""
    size = pixels.shape[axis]
    before, after = [slice(None)] * 2, [slice(None)] * 2
    before[axis], after[axis] = slice(0, size - 1), slice(1, size)
    return pixels[tuple(before)], pixels[tuple(after)]
