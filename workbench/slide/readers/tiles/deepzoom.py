"""Deep Zoom images: NAME.dzi and tiles NAME_files/LEVEL/COLUMN_ROW.FORMAT."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from workbench.errors import BrokenSlideError, UnsupportedSlideError
from workbench.slide.limits import MAX_SIDE_PX
from workbench.slide.readers.tiff.directory import ClaimError
from workbench.slide.readers.tiff.ome import parse_xml
from workbench.slide.readers.tiles.placement import MAX_FILES, Placement, placed

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

_MOST_BYTES: Final = 1 << 20
_SMALLEST: Final = 256
"""Side of the coarsest level that is used."""

_TILE: Final = re.compile(r"(\d{1,7})_(\d{1,7})\.(\w{1,8})")
_MOST_TILE: Final = 1 << 13


class _Descriptor(NamedTuple):
    width: int
    height: int
    tile: int
    overlap: int
    format: str


def read_deepzoom(path: Path) -> tuple[Placement, ...]:
    """Return the placement of each stored resolution, finest first.

    Raises
    ------
    BrokenSlideError
        If the descriptor is invalid.
    UnsupportedSlideError
        If the tiles of the finest resolution are not there.
    """
    about = _read_descriptor(path)
    folder = path.with_name(f"{path.stem}_files")
    finest = (max(about.width, about.height) - 1).bit_length()
    placements: list[Placement] = []
    for halved in range(finest + 1):
        size = -(-about.width // (1 << halved)), -(-about.height // (1 << halved))
        place = _read_level(folder / str(finest - halved), size, about, path.name)
        if place is None or (halved and max(size) < _SMALLEST):
            break
        placements.append(place)
    if not placements:
        reason = f"the tiles of its finest level are not in '{folder.name}/{finest}'"
        remedy = f"Copy the folder {folder.name} beside {path.name}."
        raise UnsupportedSlideError(path, reason, remedy)
    return tuple(placements)


def _read_descriptor(path: Path) -> _Descriptor:
    if path.stat().st_size > _MOST_BYTES:
        raise BrokenSlideError(path, "its descriptor is too large")
    try:
        root = parse_xml(path.read_text(encoding="utf-8-sig"))
        size = next(each for each in root.iter() if _tag(each) == "Size")
        numbers = [int(size.get(name, "")) for name in ("Width", "Height")]
        numbers += [int(root.get(name, "")) for name in ("TileSize", "Overlap")]
    except (ClaimError, StopIteration, ValueError) as error:
        reason = f"its Deep Zoom descriptor: {str(error) or 'without a size'}"
        raise BrokenSlideError(path, reason) from error
    width, height, tile, overlap = numbers
    form = str(root.get("Format", "")).lower()
    about = _Descriptor(width, height, tile, overlap, form)
    if not (
        0 < min(numbers[:2]) <= max(numbers[:2]) <= MAX_SIDE_PX
        and 0 <= about.overlap < about.tile <= _MOST_TILE
    ):
        raise BrokenSlideError(path, f"its Deep Zoom descriptor says {numbers}")
    return about


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _read_level(
    folder: Path, size: tuple[int, int], about: _Descriptor, source: str
) -> Placement | None:
    """Return the placement of a level; None if it has no tiles."""
    columns, rows = (-(-side // about.tile) for side in size)
    if columns * rows > 4 * MAX_FILES:
        reason = f"its finest level has {columns * rows:,} places of tiles"
        raise UnsupportedSlideError(folder, reason)
    files, places = [], []
    try:
        names = os.listdir(folder)  # noqa: PTH208 - a million names
    except OSError:
        return None
    for name in names:
        match = _TILE.fullmatch(name)
        if match is None or (about.format and match[3].lower() != about.format):
            continue
        column, row = int(match[1]), int(match[2])
        if column < columns and row < rows and not (folder / name).is_symlink():
            files.append(f"{folder.parent.name}/{folder.name}/{name}")
            places.append((column, row))
    if not files:
        return None
    at = np.array(places, np.int64)
    start = np.maximum(at * about.tile - about.overlap, 0)
    stop = np.minimum((at + 1) * about.tile + about.overlap, size)
    return placed(
        str(folder.parent.parent),
        files,
        np.concatenate([start, stop], axis=1),
        size=size,
        missing=columns * rows - len(files),
        source=source,
    )
