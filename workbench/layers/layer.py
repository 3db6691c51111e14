"""What a layer is: something that can be drawn as deep-zoom tiles.

The tile server, the viewer and the tests know nothing else about what they show.
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
    """The zoom levels all layers of one slide are drawn at.

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
        """Find the zooms once: every request for a tile asks for them."""
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
        """Tell whether tile (z, x, y) exists."""
        z, x, y = place
        if not 0 <= z <= self.max_zoom:
            return False
        side = self.tile_px << (self.max_zoom - z)
        width, height = self.slide_size
        return 0 <= x * side < width and 0 <= y * side < height

    def box(self, z: int, x: int, y: int) -> Box:
        """Return what a tile covers, in level-0 pixels; it may reach beyond the slide.

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
    """Return the zooms of what is drawn, not read: in few, large tiles.

    Values and outlines cost little for each pixel; a request costs as much as many
    pixels do, so four times the pixels in a tile nearly quarters the time.
    """
    return Pyramid(slide_size, _OVERLAY_TILE_PX)


@dataclass(frozen=True, slots=True)
class Legend:
    """What the colours of a layer mean."""

    title: str
    unit: str = ""
    ramp: tuple[tuple[float, str], ...] = ()
    """(value, "#rrggbb") from low to high, for values on a scale."""

    entries: tuple[tuple[str, str], ...] = field(default=())
    """(name, "#rrggbb") for classes."""


class Layer(Protocol):
    """Something that can be drawn over a slide."""

    name: str
    """For people, such as "Slide" or "tumour"."""

    pyramid: Pyramid
    legend: Legend | None

    @property
    def version(self) -> str:
        """Changes whenever tiles drawn earlier would look different now."""

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile; None: nothing to draw there (transparent).

        Safe from any number of threads. Raises a `WorkbenchError` only; a tile
        outside the pyramid is `OutOfBoundsError`.
        """


@runtime_checkable
class InstancesLayer(Layer, Protocol):
    """A layer whose objects a browser colours itself; `tile` draws it for all others.

    `NumberLayer` and `ColourTable` of `instances.py` say how its tiles are made.
    """

    objects: Layer
    """Tiles that say which object each pixel belongs to."""

    objects_from: int
    """The zoom from which on they are used; below it `tile` is."""

    colours: Layer
    """One tile with the colour of each object."""

    @property
    def palette(self) -> NDArray[np.uint8]:
        """Colour and opacity of the inside (2 c) and border (2 c + 1) of colour c."""


@runtime_checkable
class ReadableLayer(Protocol):
    """A layer whose values can be read where one points."""

    def value_at(self, x: float, y: float) -> float | str | None:
        """Return the value or class at a level-0 point; None where there is none."""
