"""Content of slides stored as one file, or as one file with companion files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import fsspec

from workbench.slide.byte_ranges import LocalPart, RemotePart
from workbench.slide.identity.content_id import (
    FEW,
    MANY,
    WHOLE_BYTES,
    WHOLE_PLAIN_BYTES,
    Content,
)
from workbench.slide.identity.remote_watch import RemoteWatch
from workbench.slide.identity.tiff_structure import TiffStructure
from workbench.slide.zip_member import ArchivedPart, is_archived

if TYPE_CHECKING:
    from workbench.slide.byte_ranges import Part
    from workbench.slide.location import Location

_LISTS: Final = (".vms", ".vmu")
"""Suffixes of Hamamatsu's text files that list the files of a slide."""

_LONGEST_LIST: Final = 1 << 20
_ENOUGH_TILES: Final = 64
"""Number of compressed tiles whose lengths distinguish two images."""


def files_of(location: Location) -> tuple[str, ...]:
    """Return the local files of a slide."""
    if location.is_remote:
        return ()
    path = Path(location.path).absolute()
    return tuple(str(each) for each in (path, *_companions(path)))


def watch_of(location: Location) -> RemoteWatch:
    """Return the watch over a file on a server."""
    return RemoteWatch.of(location.path)


def content_of(location: Location) -> Content:
    """Return the content of a slide that is a file.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    files = files_of(location)
    parts: tuple[Part, ...]
    if is_archived(location.path):
        parts = (ArchivedPart(location.path),)
    elif location.is_remote:
        system, root = fsspec.core.url_to_fs(location.path)
        parts = (RemotePart(system, root),)
    else:
        parts = tuple(LocalPart(file) for file in files)
    former_paths = () if location.is_remote else files[:1]
    if location.kind != "tiff":
        compressed = location.kind == "image"
        return Content(parts, compressed=compressed, former_paths=former_paths)
    tiff = TiffStructure(parts[0])
    whole = WHOLE_BYTES if tiff.compressed else WHOLE_PLAIN_BYTES
    distinguished = tiff.compressed and tiff.tiles >= _ENOUGH_TILES
    return Content(
        parts,
        # Not needed for a file that is hashed completely.
        tiff.data if parts[0].size > whole else b"",
        whole=whole,
        samples=FEW if distinguished else MANY,
        compressed=tiff.compressed,
        former_paths=former_paths,
    )


def _companions(path: Path) -> list[Path]:
    """Return the companion files of a slide, in a fixed order."""
    suffix = path.suffix.lower()
    if suffix == ".mrxs":
        folder = path.with_suffix("")
        return sorted(each for each in folder.glob("*") if each.is_file())
    if suffix == ".vsi":
        folder = path.with_name(f"_{path.stem}_")
        return sorted(each for each in folder.rglob("*.ets") if each.is_file())
    if suffix in _LISTS and path.stat().st_size <= _LONGEST_LIST:
        lines = path.read_text(encoding="latin-1").splitlines()
        names = [line.partition("=")[2].strip() for line in lines]
        named = [path.parent / name for name in names if name and "\0" not in name]
        return [each for each in named if each.is_file() and each != path]
    return []
