"""Instances as a layer: outlines near by, how much is covered from far away.

Near by, a tile says which object each pixel belongs to. The browser gives the objects
their colours by a table, so that choosing other colours or hiding objects draws no tile
anew. From far away, where a pixel holds many objects, colours are chosen here; these
tiles are few and quick.
"""

from __future__ import annotations

import itertools
import struct
import threading
import zlib
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from workbench.geometry import Box
from workbench.layers.encode import encode_palette
from workbench.layers.instance_style import (
    CHOSEN,
    COLOURS,
    HasColumns,
    InstanceStyle,
    bordered,
)
from workbench.layers.layer import Pyramid
from workbench.layers.rasterize import (
    cover,
    fill_outlines,
    group_of,
    shade,
    with_borders,
)
from workbench.slide.readers.base import EncodedTile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.instances.store import Group
    from workbench.layers.layer import Legend

NEAREST: Final = 8
"""Level-0 pixels along a pixel of the screen up to which outlines are drawn."""

_OVERVIEW: Final = 256
"""Level-0 pixels along a pixel from which on sums are kept for all tiles."""

_LEVELS: Final = 8
_FULL: Final = 0.5
"""Share of a pixel that objects cover where it has the full colour: packed nuclei."""

_FAINTEST: Final = 0.25
_MOST: Final = 1 << 18
"""Objects in one tile at the most."""

_WIDE: Final = 1 << 15
_BINARY: Final = "application/octet-stream"

_counter = itertools.count()


class HasInstances(HasColumns, Protocol):
    """What a store of instances is to a layer."""

    @property
    def id(self) -> str:
        """Of the content."""

    @property
    def version(self) -> str:
        """Changes with the outlines that there are."""

    @property
    def firsts(self) -> NDArray[np.int64]:
        """Id of the first object of each group, and the number of all."""

    def groups_in(self, box: Box) -> list[int]:
        """Return the numbers of the groups that may have outlines in a box."""

    def group(self, number: int) -> Group:
        """Return a group."""


class NumberLayer:
    """Which object each pixel belongs to, as tiles for the browser to colour.

    A tile is not a picture but, compressed with zlib: two uint32, the number of
    objects N and whether cells are wide; their ids, uint32 (N,); and cells, uint16 or
    uint32 (tile_px, tile_px): 0 where there is nothing, else twice the number of the
    object (from 1), plus 1 on its border. All are little-endian.
    """

    name = "object numbers"
    legend: Legend | None = None

    def __init__(self, store: HasInstances, pyramid: Pyramid) -> None:
        self._store = store
        self.pyramid = pyramid
        self.drawing = f"objects {store.id} {pyramid.tile_px}"
        """Equal for layers that draw the same."""
        self.version = store.version

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        RunError
            If the store is damaged there.
        """
        members, cells = self.cells(z, x, y)
        wide = len(members) >= _WIDE
        kind = np.dtype("<u4" if wide else "<u2")
        head = struct.pack("<II", len(members), wide)
        body = members.astype("<u4").tobytes() + cells.astype(kind).tobytes()
        return EncodedTile(zlib.compress(head + body, 1), _BINARY)

    def cells(
        self, z: int, x: int, y: int
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Return the ids of the objects on a tile, and its cells."""
        box, scale = self.pyramid.box(z, x, y), self.pyramid.downsample(z)
        # One cell more on each side tells what is a border.
        around = box.grow(scale)
        side = self.pyramid.tile_px + 2
        cells = np.zeros((side, side), np.uint32)
        members = np.empty(_MOST, np.int64)
        known = 0
        for number in self._store.groups_in(around):
            group = group_of(self._store.group(number))
            place = (around.x0, around.y0, scale)
            known = fill_outlines(cells, members, known, place, group)
        return members[:known], with_borders(cells)


class ColourTable:
    """The colour of every object, as one tile for the browser.

    Compressed with zlib: uint8 (N,), a colour for each id, 0 for what is not shown.
    """

    name = "colours of objects"
    legend: Legend | None = None
    version = "0"
    pyramid = Pyramid((1, 1), 1)

    def __init__(self, numbers: NDArray[np.uint8]) -> None:
        self._numbers = numbers

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return the table; there is one."""
        self.pyramid.box(z, x, y)
        return EncodedTile(zlib.compress(self._numbers.tobytes(), 1), _BINARY)


class InstanceLayer:
    """The instances of a run.

    Parameters
    ----------
    store : InstanceStore or EditedInstances
    pyramid : Pyramid
        Of the slide that they lie over.
    style : InstanceStyle, optional
        By class, all shown, by default.
    chosen : int64 (K,), optional
        Ids of objects that stand out.
    objects : NumberLayer, optional
        Of another layer of the same store, to go on with.

    Raises
    ------
    RunError
        If the store has no such column, or is damaged.
    """

    def __init__(
        self,
        store: HasInstances,
        pyramid: Pyramid,
        style: InstanceStyle | None = None,
        *,
        chosen: NDArray[np.int64] | None = None,
        objects: NumberLayer | None = None,
    ) -> None:
        self.name = "instances"
        self.pyramid = pyramid
        self.style = style or InstanceStyle()
        self.legend: Legend | None = self.style.legend(store)
        self._store = store
        self._numbers = self.style.numbers(store, chosen)
        self._rgb = self.style.palette(store)
        self._guard = threading.Lock()
        self._sums: NDArray[np.float32] | None = None
        if objects is None or objects.version != store.version:
            objects = NumberLayer(store, pyramid)
        self.objects = objects
        """Whose pixel each is; for a browser that colours them itself."""
        self.colours = ColourTable(self._numbers)
        """The colour of each object, for the browser."""
        self.objects_from = max(0, pyramid.max_zoom - NEAREST.bit_length() + 1)
        """The zoom from which on outlines are drawn."""
        self.palette = bordered(self._rgb)
        """Colour and opacity of the inside and the border of each colour."""
        self.version = f"{store.version}.{next(_counter)}"

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG, None where nothing is drawn.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        RunError
            If the store is damaged there.
        """
        if z < self.objects_from:
            return self._far(z, x, y)
        members, cells = self.objects.cells(z, x, y)
        colours = np.zeros(len(members) + 1, np.uint8)
        colours[1:] = self._numbers[members]
        # Inside and border of a colour are next to each other.
        table = np.repeat(2 * colours, 2)
        table[1::2] += 1
        table[table < 2] = 0  # noqa: PLR2004 - what is not shown has no border
        indices = table[cells]
        return encode_palette(indices, self.palette) if indices.any() else None

    def _far(self, z: int, x: int, y: int) -> EncodedTile | None:
        box, scale = self.pyramid.box(z, x, y), self.pyramid.downsample(z)
        side = self.pyramid.tile_px
        if scale < _OVERVIEW:
            sums = self._covered(box, scale, (side, side))
        else:
            sums = _shrunk(self._overview, box, scale // _OVERVIEW, side)
        mean = self.style.by != "class"
        indices = shade(sums, _FULL, _LEVELS, CHOSEN, mean)
        return encode_palette(indices, self._shades) if indices.any() else None

    @property
    def _overview(self) -> NDArray[np.float32]:
        """What is covered of the whole slide, made when it is needed."""
        with self._guard:
            if self._sums is None:
                width, height = self.pyramid.slide_size
                size = -(-height // _OVERVIEW), -(-width // _OVERVIEW)
                whole = Box(0, 0, width, height)
                self._sums = self._covered(whole, _OVERVIEW, size)
            return self._sums

    def _covered(
        self, box: Box, scale: int, size: tuple[int, int]
    ) -> NDArray[np.float32]:
        """Return how much of each pixel is covered: chosen, by colour, and weighed."""
        table = np.zeros(CHOSEN + 1, np.int64), np.zeros(CHOSEN + 1, np.float32)
        if self.style.by == "class":
            count = min(COLOURS, len(self._store.classes))
            table[0][1:CHOSEN] = np.arange(1, CHOSEN)
        else:
            count = 1
            table[0][1:CHOSEN] = 1
            table[1][1:CHOSEN] = np.arange(1, CHOSEN)
        columns = self._store.columns(["x", "y", "size_px"])
        objects = (columns["x"], columns["y"], columns["size_px"], self._numbers)
        planes = np.zeros((count + 2, *size), np.float32)
        for span in self._spans(box):
            cover(planes, (box.x0, box.y0, scale), objects, span, table)
        return planes

    def _spans(self, box: Box) -> list[tuple[int, int]]:
        """Return from where to where the objects go that may lie in a box."""
        groups, firsts = self._store.groups_in(box), self._store.firsts
        spans: list[tuple[int, int]] = []
        for number in groups:
            start, end = int(firsts[number]), int(firsts[number + 1])
            if spans and spans[-1][1] == start:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
        return spans

    @property
    def _shades(self) -> NDArray[np.uint8]:
        """The colour and opacity of each level of each colour: uint8 (249, 4)."""
        found = np.zeros((1 + CHOSEN * _LEVELS, 4), np.uint8)
        found[1:, :3] = np.repeat(self._rgb[1:], _LEVELS, axis=0)
        steps = np.linspace(_FAINTEST, 1, _LEVELS)
        found[1:, 3] = np.tile(np.rint(255 * steps).astype(np.uint8), CHOSEN)
        return found


def _shrunk(
    sums: NDArray[np.float32], box: Box, factor: int, side: int
) -> NDArray[np.float32]:
    """Return a tile's part of an overview, averaged over squares of its pixels."""
    left, top = box.x0 // _OVERVIEW, box.y0 // _OVERVIEW
    part = sums[:, top : top + side * factor, left : left + side * factor]
    planes, height, width = part.shape
    # Whole squares of what there is; the rest of the tile stays empty.
    down, right = -(-height // factor), -(-width // factor)
    whole = np.zeros((planes, down * factor, right * factor), np.float32)
    whole[:, :height, :width] = part
    shrunk = np.zeros((planes, side, side), np.float32)
    squares = whole.reshape(planes, down, factor, right, factor)
    shrunk[:, :down, :right] = squares.mean(axis=(2, 4))
    return shrunk
