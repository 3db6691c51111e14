"""Protocols of layers: anything that can be drawn as deep-zoom tiles.

The tile server, the viewer and the tests depend on these protocols only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from workbench.errors import OutOfBoundsError
from workbench.geometry import Box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from workbench.slide.readers.base import EncodedTile

_OVERLAY_TILE_PX: Final = 512


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The zoom levels at which the layers of one slide are drawn.

    Zoom z shows the slide at `2 ** (max_zoom - z)` level-0 pixels for each pixel;
    tile (x, y) of it covers pixels `[x * tile_px, (x + 1) * tile_px)`, so that
    tile (0, 0) of zoom 0 covers the whole slide.
    """

    slide_size: tuple[int, int]
    """Width and height, in level-0 pixels."""

    tile_px: int = 256
    """Side of a tile in pixels."""

    max_zoom: int = field(init=False, repr=False, compare=False)
    """The zoom that shows level-0 pixels one to one."""

    def __post_init__(self) -> None:
        """Compute the number of zooms once: every tile request needs it."""
        tiles = max(self.slide_size) / self.tile_px
        object.__setattr__(self, "max_zoom", max(0, math.ceil(math.log2(tiles))))

    def downsample(self, z: int) -> int:
        """Return the level-0 pixels for each pixel of zoom `z`."""
        return 1 << (self.max_zoom - z)

    def shape(self, z: int) -> tuple[int, int]:
        """Return (rows, columns) of tiles at zoom `z`."""
        side = self.tile_px * self.downsample(z)
        return -(-self.slide_size[1] // side), -(-self.slide_size[0] // side)

    def __contains__(self, place: tuple[int, int, int]) -> bool:
        """Return whether tile (z, x, y) exists."""
        z, x, y = place
        if not 0 <= z <= self.max_zoom:
            return False
        side = self.tile_px << (self.max_zoom - z)
        width, height = self.slide_size
        return 0 <= x * side < width and 0 <= y * side < height

    def box(self, z: int, x: int, y: int) -> Box:
        """Return the box of a tile, in level-0 pixels; it may extend past the slide.

        Raises
        ------
        OutOfBoundsError
            If there is no such tile.
        """
        if (z, x, y) not in self:
            message = f"There is no tile ({x}, {y}) at zoom {z} of {self}."
            raise OutOfBoundsError(message)
        side = self.tile_px * self.downsample(z)
        return Box.at(x * side, y * side, side, side)


def overlay_pyramid(slide_size: tuple[int, int]) -> Pyramid:
    """Return the pyramid of layers that are computed: few, large tiles.

    Drawing values and outlines costs little per pixel, and a request costs as much
    as many pixels. Tiles with four times the pixels take nearly a quarter of the
    time.
    """
    return Pyramid(slide_size, _OVERLAY_TILE_PX)


@dataclass(frozen=True, slots=True)
class Legend:
    """The meaning of a layer's colours."""

    title: str
    unit: str = ""
    ramp: tuple[tuple[float, str], ...] = ()
    """(value, "#rrggbb") from low to high, for continuous values."""

    entries: tuple[tuple[str, str], ...] = field(default=())
    """(name, "#rrggbb") for classes."""


class Layer(Protocol):
    """Something that can be drawn over a slide."""

    name: str
    """Display name, such as "Slide" or "tumour"."""

    pyramid: Pyramid
    legend: Legend | None

    @property
    def version(self) -> str:
        """Version; changes whenever tiles drawn earlier would look different now."""

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile; None if the tile is empty (transparent).

        Thread-safe. Raises only `WorkbenchError`; `OutOfBoundsError` for a tile
        outside the pyramid.
        """


@runtime_checkable
class InstancesLayer(Layer, Protocol):
    """A layer whose instances the browser colours; `tile` draws it for other users.

    `InstanceNumberLayer` and `InstanceColourTable` in `instances.py` define the
    formats of its tiles.
    """

    instance_numbers: Layer
    """Tiles with the instance that each pixel belongs to."""

    instances_from_zoom: int
    """First zoom at which the browser uses `instance_numbers`; below it, `tile`."""

    colours: Layer
    """One tile with the colour of each instance."""

    @property
    def palette(self) -> NDArray[np.uint8]:
        """RGBA of the inside (row 2 c) and the border (row 2 c + 1) of colour c."""


@runtime_checkable
class ReadableLayer(Protocol):
    """A layer whose values can be read at a point."""

    def value_at(self, x: float, y: float) -> float | str | None:
        """Return the value or class at a level-0 point; None if there is none."""


@runtime_checkable
class FarLayer(Protocol):
    """A layer that is not drawn at the sharpest zooms; others are drawn at all."""

    @property
    def drawn_to_zoom(self) -> int:
        """Last zoom at which it is drawn; -1: at none."""
