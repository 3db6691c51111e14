"""Recognition of folders of tiles, by few names and heads of files."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Final

from workbench.slide.readers.tiles.names import parse_labelled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PICTURES: Final = frozenset(
    [".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"]
)
"""Suffixes of files that can be tiles."""

TABLE: Final = "tiles.csv"
"""Name of the table that `place_tiles` writes."""

_LOOKED_AT: Final = 500
"""Names of a folder that are looked at to recognize it."""

_LEAST_LISTED: Final = 4
"""Tiles with labelled places that make a folder a slide in a list of slides."""

_HEADS: Final = 16
_DICOM: Final = slice(128, 132)


def descriptor_at(path: Path) -> Path | None:
    """Return the Deep Zoom descriptor (.dzi) that a path belongs to, or None.

    The path is the descriptor, its folder NAME_files, or a folder with one descriptor.
    """
    if path.suffix.lower() == ".dzi":
        return path if path.is_file() else None
    if path.name.endswith("_files"):
        beside = path.with_name(f"{path.name.removesuffix('_files')}.dzi")
        if beside.is_file():
            return beside
    found = [each for each in _first_names(path) if each.lower().endswith(".dzi")]
    return path / found[0] if len(found) == 1 else None


def holds_pictures(path: Path) -> bool:
    """Return whether a folder holds pictures and no DICOM: it may be of tiles."""
    names = _first_names(path)
    pictures = [name for name in names if is_picture(name)]
    if TABLE in names:
        return True
    others = [name for name in names if not is_picture(name)]
    return (
        len(pictures) > 1
        and len(pictures) > len(others)
        and not any(_is_dicom(path / name) for name in others[:_HEADS])
    )


def is_tile_slide(path: Path) -> bool:
    """Return whether a folder is certainly one slide of tiles, for lists of slides.

    It has a table of tiles, or its pictures are named by row and column or x and y.
    """
    names = _first_names(path)
    if TABLE in names:
        return True
    pictures = [name for name in names if is_picture(name)]
    if len(pictures) < _LEAST_LISTED or len(pictures) <= len(names) // 2:
        return False
    found = [parse_labelled(name) for name in pictures]
    labelled = [each for each in found if each is not None]
    return len(labelled) == len(pictures) and len({e.rest for e in labelled}) == 1


def is_picture(name: str) -> bool:
    """Return whether a name is that of a picture that is not hidden."""
    return os.path.splitext(name)[1].lower() in PICTURES and name[0] != "."  # noqa: PTH122


def _first_names(folder: Path) -> list[str]:
    """Return some names of visible files in a folder, sorted."""
    return sorted(itertools.islice(_visible(folder), _LOOKED_AT))


def _visible(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_file():
                    yield entry.name
    except OSError:
        return


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(_DICOM.stop)[_DICOM] == b"DICM"
    except OSError:
        return False
