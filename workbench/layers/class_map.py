"""Layer that shows the most likely class of each cell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import OutOfBoundsError
from workbench.layers.colormaps import class_colour, hex_colour
from workbench.layers.heatmap import encode_with_pending
from workbench.layers.layer import Legend
from workbench.layers.resampling import HeatmapTiles

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from workbench.layers.layer import Pyramid
    from workbench.layers.resampling import HeatmapSource
    from workbench.results.heatmap import Heatmap
    from workbench.slide.readers.base import EncodedTile

_MAX_CLASSES: Final = 254
"""Palette entries that remain for classes, beside transparent and pending."""


class ClassMapLayer:
    """The class with the highest value in each cell, in the colour of that class.

    Several cells under one pixel show the class with the highest mean.

    Parameters
    ----------
    source : Run or Heatmap
        Exclusive classes with one value each, such as a softmax or clusters.
    pyramid : Pyramid
        Pyramid of the slide.
    colours : sequence of (int, int, int), optional
        sRGB of each class; by default the standard palette.
    hidden : collection of str
        Classes that are not drawn where they are most likely, such as background.
    threshold : float, optional
        Cells whose highest value is below this are not drawn.
    name : str
        Display name of the layer.

    Attributes
    ----------
    entries : tuple of (str, str)
        Name and colour of every class, hidden ones included.

    Raises
    ------
    OutOfBoundsError
        If there are fewer than 2 or more than 254 classes.
    """

    def __init__(
        self,
        source: HeatmapSource | Heatmap,
        pyramid: Pyramid,
        *,
        colours: Sequence[tuple[int, int, int]] = (),
        hidden: Collection[str] = (),
        threshold: float | None = None,
        name: str = "Most likely class",
    ) -> None:
        self.name = name
        self.pyramid = pyramid
        self._tiles = HeatmapTiles(source, pyramid)
        self.classes = self.heatmap.classes
        number = len(self.classes)
        if not 1 < number <= _MAX_CLASSES:
            message = f"A class map shows 2 to {_MAX_CLASSES} classes, not {number}."
            raise OutOfBoundsError(message, "Show one class as a heatmap instead.")
        shown = list(colours) or [class_colour(i) for i in range(number)]
        self.entries = tuple(
            (name, hex_colour(colour))
            for name, colour in zip(self.classes, shown, strict=True)
        )
        drawn = tuple(entry for entry in self.entries if entry[0] not in hidden)
        self.legend: Legend | None = Legend(self.name, entries=drawn)
        self._threshold = threshold
        self._palette = np.zeros((256, 4), np.uint8)
        self._palette[1 : number + 1, :3] = shown
        self._palette[1 : number + 1, 3] = [
            0 if name in hidden else 255 for name in self.classes
        ]

    @property
    def heatmap(self) -> Heatmap:
        """The current heatmap."""
        return self._tiles.heatmap

    @property
    def version(self) -> str:
        """Version of the heatmap; increases as values are added."""
        return str(self.heatmap.version)

    def value_at(self, x: float, y: float) -> str | None:
        """Return the most likely class at a level-0 point; None if not computed."""
        values = self.heatmap.at(x, y)
        if values is None or any(map(math.isnan, values.values())):
            return None
        return max(values, key=values.__getitem__)

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if it is empty.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        cells = self._tiles.cells((z, x, y), range(len(self.classes)))
        indices = cells.spread(self._most_likely(cells.values))
        return encode_with_pending(indices, self._palette, cells.pending)

    def _most_likely(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        known = ~np.isnan(values).any(axis=0)
        drawn = known
        if self._threshold is not None:
            drawn = known & (values.max(axis=0) >= self._threshold)
        winners = np.where(known, values, 0).argmax(axis=0) + 1
        return np.where(drawn, winners, 0).astype(np.uint8)
