"""The most likely class of every cell, as a layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import OutOfBoundsError
from workbench.layers.colormaps import class_colour, hex_colour
from workbench.layers.heatmap import encode_hatched
from workbench.layers.layer import Legend
from workbench.layers.resampling import Values

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from workbench.layers.layer import Pyramid
    from workbench.layers.resampling import HasHeatmap
    from workbench.results.heatmap import Heatmap
    from workbench.slide.readers.base import EncodedTile

_MOST: Final = 254
"""Classes that a palette holds, beside what is transparent and what is pending."""


class ClassMapLayer:
    """The class with the highest value in each cell, in that class's colour.

    Where many cells lie under one pixel, it is the class with the highest mean.

    Parameters
    ----------
    source : Run or Heatmap
        With one value a class, of which one holds, as of a softmax or of clusters.
    pyramid : Pyramid
        Of the slide that it lies over.
    colours : sequence of (int, int, int), optional
        sRGB of each class; by default those that classes without colours have.
    hidden : collection of str
        Classes that are not drawn where they are the most likely, such as background.
    threshold : float, optional
        Cells whose highest value is below it are not drawn.
    name : str
        What the classes are, for people.

    Attributes
    ----------
    entries : tuple of (str, str)
        Name and colour of every class, hidden ones included.

    Raises
    ------
    OutOfBoundsError
        If there is one class only, or more than can be told apart.
    """

    def __init__(
        self,
        source: HasHeatmap | Heatmap,
        pyramid: Pyramid,
        *,
        colours: Sequence[tuple[int, int, int]] = (),
        hidden: Collection[str] = (),
        threshold: float | None = None,
        name: str = "Most likely class",
    ) -> None:
        self.name = name
        self.pyramid = pyramid
        self._values = Values(source, pyramid)
        self.classes = self.heatmap.classes
        number = len(self.classes)
        if not 1 < number <= _MOST:
            message = f"A class map shows 2 to {_MOST} classes, not {number}."
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
        """The values, as they are now."""
        return self._values.heatmap

    @property
    def version(self) -> str:
        """Grows with the heatmap."""
        return str(self.heatmap.version)

    def value_at(self, x: float, y: float) -> str | None:
        """Return the most likely class at a level-0 point; None: not computed."""
        values = self.heatmap.at(x, y)
        if values is None or any(map(math.isnan, values.values())):
            return None
        return max(values, key=values.__getitem__)

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG, None where nothing is drawn.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        under = self._values.under((z, x, y), range(len(self.classes)))
        indices = under.spread(self._most_likely(under.values))
        return encode_hatched(indices, self._palette, under.pending)

    def _most_likely(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        known = ~np.isnan(values).any(axis=0)
        drawn = known
        if self._threshold is not None:
            drawn = known & (values.max(axis=0) >= self._threshold)
        winners = np.where(known, values, 0).argmax(axis=0) + 1
        return np.where(drawn, winners, 0).astype(np.uint8)
