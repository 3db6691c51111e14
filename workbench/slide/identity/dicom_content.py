"""Content of a DICOM slide: all its instances, in any folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydicom.filereader import read_file_meta_info

from workbench.slide.byte_ranges import LocalPart
from workbench.slide.identity.content_id import MANY, WHOLE_BYTES, Content
from workbench.slide.readers.dicom.files import slide_at

if TYPE_CHECKING:
    from workbench.slide.location import Location
    from workbench.slide.readers.dicom.files import Instance

_HEAD: Final = 4 << 20
"""Bytes at the start of a file that hold the header and the frame offset table."""


def files_of(location: Location) -> tuple[str, ...]:
    """Return the files of a slide and their folders; raises as `content_of` does."""
    files = _ordered_files(location)
    return (*files, *sorted({str(Path(file).parent) for file in files}))


def content_of(location: Location) -> Content:
    """Return the content of the slide that a file belongs to or a folder holds.

    Raises
    ------
    SeveralSlidesError, UnsupportedSlideError, BrokenSlideError
        If the files are not those of one readable slide.
    OSError
        If a file cannot be read.
    """
    files = _ordered_files(location)
    parts = tuple(LocalPart(file) for file in files)
    total = sum(part.size for part in parts)
    heads = b""
    if total > WHOLE_BYTES:
        heads = b"".join(part.read([(0, min(_HEAD, part.size))])[0] for part in parts)
    folder = os.path.commonpath([str(Path(file).parent) for file in files])
    return Content(
        parts,
        heads,
        samples=MANY,
        compressed=all(_is_compressed(file) for file in files),
        former_paths=(folder, *files),
    )


def _ordered_files(location: Location) -> tuple[str, ...]:
    instances = sorted(slide_at(location.path).instances, key=_sort_key)
    return tuple(str(Path(instance.path).absolute()) for instance in instances)


def _sort_key(instance: Instance) -> tuple[str, int]:
    return instance.uid, Path(instance.path).stat().st_size


def _is_compressed(file: str) -> bool:
    try:
        syntax = read_file_meta_info(file).TransferSyntaxUID
        return bool(syntax.is_compressed)
    except Exception:  # noqa: BLE001 - any error of a damaged header
        return False
