"""Objects at the seams between tiles: each one once, and whole.

Tiles overlap by twice their margin, and their cores partition the slide. The core that
holds the anchor of an object (its centroid) decides which tile answers for it, so
most objects need nobody else. Two kinds do, and are held back until all tiles are done:

- near the edge of a core or across it, where a network that sees other surroundings,
  or a raster that lies a fraction of a pixel beside, can move an anchor to the other
  side, and where what another tile finds may overlap: such objects are claimed from
  both sides, and the better claim holds;
- as large as the margin, so that no tile may hold one whole: every tile whose core it
  reaches claims what it sees, and what is the same in the overlap of two tiles is
  united.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numba
import numpy as np

from workbench.instances.instances import Instances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.tiling.grid import Grid

_WAVER_PX: Final = 3.0
"""By how much two tiles may differ on where an anchor is, in tile pixels."""

_NEAR_PX: Final = 2 * _WAVER_PX
"""An anchor farther than this inside a core is not claimed from outside: whoever
claims one within `_WAVER_PX` beyond its own core must find its owner's claim too."""

_NEARLY: Final = 0.9
"""Objects of this share of the margin may be as large as it in another tile's eyes."""


class Kind(IntEnum):
    """What a tile says of an object that it found."""

    OWN = 0
    """It lies wholly in my core, and nobody else can think that it lies in theirs."""
    NEAR = 1
    """Its anchor lies in my core, but near its edge, or it reaches across that."""
    BEYOND = 2
    """It lies near my core, but beyond its edge: take mine if its owner missed it."""
    LARGE = 3
    """It reaches into my core and is as large as the margin: I may see a part."""


@dataclass(frozen=True, eq=False, slots=True)
class Claims:
    """What tiles say they have found."""

    instances: Instances
    tiles: NDArray[np.int64]
    """Which tile of the grid found each: (N,)."""
    kinds: NDArray[np.uint8]
    """`Kind` of each: (N,)."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.instances)

    @classmethod
    def concatenate(cls, parts: Sequence[Claims]) -> Self:
        """Return the claims of all parts."""
        return cls(
            Instances.concatenate([part.instances for part in parts]),
            np.concatenate([np.empty(0, np.int64), *(part.tiles for part in parts)]),
            np.concatenate([np.empty(0, np.uint8), *(part.kinds for part in parts)]),
        )

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Return some of them, in the order of `which` (numbers, or a mask)."""
        return type(self)(
            self.instances.take(which), self.tiles[which], self.kinds[which]
        )

    @property
    def held(self) -> Self:
        """Those that count until all tiles are done."""
        return self.take(self.kinds != Kind.BEYOND)


class Survey(NamedTuple):
    """Where the objects of one tile lie."""

    area: NDArray[np.int64]
    """Pixels of each: (n,)."""
    anchors: NDArray[np.float64]
    """Centroid, in tile pixels from the tile's corner: (n, 2), x and y."""
    extent: NDArray[np.int64]
    """Longer side of the box around each, in tile pixels: (n,)."""
    in_core: NDArray[np.bool_]
    """Whether a pixel of it lies in the core: (n,)."""
    inside: NDArray[np.bool_]
    """Whether all of it lies in the core: (n,)."""
    crosses: NDArray[np.bool_]
    """Whether it comes within a pixel of the core's edge, or across it: (n,)."""
    cut: NDArray[np.bool_]
    """Whether it touches the edge of the tile: (n,)."""


def survey(labels: NDArray[np.int32], count: int, core: NDArray[np.float64]) -> Survey:
    """Look where objects lie.

    Parameters
    ----------
    labels : int32 (H, W)
        Objects are 1 to `count`.
    count : int
    core : float64 (4,)
        x0, y0, x1, y1 of the core, in tile pixels from the tile's corner.
    """
    sums = np.zeros((count, 4), np.int64)
    boxes = np.empty((count, 4), np.int64)
    boxes[:, :2], boxes[:, 2:] = max(labels.shape), -1
    # The first and last pixel whose centre is in the core.
    edges = np.ceil(core - 0.5).astype(np.int64)
    _survey(labels, edges, sums, boxes)
    height, width = labels.shape
    x0, y0, x1, y1 = boxes.T
    area = sums[:, 0]
    middle = sums[:, 1:3] / np.maximum(area, 1)[:, None]
    return Survey(
        area=area,
        anchors=middle + 0.5,
        extent=np.maximum(x1 - x0, y1 - y0) + 1,
        in_core=sums[:, 3] > 0,
        inside=sums[:, 3] == area,
        crosses=(x0 <= edges[0])
        | (y0 <= edges[1])
        | (x1 >= edges[2] - 1)
        | (y1 >= edges[3] - 1),
        cut=(x0 == 0) | (y0 == 0) | (x1 == width - 1) | (y1 == height - 1),
    )


def kinds_of(seen: Survey, grid: Grid, tile: int) -> NDArray[np.int64]:
    """Return the `Kind` of each object of a tile, int64 (n,); -1: not its business."""
    box, core = grid.tile(tile), grid.core(tile)
    scale = box.width / grid.tile_px
    anchors = np.floor([box.x0, box.y0] + seen.anchors * scale)
    beyond = _outside(anchors, core)
    reaches = ~seen.inside & seen.in_core
    nearly = reaches & (seen.extent >= _NEARLY * grid.margin_px)
    near = (beyond > -_NEAR_PX * scale) | seen.crosses
    kinds = np.full(len(seen.area), -1, np.int64)
    # A part says nothing of where the anchor of the whole is.
    visitor = (beyond > 0) & ~seen.cut
    kinds[visitor & ((beyond <= _WAVER_PX * scale) | nearly)] = Kind.BEYOND
    kinds[beyond <= 0] = Kind.OWN
    kinds[(beyond <= 0) & near] = Kind.NEAR
    kinds[seen.in_core & ~seen.inside & (seen.extent >= grid.margin_px)] = Kind.LARGE
    kinds[seen.area == 0] = -1
    return kinds


def _outside(points: NDArray[np.float64], core: Box) -> NDArray[np.float64]:
    """Return how far points (of whole pixels) lie outside a box; negative: inside."""
    low = np.array([core.x0, core.y0]) - points
    high = points - np.array([core.x1 - 1, core.y1 - 1])
    distance: NDArray[np.float64] = np.maximum(low, high).max(axis=1)
    return distance


@numba.njit(nogil=True, cache=True)
def _survey(
    labels: NDArray[np.int32],
    edges: NDArray[np.int64],
    sums: NDArray[np.int64],
    boxes: NDArray[np.int64],
) -> None:
    """Add up pixels, x, y, and pixels in the core; stretch boxes (last included)."""
    x0, y0, x1, y1 = edges
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            at = labels[y, x] - 1
            if at < 0:
                continue
            sums[at, 0] += 1
            sums[at, 1] += x
            sums[at, 2] += y
            sums[at, 3] += (x0 <= x) & (x < x1) & (y0 <= y) & (y < y1)
            boxes[at, 0], boxes[at, 1] = min(boxes[at, 0], x), min(boxes[at, 1], y)
            boxes[at, 2], boxes[at, 3] = max(boxes[at, 2], x), max(boxes[at, 3], y)
