"""Boxes of a slide as the stored tiles that cover them, still encoded."""

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
    """What it takes to make the pixels of boxes elsewhere: files, and where they lie.

    A tenth of the bytes of the pixels crosses the bus to a device that decodes.
    """

    files: tuple[bytes, ...]
    """Stored tiles, each once, as complete JPEG files."""

    lookup: NDArray[np.int64]
    """Number of the file of each stored tile that a box may touch, from the one that
    holds its upper left corner; int64 (N, rows, columns), -1 where there is none."""

    corners: NDArray[np.int64]
    """x and y of the upper left corner of each box in the level, int64 (N, 2)."""

    box: tuple[int, int]
    """Width and height of each box, in pixels of the level."""

    tile: tuple[int, int]
    """Width and height of a stored tile."""

    limit: tuple[int, int]
    """Width and height of the level; what lies outside is background."""

    size: tuple[int, int]
    """Width and height that are wanted of each box: its own, or fewer pixels."""

    background: tuple[int, int, int]

    read: Callable[[], NDArray[np.uint8]]
    """Reads the same boxes, decoded here: uint8 (N, height, width, 3)."""

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.corners)

    def __getitem__(self, part: slice) -> EncodedBoxes:
        """Return some of the boxes, with the files that they need."""
        used, numbers = np.unique(self.lookup[part], return_inverse=True)
        there = used[used >= 0]
        return replace(
            self,
            files=tuple(self.files[i] for i in there.tolist()),
            lookup=numbers.reshape(self.lookup[part].shape) - (len(used) - len(there)),
            corners=self.corners[part],
            read=lambda: self.read()[part],
        )


def encoded_boxes(
    reader: Reader,
    sources: Sequence[Source],
    size: tuple[int, int],
    read: Callable[[], NDArray[np.uint8]],
) -> EncodedBoxes | None:
    """Return boxes as stored tiles, None where their pixels are made in another way.

    That is so where they are not stored as JPEG tiles, cut through pixels of the level,
    or have to be enlarged.

    Parameters
    ----------
    reader : Reader
    sources : sequence of Source
        One for each box, none of them shrunk while it is decoded.
    size : (int, int)
        Width and height that are wanted of each.
    read : callable
        Reads them decoded.

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
    places = _places(corners, box, level, level.tile)
    columns = -(-level.size[0] // level.tile[0])
    wanted, numbers = np.unique(places, return_inverse=True)
    files: list[bytes] = []
    order = np.full(len(wanted), -1, np.int64)
    for i, place in enumerate(wanted.tolist()):
        stored = place >= 0 and reader.encoded_tile(
            number, place % columns, place // columns
        )
        if stored and stored.media_type == _JPEG:
            order[i] = len(files)
            files.append(stored.data)
        elif place >= 0 and not reader.is_blank(
            number, place % columns, place // columns
        ):
            return None  # its pixels come from elsewhere
    if not files:
        return None
    return EncodedBoxes(
        files=tuple(files),
        lookup=order[numbers].reshape(places.shape),
        corners=corners,
        box=box,
        tile=level.tile,
        limit=level.size,
        size=size,
        background=reader.background,
        read=read,
    )


def _places(
    corners: NDArray[np.int64],
    box: tuple[int, int],
    level: Level,
    tile: tuple[int, int],
) -> NDArray[np.int64]:
    """Return the places in the level of the tiles that boxes touch; -1: outside it.

    Returns
    -------
    int64 (N, rows, columns)
        Counted row by row; as many for each box as any of them touches.
    """
    first, last = corners // tile, -(-(corners + box) // tile)
    across, down = (last - first).max(axis=0)
    columns, rows = -(-level.size[0] // tile[0]), -(-level.size[1] // tile[1])
    x = first[:, 0, None, None] + np.arange(across)
    y = first[:, 1, None, None] + np.arange(down)[:, None]
    # Beyond its own last tile a box touches none, although another box may.
    touched = (x < last[:, 0, None, None]) & (y < last[:, 1, None, None])
    inside = touched & (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    return np.where(inside, y * columns + x, -1)
