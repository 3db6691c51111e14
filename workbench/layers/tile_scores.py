"""Layer of scores whose tiles are boxes anywhere on the slide, such as attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.layers.box_raster import draw_boxes
from workbench.layers.colormaps import ramp_legend
from workbench.layers.encode import encode_palette
from workbench.layers.heatmap import HeatmapStyle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.features.scores import TileScores
    from workbench.layers.layer import Legend, Pyramid
    from workbench.slide.readers.base import EncodedTile


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
            nearest=self.style.nearest,
        )
        # In the order of their upper edges, so that a tile looks at one stretch.
        order = np.argsort(scores.boxes[:, 1], kind="stable")
        self._boxes, self._values = scores.boxes[order], values[order]
        heights = self._boxes[:, 3] - self._boxes[:, 1]
        self._tallest = float(heights.max(initial=0))
        self._palette = self.style.palette()

    @property
    def readable_to_zoom(self) -> int:
        """Last zoom at which values are drawn; -1: at none."""
        return self.style.last_zoom(self.pyramid)

    def value_at(self, x: float, y: float) -> float | None:
        """Return the value at a level-0 point, summarized as drawn; None: no tile."""
        near = self._between(y, np.nextafter(y, np.inf))
        boxes, values = self._boxes[near], self._values[near]
        inside = (boxes[:, 0] <= x) & (x < boxes[:, 2])
        inside &= (boxes[:, 1] <= y) & (y < boxes[:, 3])
        found = values[inside & ~np.isnan(values)]
        if not len(found):
            return None
        return float(found.max() if self.style.summary == "highest" else found.mean())

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if it is empty.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        indices = self.style.quantize(self.values(z, x, y))
        if z > self.readable_to_zoom or not indices.any():
            return None
        return encode_palette(indices, self._palette)

    def values(self, z: int, x: int, y: int) -> NDArray[np.float32]:
        """Return the value of each pixel of a tile, float32 (tile_px, tile_px).

        NaN where there is no tile of the scores.
        """
        box, scale = self.pyramid.box(z, x, y), self.pyramid.downsample(z)
        near = self._between(box.y0, box.y1)
        drawn: NDArray[np.float32] = draw_boxes(
            (float(box.x0), float(box.y0), float(scale), self.pyramid.tile_px),
            self._boxes[near],
            self._values[near],
            self.style.summary == "highest",
        )
        return drawn

    def _between(self, y0: float, y1: float) -> slice:
        """Return the stretch of boxes that may reach into rows of the slide."""
        edges = self._boxes[:, 1]
        first = np.searchsorted(edges, y0 - self._tallest, side="left")
        return slice(int(first), int(np.searchsorted(edges, y1, side="left")))


def _range_of(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lowest and the highest value, apart even if all are equal."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if low < high else (low, low + 1.0)
