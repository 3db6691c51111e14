"""Layers of scores whose tiles are boxes anywhere on the slide, such as attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import OutOfBoundsError
from workbench.layers.box_raster import BoxRaster
from workbench.layers.colormaps import class_colour, hex_colour, ramp_legend
from workbench.layers.encode import encode_palette, encode_rgba
from workbench.layers.heatmap import HeatmapStyle
from workbench.layers.layer import Legend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.features.scores import TileScores
    from workbench.layers.layer import Pyramid
    from workbench.slide.readers.base import EncodedTile

_LIGHTS: Final = ("#ff0000", "#00ff00", "#0000ff")
_MAX_CLASSES: Final = 255
"""Palette entries that remain for classes, beside transparent."""


class TileScoresLayer:
    """One score of tiles, each drawn at its exact place.

    Where several tiles lie under a pixel, because they overlap or the zoom is low, it
    shows their mean, or the highest with `HeatmapStyle(summary="highest")`. Pixels
    without a tile are transparent.

    Parameters
    ----------
    scores : TileScores
        Give `scores.percentiles()` for values, such as raw attention, of which a few
        are much higher than all others.
    pyramid : Pyramid
        Pyramid of the slide.
    channel : str, optional
        Name of the score; by default the first.
    style : HeatmapStyle, optional
        By default the colormap spans all values, and percentiles from 0 to 100.
    stored : TileScores, optional
        The scores of which percentiles are drawn; the readout names both.

    Raises
    ------
    OutOfBoundsError
        If there is no such score.
    """

    version = "0"

    def __init__(
        self,
        scores: TileScores,
        pyramid: Pyramid,
        *,
        channel: str | None = None,
        style: HeatmapStyle | None = None,
        stored: TileScores | None = None,
    ) -> None:
        self.name = scores.names[0] if channel is None else channel
        self.pyramid = pyramid
        values = scores.column(self.name)
        low, high = _range_of(values) if scores.unit != "percentile" else (0.0, 100.0)
        self.style = style or HeatmapStyle(low=low, high=high)
        self.legend: Legend | None = ramp_legend(
            self.name,
            scores.unit,
            self.style.colormap,
            (self.style.low, self.style.high),
        )
        self._raster = BoxRaster(scores.boxes)
        self._values = values[self._raster.order]
        self._stored: NDArray[np.float64] | None = None
        if stored is not None:
            self._stored = stored.column(self.name)[self._raster.order]
        self._palette = self.style.palette()

    @property
    def drawn_to_zoom(self) -> int:
        """Last zoom at which values are drawn; -1: at none."""
        return self.style.last_zoom(self.pyramid)

    def value_at(self, x: float, y: float) -> float | str | None:
        """Return the value at a level-0 point, summarized as drawn; None: no tile.

        A text, such as "0.0021 (percentile 97.5)", if stored scores were given.
        """
        rows = self._raster.rows_at(x, y)
        drawn = self._summary(self._values[rows])
        if drawn is None or self._stored is None:
            return drawn
        return f"{self._summary(self._stored[rows]):.4g} (percentile {drawn:.3g})"

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if it is empty.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        indices = self.style.quantize(self.values(z, x, y))
        if z > self.drawn_to_zoom or not indices.any():
            return None
        return encode_palette(indices, self._palette)

    def _summary(self, values: NDArray[np.float64]) -> float | None:
        found = values[~np.isnan(values)]
        if not len(found):
            return None
        return float(found.max() if self.style.summary == "highest" else found.mean())

    def values(self, z: int, x: int, y: int) -> NDArray[np.float32]:
        """Return the value of each pixel of a tile, float32 (tile_px, tile_px).

        NaN where there is no tile of the scores.
        """
        frame = frame_of(self.pyramid, z, x, y)
        highest = self.style.summary == "highest"
        return self._raster.draw(frame, self._values, highest=highest)


class TileClassLayer:
    """The class with the highest value of each tile, in the colour of that class.

    Where several tiles lie under a pixel, it shows the class with the highest mean.

    Parameters
    ----------
    scores : TileScores
        One value for each class, such as `Features.clusters` gives.
    pyramid : Pyramid
        Pyramid of the slide.
    name : str
        Display name of the layer.
    colours : sequence of (int, int, int), optional
        Colour of each class, sRGB; by default those of a palette.

    Attributes
    ----------
    entries : tuple of (str, str)
        Name and colour of every class.

    Raises
    ------
    OutOfBoundsError
        If there are more than 255 classes.
    """

    version = "0"

    def __init__(
        self,
        scores: TileScores,
        pyramid: Pyramid,
        *,
        name: str = "Most likely class",
        colours: Sequence[tuple[int, int, int]] = (),
    ) -> None:
        number = len(scores.names)
        if number > _MAX_CLASSES:
            message = f"A class map shows at most {_MAX_CLASSES} classes, not {number}."
            raise OutOfBoundsError(message, "Show one class as a heatmap instead.")
        self.name = name
        self.pyramid = pyramid
        self.classes = scores.names
        colours = colours or [class_colour(i) for i in range(number)]
        self.entries = tuple(zip(self.classes, map(hex_colour, colours), strict=True))
        self.legend: Legend | None = Legend(name, entries=self.entries)
        self._raster = BoxRaster(scores.boxes)
        self._values = np.ascontiguousarray(scores.values[self._raster.order].T)
        self._palette = np.zeros((256, 4), np.uint8)
        self._palette[1 : number + 1] = [(*colour, 255) for colour in colours]

    def value_at(self, x: float, y: float) -> str | None:
        """Return the class at a level-0 point, as drawn; None: no tile."""
        values = self._values[:, self._raster.rows_at(x, y)]
        known = values[:, np.isfinite(values).all(axis=0)]
        return self.classes[known.mean(axis=1).argmax()] if known.size else None

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if it is empty.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        frame = frame_of(self.pyramid, z, x, y)
        side = self.pyramid.tile_px
        best, indices = np.full((side, side), -np.inf), np.zeros((side, side), np.uint8)
        for number, values in enumerate(self._values, 1):
            drawn = self._raster.draw(frame, values, highest=False)
            higher = drawn > best  # not where there is no tile
            best[higher], indices[higher] = drawn[higher], number
        return encode_palette(indices, self._palette) if indices.any() else None


class TileColourLayer:
    """Three values of tiles as red, green and blue: like tiles have like colours.

    Where several tiles lie under a pixel, it shows the mean of their colours.

    Parameters
    ----------
    scores : TileScores
        Three values of 0 to 1 for each tile, such as `Features.component_scores` gives;
        tiles with a NaN are transparent.
    pyramid : Pyramid
        Pyramid of the slide.
    name : str
        Display name of the layer.

    Raises
    ------
    OutOfBoundsError
        If there are not three values.
    """

    version = "0"

    def __init__(
        self,
        scores: TileScores,
        pyramid: Pyramid,
        *,
        name: str = "Principal components as colours",
    ) -> None:
        if len(scores.names) != len(_LIGHTS):
            message = f"Three values make a colour, not {len(scores.names)}."
            raise OutOfBoundsError(message, "Give Features.component_scores().")
        self.name = name
        self.pyramid = pyramid
        self.legend: Legend | None = Legend(
            name, entries=tuple(zip(scores.names, _LIGHTS, strict=True))
        )
        self._raster = BoxRaster(scores.boxes)
        values = scores.values[self._raster.order].clip(0, 1)
        values[~np.isfinite(values).all(axis=1)] = np.nan
        self._values = np.ascontiguousarray(values.T)

    @property
    def readable_to_zoom(self) -> int:
        """Last zoom at which colours are drawn: the sharpest."""
        return self.pyramid.max_zoom

    def value_at(self, x: float, y: float) -> str | None:
        """Return the three values at a level-0 point, as drawn; None: no tile."""
        values = self._values[:, self._raster.rows_at(x, y)]
        known = values[:, np.isfinite(values).all(axis=0)]
        if not known.size:
            return None
        return ", ".join(f"{value:.2f}" for value in known.mean(axis=1))

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if it is empty.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        frame = frame_of(self.pyramid, z, x, y)
        drawn = [self._raster.draw(frame, v, highest=False) for v in self._values]
        colours = np.stack(drawn, axis=2)
        known = np.isfinite(colours).all(axis=2)
        if not known.any():
            return None
        shades = np.rint(255 * np.nan_to_num(colours)).astype(np.uint8)
        return encode_rgba(
            np.dstack([shades, np.where(known, 255, 0).astype(np.uint8)])
        )


def frame_of(
    pyramid: Pyramid, z: int, x: int, y: int
) -> tuple[float, float, float, int]:
    """Return the frame of a tile as `draw_boxes` takes it.

    Raises
    ------
    OutOfBoundsError
        If the pyramid has no such tile.
    """
    box, scale = pyramid.box(z, x, y), pyramid.downsample(z)
    return float(box.x0), float(box.y0), float(scale), pyramid.tile_px


def _range_of(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lowest and the highest value, apart even if all are equal."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if low < high else (low, low + 1.0)
