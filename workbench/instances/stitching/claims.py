"""Claims of tiles on instances at tile borders, so that each is counted once and whole.

Tiles overlap by twice their margin, and their cores partition the slide. The core that
contains the anchor of an instance (its centroid) decides which tile owns it, so most
instances need no other tile. Two kinds do, and are kept until all tiles are done:

- near the edge of a core or across it, where a network with another context, or a
  raster shifted by a fraction of a pixel, can move an anchor to the other side, and
  where instances of two tiles may overlap: such instances are claimed from both sides,
  and the better claim is kept;
- as large as the margin, so that no tile may contain one whole: every tile whose core
  it reaches claims the part that it sees, and parts that are equal in the overlap of
  two tiles are merged.
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
"""Maximum difference between two tiles in the position of an anchor, in tile pixels."""

_NEAR_PX: Final = 2 * _WAVER_PX
"""Depth inside a core from which an anchor is not claimed from outside: a claim within
`_WAVER_PX` beyond a core must meet the claim of its owner."""

_NEARLY: Final = 0.9
"""Share of the margin from which an instance may be as large as it in another tile."""


class ClaimKind(IntEnum):
    """ClaimKind of a claim of a tile on an instance."""

    OWN = 0
    """The instance lies in the core of the tile, and no other tile can claim it."""
    NEAR = 1
    """Its anchor lies in the core, but near its edge, or it extends across the edge."""
    BEYOND = 2
    """It lies near the core, but outside; used if its owner has missed it."""
    LARGE = 3
    """It extends into the core and is as large as the margin; it may be a part."""


@dataclass(frozen=True, eq=False, slots=True)
class Claims:
    """Claims of tiles on instances."""

    instances: Instances
    tiles: NDArray[np.int64]
    """Number of the claiming tile: (N,)."""
    kinds: NDArray[np.uint8]
    """`ClaimKind` of each: (N,)."""

    def __len__(self) -> int:
        """Return the number of claims."""
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
        """Return the selected claims, in the order of `which` (indices or a mask)."""
        return type(self)(
            self.instances.take(which), self.tiles[which], self.kinds[which]
        )

    @property
    def held(self) -> Self:
        """Claims that count until all tiles are done."""
        return self.take(self.kinds != ClaimKind.BEYOND)


class Survey(NamedTuple):
    """Size and position of the instances of one tile."""

    area: NDArray[np.int64]
    """Pixels of each: (n,)."""
    anchors: NDArray[np.float64]
    """Centroid, in tile pixels from the tile's corner: (n, 2), x and y."""
    extent: NDArray[np.int64]
    """Longer side of the bounding box, in tile pixels: (n,)."""
    in_core: NDArray[np.bool_]
    """Whether some pixel lies in the core: (n,)."""
    inside: NDArray[np.bool_]
    """Whether all pixels lie in the core: (n,)."""
    crosses: NDArray[np.bool_]
    """Whether it is within a pixel of the core's edge, or across it: (n,)."""
    cut: NDArray[np.bool_]
    """Whether it touches the edge of the tile: (n,)."""


def survey(labels: NDArray[np.int32], count: int, core: NDArray[np.float64]) -> Survey:
    """Measure size and position of the instances in a label image.

    Parameters
    ----------
    labels : int32 (H, W)
        Instances are 1 to `count`.
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
    """Return the `ClaimKind` of each instance, int64 (n,); -1: not claimed."""
    box, core = grid.tile(tile), grid.core(tile)
    scale = box.width / grid.tile_px
    anchors = np.floor([box.x0, box.y0] + seen.anchors * scale)
    beyond = _outside(anchors, core)
    reaches = ~seen.inside & seen.in_core
    nearly = reaches & (seen.extent >= _NEARLY * grid.margin_px)
    near = (beyond > -_NEAR_PX * scale) | seen.crosses
    kinds = np.full(len(seen.area), -1, np.int64)
    # The anchor of a part is not that of the whole.
    visitor = (beyond > 0) & ~seen.cut
    kinds[visitor & ((beyond <= _WAVER_PX * scale) | nearly)] = ClaimKind.BEYOND
    kinds[beyond <= 0] = ClaimKind.OWN
    kinds[(beyond <= 0) & near] = ClaimKind.NEAR
    kinds[seen.in_core & ~seen.inside & (seen.extent >= grid.margin_px)] = (
        ClaimKind.LARGE
    )
    kinds[seen.area == 0] = -1
    return kinds


def _outside(points: NDArray[np.float64], core: Box) -> NDArray[np.float64]:
    """Return the distance of points (in whole pixels) from a box; negative: inside."""
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
    """Sum up pixels, x, y, and pixels in the core; extend boxes (last included)."""
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
