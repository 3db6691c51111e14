"""Boxes of a slide as the encoded stored tiles that cover them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from workbench.slide.readers.base import Level, Reader
    from workbench.slide.readers.level_selection import Source

_JPEG: Final = "image/jpeg"


@dataclass(frozen=True, eq=False)
class EncodedBoxes:
    """Encoded tiles and their layout, from which a device can decode boxes.

    Encoded tiles have a tenth of the bytes of the pixels, which saves bus transfer to a
    GPU that decodes them.
    """

    files: tuple[bytes, ...]
    """Stored tiles as complete JPEG files, each once."""

    lookup: NDArray[np.int64]
    """Index into `files` of each stored tile that a box may touch, starting with the
    tile of its upper left corner; int64 (N, rows, columns), -1 where there is none."""

    corners: NDArray[np.int64]
    """x and y of the upper left corner of each box in the level, int64 (N, 2)."""

    box: tuple[int, int]
    """Width and height of each box, in pixels of the level."""

    tile: tuple[int, int]
    """Width and height of a stored tile."""

    limit: tuple[int, int]
    """Width and height of the level; outside of it is background."""

    size: tuple[int, int]
    """Output width and height of each box: that of `box`, or smaller."""

    background: tuple[int, int, int]

    read: Callable[[], NDArray[np.uint8]]
    """Reads the same boxes decoded on the CPU: uint8 (N, height, width, 3)."""

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.corners)

    def __getitem__(self, part: slice) -> EncodedBoxes:
        """Return some of the boxes, with the files that they need."""
        used, numbers = np.unique(self.lookup[part], return_inverse=True)
        files = used[used >= 0]
        return replace(
            self,
            files=tuple(self.files[i] for i in files.tolist()),
            lookup=numbers.reshape(self.lookup[part].shape) - (len(used) - len(files)),
            corners=self.corners[part],
            read=lambda: self.read()[part],
        )


def encoded_boxes(
    reader: Reader,
    sources: Sequence[Source],
    size: tuple[int, int],
    read: Callable[[], NDArray[np.uint8]],
) -> EncodedBoxes | None:
    """Return boxes as encoded stored tiles, or None if that is not possible.

    It is not possible where the level is not stored as JPEG tiles, where a box does not
    lie on pixel boundaries of the level, or where it has to be enlarged.

    Parameters
    ----------
    reader : Reader
        Reads the stored tiles.
    sources : sequence of Source
        One for each box, without reduction while decoding.
    size : (int, int)
        Output width and height of each box.
    read : callable
        Reads the boxes decoded.

    Raises
    ------
    SlideReadError or OSError
        If the file cannot be read.
    """
    number, box = sources[0].level, sources[0].size
    level = reader.levels[number]
    alike = all((s.level, s.size, s.is_whole) == (number, box, True) for s in sources)
    if level.tile is None or not alike or box[0] < size[0] or box[1] < size[1]:
        return None
    corners = np.array([source.origin for source in sources])
    indices = _tile_indices(corners, box, level, level.tile)
    columns = -(-level.size[0] // level.tile[0])
    tiles, numbers = np.unique(indices, return_inverse=True)
    files: list[bytes] = []
    order = np.full(len(tiles), -1, np.int64)
    for i, tile in enumerate(tiles.tolist()):
        stored = tile >= 0 and reader.encoded_tile(
            number, tile % columns, tile // columns
        )
        if stored and stored.media_type == _JPEG:
            order[i] = len(files)
            files.append(stored.data)
        elif tile >= 0 and not reader.is_blank(number, tile % columns, tile // columns):
            return None  # the pixels have another source
    if not files:
        return None
    return EncodedBoxes(
        files=tuple(files),
        lookup=order[numbers].reshape(indices.shape),
        corners=corners,
        box=box,
        tile=level.tile,
        limit=level.size,
        size=size,
        background=reader.background,
        read=read,
    )


def _tile_indices(
    corners: NDArray[np.int64],
    box: tuple[int, int],
    level: Level,
    tile: tuple[int, int],
) -> NDArray[np.int64]:
    """Return the indices of the stored tiles that boxes touch; -1: outside the level.

    Returns
    -------
    int64 (N, rows, columns)
        Tiles counted row by row; rows and columns are those of the box that touches
        most tiles.
    """
    first, last = corners // tile, -(-(corners + box) // tile)
    across, down = (last - first).max(axis=0)
    columns, rows = -(-level.size[0] // tile[0]), -(-level.size[1] // tile[1])
    x = first[:, 0, None, None] + np.arange(across)
    y = first[:, 1, None, None] + np.arange(down)[:, None]
    # A box with fewer tiles than another touches none beyond its last one.
    touched = (x < last[:, 0, None, None]) & (y < last[:, 1, None, None])
    inside = touched & (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    return np.where(inside, y * columns + x, -1)
