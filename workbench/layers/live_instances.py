"""Layer that shows the instances of a run in progress, before stitching."""

from __future__ import annotations

import threading
from time import monotonic as _now
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from workbench.instances.outline_codec import boxes_of, on_raster
from workbench.layers.colormaps import hex_colour
from workbench.layers.encode import encode_palette
from workbench.layers.instance_style import COLOURS, outline_indices, outline_palette
from workbench.layers.instances import NEAREST
from workbench.layers.layer import Legend
from workbench.layers.rasterize import fill_outlines, mark_borders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.geometry import BoxLike
    from workbench.instances.instances import Instances
    from workbench.layers.layer import Pyramid
    from workbench.models.card import Colour
    from workbench.slide.readers.base import EncodedTile

_REFRESH_S: Final = 2.0
"""Minimum time between two versions, so that tiles are not redrawn all the time."""


class LiveInstanceSource(Protocol):
    """Instances of a run in progress that a layer can draw."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""

    @property
    def version(self) -> int | str:
        """Version of the content; changes whenever the content changes."""

    def within(self, box: BoxLike) -> tuple[NDArray[np.int64], Instances]:
        """Return the ids of the instances that touch a box, and the instances."""


class LiveInstanceLayer:
    """The instances that a run has found so far.

    Nothing is drawn at downsamples above 8; the density heatmap of the run shows
    there. Instances cannot be selected or edited before the run has ended: only then
    are they stitched at tile borders and given their final ids.

    Parameters
    ----------
    instances : LiveInstances
    palette : sequence of Colour
        sRGB of the classes.
    pyramid : Pyramid
        Pyramid of the slide.
    """

    name = "instances so far"

    def __init__(
        self,
        instances: LiveInstanceSource,
        palette: Sequence[Colour],
        pyramid: Pyramid,
    ) -> None:
        self.pyramid = pyramid
        colours = [hex_colour(colour) for colour in palette]
        self.legend: Legend | None = Legend(
            self.name, entries=tuple(zip(instances.classes, colours, strict=True))
        )
        self._instances = instances
        rgb = np.zeros((COLOURS + 2, 3), np.uint8)
        own = np.array(palette[:COLOURS], np.uint8).reshape(-1, 3)
        rgb[1 : 1 + len(own)] = own
        self._palette = outline_palette(rgb)
        self._guard = threading.Lock()
        self._version, self._due = instances.version, 0.0

    @property
    def version(self) -> str:
        """Version; changes when instances are added, at most every two seconds."""
        with self._guard:
            now = _now()
            if now >= self._due and self._version != self._instances.version:
                self._version = self._instances.version
                self._due = now + _REFRESH_S
            return str(self._version)

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if it is empty.

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
        # Borders need one more cell on each side.
        padded = box.grow(scale)
        found = self._instances.within(padded)[1]
        if not len(found):
            return None
        side = self.pyramid.tile_px + 2
        cells = np.zeros((side, side), np.uint32)
        ids = np.empty(len(found), np.int64)
        steps = on_raster(found.points)
        group = (0, steps, found.ends, boxes_of(steps, found.ends))
        count = fill_outlines(cells, ids, 0, (padded.x0, padded.y0, scale), group)
        colours = np.minimum(found.classes[ids[:count]], COLOURS - 1) + 1
        indices = outline_indices(mark_borders(cells), colours.astype(np.uint8))
        return encode_palette(indices, self._palette) if indices.any() else None
