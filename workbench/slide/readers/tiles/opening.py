"""Placement of the tiles at a path: by Deep Zoom descriptor, table or names."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final, NamedTuple

from cachetools import LRUCache

from workbench.errors import SlideNotFoundError, UnsupportedSlideError
from workbench.slide.readers.tiles.deepzoom import read_deepzoom
from workbench.slide.readers.tiles.naming import place_by_names
from workbench.slide.readers.tiles.placement import MAX_FILES, Placement
from workbench.slide.readers.tiles.recognition import descriptor_at, is_picture
from workbench.slide.readers.tiles.table import find_table, read_table


class TileSlide(NamedTuple):
    """A slide that is stored as tiles."""

    placements: tuple[Placement, ...]
    """The stored resolutions, finest first."""

    files: tuple[str, ...]
    """Absolute paths of what says where tiles lie: a table, a descriptor, folders."""

    def paths(self) -> list[str]:
        """Return the absolute paths of the tiles of the finest resolution."""
        finest = self.placements[0]
        return [os.path.join(finest.folder, file) for file in finest.files]  # noqa: PTH118


_lock = threading.Lock()
_known: Final[LRUCache[tuple[str, str], tuple[list[tuple[int, ...]], TileSlide]]] = (
    LRUCache(4)
)
"""Slides that were found last: opening, watching and hashing need the same."""


def tiles_at(path: str) -> TileSlide:
    """Return the tiles of a folder, of a table in it, or of a Deep Zoom descriptor.

    Raises
    ------
    UnsupportedSlideError
        If it is not certain where they lie; it says what to do.
    BrokenSlideError
        If a descriptor is damaged.
    """
    place = Path(path).absolute()
    source = descriptor_at(place)
    if not place.exists():
        raise SlideNotFoundError(path)
    if source is None:
        source = place if place.is_file() else find_table(place)
    folder = place if place.is_dir() else place.parent
    key = str(folder), "" if source is None else str(source)
    with _lock:
        known = _known.get(key)
    if known is not None and _stamps(known[1].files) == known[0]:
        return known[1]
    found = _find(*key)
    with _lock:
        _known[key] = _stamps(found.files), found
    return found


def _stamps(files: tuple[str, ...]) -> list[tuple[int, ...]]:
    """Return values that change if a table, or what is in a folder, changes."""
    stamps: list[tuple[int, ...]] = []
    for file in files:
        try:
            facts = os.stat(file)  # noqa: PTH116 - plain strings
        except OSError as error:
            raise SlideNotFoundError(file) from error
        stamps.append((facts.st_mtime_ns, facts.st_size, facts.st_ino))
    return stamps


def _find(folder: str, source: str) -> TileSlide:
    if source.lower().endswith(".dzi"):
        placements = read_deepzoom(Path(source))
    elif source:
        placements = (read_table(Path(source)),)
    else:
        placements = (place_by_names(Path(folder), pictures_in(folder)),)
    finest = placements[0]
    inside = {os.path.dirname(file) for file in finest.files}  # noqa: PTH120
    folders = [os.path.join(finest.folder, each) for each in sorted(inside)]  # noqa: PTH118
    return TileSlide(placements, (*([source] if source else []), *folders))


def pictures_in(folder: str) -> list[str]:
    """Return the names of the pictures in a folder, sorted.

    Raises
    ------
    UnsupportedSlideError
        If there are too many, or one is a link that leads out of the folder.
    """
    with os.scandir(folder) as entries:
        found = [each for each in entries if is_picture(each.name)]
    if len(found) > MAX_FILES:
        reason = f"it holds {len(found):,} pictures, more than {MAX_FILES:,}"
        raise UnsupportedSlideError(folder, reason)
    root = Path(folder).resolve()
    for each in found:
        if each.is_symlink() and root not in Path(each.path).resolve().parents:
            reason = f"its tile '{each.name}' is a link that leads out of the folder"
            raise UnsupportedSlideError(folder, reason, "Copy the tiles.")
    return sorted(each.name for each in found)
