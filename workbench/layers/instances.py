"""Layer that shows instances: outlines at high zooms, coverage at low zooms.

At high zooms, a tile holds the instance that each pixel belongs to. The browser
colours instances with a table, so that a change of colours or of the filter redraws no
tile. At low zooms, where a pixel covers many instances, the server colours the tiles;
these are few and fast.
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
    InstanceColumns,
    InstanceStyle,
    outline_indices,
    outline_palette,
)
from workbench.layers.layer import Pyramid
from workbench.layers.rasterize import (
    add_coverage,
    fill_outlines,
    group_arrays,
    mark_borders,
    shade,
)
from workbench.slide.readers.base import EncodedTile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.instances.store import Group
    from workbench.layers.layer import Legend

NEAREST: Final = 8
"""Downsample up to which outlines are drawn."""

_OVERVIEW: Final = 256
"""Downsample from which tiles are computed from coverage of the whole slide."""

_LEVELS: Final = 8
_FULL: Final = 0.5
"""Covered share of a pixel that is drawn opaque; that of densely packed nuclei."""

_FAINTEST: Final = 0.25
_MAX_INSTANCES: Final = 1 << 18
"""Maximum number of instances in one tile."""

_WIDE: Final = 1 << 15
"""Number of instances in a tile from which its cells are uint32."""

_BINARY: Final = "application/octet-stream"

_counter = itertools.count()


class InstanceSource(InstanceColumns, Protocol):
    """Store of instances that a layer can draw."""

    @property
    def id(self) -> str:
        """Id of the content."""

    @property
    def version(self) -> str:
        """Version; changes when outlines are added or replaced."""

    @property
    def firsts(self) -> NDArray[np.int64]:
        """Id of the first instance of each group, then the number of instances."""

    def groups_in(self, box: Box) -> list[int]:
        """Return the numbers of the groups that may have outlines in a box."""

    def group(self, number: int) -> Group:
        """Return a group."""


class InstanceNumberLayer:
    """Tiles with the instance that each pixel belongs to, coloured by the browser.

    A tile is not an image but binary data, compressed with zlib: two uint32, the
    number of instances N and whether cells are wide; the ids of the instances, uint32
    (N,); and cells, uint16 or uint32 (tile_px, tile_px): 0 for no instance, else twice
    the number of the instance (from 1), plus 1 on its border. All are little-endian.
    """

    name = "instance numbers"
    legend: Legend | None = None

    def __init__(self, store: InstanceSource, pyramid: Pyramid) -> None:
        self._store = store
        self.pyramid = pyramid
        self.drawing = f"instances {store.id} {pyramid.tile_px}"
        """Cache key, equal for layers that draw the same tiles."""
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
        ids, cells = self.cells(z, x, y)
        wide = len(ids) >= _WIDE
        dtype = np.dtype("<u4" if wide else "<u2")
        head = struct.pack("<II", len(ids), wide)
        body = ids.astype("<u4").tobytes() + cells.astype(dtype).tobytes()
        return EncodedTile(zlib.compress(head + body, 1), _BINARY)

    def cells(
        self, z: int, x: int, y: int
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Return the ids of the instances in a tile, and its cells."""
        box, scale = self.pyramid.box(z, x, y), self.pyramid.downsample(z)
        # Borders need one more cell on each side.
        padded = box.grow(scale)
        side = self.pyramid.tile_px + 2
        cells = np.zeros((side, side), np.uint32)
        ids = np.empty(_MAX_INSTANCES, np.int64)
        count = 0
        for number in self._store.groups_in(padded):
            group = group_arrays(self._store.group(number))
            frame = (padded.x0, padded.y0, scale)
            count = fill_outlines(cells, ids, count, frame, group)
        return ids[:count], mark_borders(cells)


class InstanceColourTable:
    """The colour index of each instance, as one tile for the browser.

    Compressed with zlib: uint8 (N,), the colour index of each id, 0 if not shown.
    """

    name = "colours of instances"
    legend: Legend | None = None
    version = "0"
    pyramid = Pyramid((1, 1), 1)

    def __init__(self, colour_indices: NDArray[np.uint8]) -> None:
        self._colour_indices = colour_indices

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return the table, which is the only tile."""
        self.pyramid.box(z, x, y)
        return EncodedTile(zlib.compress(self._colour_indices.tobytes(), 1), _BINARY)


class InstanceLayer:
    """The instances of a run.

    Parameters
    ----------
    store : InstanceStore or EditedInstances
    pyramid : Pyramid
        Pyramid of the slide.
    style : InstanceStyle, optional
        By default all instances are shown, coloured by class.
    chosen : int64 (K,), optional
        Ids of selected instances, which are highlighted.
    instance_numbers : InstanceNumberLayer, optional
        That of an earlier layer of the same store, whose tiles are reused.

    Raises
    ------
    RunError
        If the store has no such column, or is damaged.
    """

    def __init__(
        self,
        store: InstanceSource,
        pyramid: Pyramid,
        style: InstanceStyle | None = None,
        *,
        chosen: NDArray[np.int64] | None = None,
        instance_numbers: InstanceNumberLayer | None = None,
    ) -> None:
        self.name = "instances"
        self.pyramid = pyramid
        self.style = style or InstanceStyle()
        self.legend: Legend | None = self.style.legend(store)
        self._store = store
        self._colour_indices = self.style.colour_indices(store, chosen)
        self._rgb = self.style.palette(store)
        self._guard = threading.Lock()
        self._sums: NDArray[np.float32] | None = None
        if instance_numbers is None or instance_numbers.version != store.version:
            instance_numbers = InstanceNumberLayer(store, pyramid)
        self.instance_numbers = instance_numbers
        """Tiles with the instance of each pixel, for the browser to colour."""
        self.colours = InstanceColourTable(self._colour_indices)
        """One tile with the colour index of each instance, for the browser."""
        self.instances_from_zoom = max(0, pyramid.max_zoom - NEAREST.bit_length() + 1)
        """First zoom at which outlines are drawn."""
        self.palette = outline_palette(self._rgb)
        """RGBA of the inside and the border of each colour, uint8 (64, 4)."""
        self.version = f"{store.version}.{next(_counter)}"

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if it is empty.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        RunError
            If the store is damaged there.
        """
        if z < self.instances_from_zoom:
            return self._coverage_tile(z, x, y)
        ids, cells = self.instance_numbers.cells(z, x, y)
        indices = outline_indices(cells, self._colour_indices[ids])
        return encode_palette(indices, self.palette) if indices.any() else None

    def _coverage_tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile of a low zoom: how much of each pixel instances cover."""
        box, scale = self.pyramid.box(z, x, y), self.pyramid.downsample(z)
        side = self.pyramid.tile_px
        if scale < _OVERVIEW:
            sums = self._coverage(box, scale, (side, side))
        else:
            sums = _average(self._overview, box, scale // _OVERVIEW, side)
        mean = self.style.by != "class"
        indices = shade(sums, _FULL, _LEVELS, CHOSEN, mean)
        return encode_palette(indices, self._shades) if indices.any() else None

    @property
    def _overview(self) -> NDArray[np.float32]:
        """Coverage of the whole slide, computed on first use."""
        with self._guard:
            if self._sums is None:
                width, height = self.pyramid.slide_size
                size = -(-height // _OVERVIEW), -(-width // _OVERVIEW)
                whole = Box(0, 0, width, height)
                self._sums = self._coverage(whole, _OVERVIEW, size)
            return self._sums

    def _coverage(
        self, box: Box, scale: int, size: tuple[int, int]
    ) -> NDArray[np.float32]:
        """Return the covered share of each pixel: float32 (P, H, W).

        The planes are of selected instances, of each colour, and weighted by colour.
        """
        table = np.zeros(CHOSEN + 1, np.int64), np.zeros(CHOSEN + 1, np.float32)
        if self.style.by == "class":
            count = min(COLOURS, len(self._store.classes))
            table[0][1:CHOSEN] = np.arange(1, CHOSEN)
        else:
            count = 1
            table[0][1:CHOSEN] = 1
            table[1][1:CHOSEN] = np.arange(1, CHOSEN)
        columns = self._store.columns(["x", "y", "size_px"])
        squares = (
            columns["x"],
            columns["y"],
            columns["size_px"],
            self._colour_indices,
        )
        planes = np.zeros((count + 2, *size), np.float32)
        for span in self._spans(box):
            add_coverage(planes, (box.x0, box.y0, scale), squares, span, table)
        return planes

    def _spans(self, box: Box) -> list[tuple[int, int]]:
        """Return the ranges of ids (start, end) that may lie in a box."""
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
        """RGBA of each level of each colour: uint8 (249, 4)."""
        rgba = np.zeros((1 + CHOSEN * _LEVELS, 4), np.uint8)
        rgba[1:, :3] = np.repeat(self._rgb[1:], _LEVELS, axis=0)
        steps = np.linspace(_FAINTEST, 1, _LEVELS)
        rgba[1:, 3] = np.tile(np.rint(255 * steps).astype(np.uint8), CHOSEN)
        return rgba


def _average(
    sums: NDArray[np.float32], box: Box, factor: int, side: int
) -> NDArray[np.float32]:
    """Return the part of an overview in a box, averaged over factor x factor pixels."""
    left, top = box.x0 // _OVERVIEW, box.y0 // _OVERVIEW
    part = sums[:, top : top + side * factor, left : left + side * factor]
    planes, height, width = part.shape
    # Pad the part to whole squares; the rest of the tile stays empty.
    down, right = -(-height // factor), -(-width // factor)
    whole = np.zeros((planes, down * factor, right * factor), np.float32)
    whole[:, :height, :width] = part
    average = np.zeros((planes, side, side), np.float32)
    squares = whole.reshape(planes, down, factor, right, factor)
    average[:, :down, :right] = squares.mean(axis=(2, 4))
    return average
