"""The objects of a run under way as a layer: outlines near by, as tiles saw them."""

from __future__ import annotations

import threading
from time import monotonic as _now
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from workbench.instances.outline_codec import boxes_of, on_raster
from workbench.layers.colormaps import hex_colour
from workbench.layers.encode import encode_palette
from workbench.layers.instance_style import COLOURS, bordered
from workbench.layers.instances import NEAREST
from workbench.layers.layer import Legend
from workbench.layers.rasterize import fill_outlines, with_borders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.instances.instances import Instances
    from workbench.layers.layer import Pyramid
    from workbench.models.card import Colour
    from workbench.slide.readers.base import EncodedTile

_AGAIN_S: Final = 2.0
"""Tiles are drawn anew no more often, however fast objects are found."""


class HasLiveInstances(Protocol):
    """What the objects of a run under way are to a layer."""

    classes: tuple[str, ...]
    version: int

    def within(self, box: Box) -> tuple[NDArray[np.int64], Instances]:
        """Return the objects that touch a box, and their ids."""


class LiveInstanceLayer:
    """The objects that a run has found so far.

    From farther away than 8 level-0 pixels a pixel nothing is drawn: there the run's
    density says it. They cannot be chosen or edited before the run has ended, since
    ids and objects at seams are settled then.

    Parameters
    ----------
    objects : LiveInstances
    palette : sequence of Colour
        Of the classes.
    pyramid : Pyramid
        Of the slide that they lie over.
    """

    name = "objects so far"

    def __init__(
        self, objects: HasLiveInstances, palette: Sequence[Colour], pyramid: Pyramid
    ) -> None:
        self.pyramid = pyramid
        colours = [hex_colour(colour) for colour in palette]
        self.legend: Legend | None = Legend(
            self.name, entries=tuple(zip(objects.classes, colours, strict=True))
        )
        self._objects = objects
        rgb = np.zeros((COLOURS + 2, 3), np.uint8)
        own = np.array(palette[:COLOURS], np.uint8).reshape(-1, 3)
        rgb[1 : 1 + len(own)] = own
        self._palette = bordered(rgb)
        self._guard = threading.Lock()
        self._version, self._due = objects.version, 0.0

    @property
    def version(self) -> str:
        """Changes when there is more to draw, every two seconds at most."""
        with self._guard:
            now = _now()
            if now >= self._due and self._version != self._objects.version:
                self._version = self._objects.version
                self._due = now + _AGAIN_S
            return str(self._version)

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG, None where nothing is drawn.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        RunError
            If the run cannot be read.
        """
        box, scale = self.pyramid.box(z, x, y), self.pyramid.downsample(z)
        if scale > NEAREST:
            return None
        # One cell more on each side tells what is a border.
        around = box.grow(scale)
        found = self._objects.within(around)[1]
        if not len(found):
            return None
        side = self.pyramid.tile_px + 2
        cells = np.zeros((side, side), np.uint32)
        members = np.empty(len(found), np.int64)
        steps = on_raster(found.points)
        group = (0, steps, found.ends, boxes_of(steps, found.ends))
        known = fill_outlines(cells, members, 0, (around.x0, around.y0, scale), group)
        colours = np.zeros(known + 1, np.uint8)
        colours[1:] = np.minimum(found.classes[members[:known]], COLOURS - 1) + 1
        # Inside and border of a colour are next to each other.
        table = np.repeat(2 * colours, 2)
        table[1::2] += 1
        table[:2] = 0
        indices = table[with_borders(cells)]
        return encode_palette(indices, self._palette) if indices.any() else None
