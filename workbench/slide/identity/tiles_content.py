"""Content of a folder of tiles: the places of its tiles, and their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.slide.byte_ranges import LocalPart
from workbench.slide.identity.content_id import FEW, MANY, Content
from workbench.slide.readers.tiles.opening import tiles_at

if TYPE_CHECKING:
    from workbench.slide.location import Location

_WATCHED: Final = 64
"""Tiles whose changes are looked for at every read, beside that of their folder."""

_COMPRESSED: Final = (".jp2", ".jpeg", ".jpg", ".png", ".webp")
_ENOUGH_TILES: Final = 64
"""Number of compressed tiles whose sizes distinguish two slides."""


def files_of(location: Location) -> tuple[str, ...]:
    """Return the files that change with a slide; raises as `content_of` does."""
    found = tiles_at(location.path)
    paths = found.paths()
    return (*found.files, *paths[:: len(paths) // _WATCHED + 1])


def content_of(location: Location) -> Content:
    """Return the content of the tiles of the finest resolution, ordered by place.

    The names of files do not count, so a copy with other names has the same id.

    Raises
    ------
    UnsupportedSlideError, BrokenSlideError
        If it is not certain where tiles lie.
    OSError
        If a file cannot be read.
    """
    found = tiles_at(location.path)
    finest = found.placements[0]
    places = np.concatenate([[[*finest.size, 0, 0]], finest.boxes]).astype("<i8")
    compressed = all(file.lower().endswith(_COMPRESSED) for file in finest.files)
    distinguished = compressed and len(finest.files) >= _ENOUGH_TILES
    return Content(
        tuple(LocalPart(path) for path in found.paths()),
        places.tobytes(),
        samples=FEW if distinguished else MANY,
        compressed=compressed,
    )
