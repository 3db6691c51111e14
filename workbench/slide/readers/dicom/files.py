"""Which files make a DICOM slide: found by what is in them, not by their names.

A folder as it comes from an archive holds other things beside the slide:
segmentations, reports, indexes, other slides, leftovers of the operating system. Only
the heads of files are read, never pixels, and of bounded length.
"""

from __future__ import annotations

import filecmp
import io
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pydicom
from pydicom.filereader import read_partial

from workbench.errors import (
    BrokenSlideError,
    SeveralSlidesError,
    UnsupportedSlideError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_WHOLE_SLIDE: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class of VL Whole Slide Microscopy Image Storage."""

_INDEX: Final = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR, which lists what lies below its folder."""

_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_BESIDE: Final = frozenset({"LABEL", "OVERVIEW"})
"""Photographs of the glass, third value of Image Type; all others are of the tissue."""

_MAGIC: Final = slice(128, 132)
_WINDOWS: Final = (1 << 18, 1 << 24)
"""Bytes in which the tags that are needed must lie; the second if the first fails."""

_LAST_TAG: Final = 0x0020000E
_TAGS: Final = [
    pydicom.tag.Tag(name)
    for name in ("ImageType", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")
]
_MOST_FILES: Final = 5_000
_DEEPEST: Final = 4


@dataclass(frozen=True, slots=True)
class Instance:
    """A DICOM file, and what its head says."""

    path: str
    sop_class: str
    uid: str
    series: str
    shows: str
    """Third value of Image Type, such as "VOLUME", "LABEL" or "OVERVIEW"."""

    @property
    def is_slide(self) -> bool:
        """Whether it is of a whole-slide image, its label or overview included."""
        return self.sop_class == _WHOLE_SLIDE

    @property
    def is_tissue(self) -> bool:
        """Whether it is a level of the slide itself."""
        return self.is_slide and self.shows not in _BESIDE


@dataclass(frozen=True, slots=True)
class DicomSlide:
    """The files of one slide, its levels first."""

    instances: tuple[Instance, ...]

    @property
    def first(self) -> str:
        """The file that names the slide: the first by name of those with tissue."""
        return self.instances[0].path

    @property
    def paths(self) -> list[str]:
        """All files."""
        return [each.path for each in self.instances]

    @property
    def levels(self) -> list[str]:
        """The files that show tissue."""
        return [each.path for each in self.instances if each.is_tissue]


def slide_at(path: str) -> DicomSlide:
    """Return the slide that a DICOM file belongs to, or that a folder holds.

    Raises
    ------
    SeveralSlidesError
        If the folder holds several.
    BrokenSlideError, UnsupportedSlideError
        If it is not DICOM, or not a whole-slide image.
    """
    place = Path(path)
    if place.is_dir():
        found = slides_in(place)
        if not found:
            raise UnsupportedSlideError(path, *_why_none(place))
        if len(found) > 1:
            raise SeveralSlidesError(path, {s.first: _words(s) for s in found})
        return found[0]
    own = _instance(place)
    if own is None:
        raise BrokenSlideError(path, "its DICOM header is cut off or unreadable")
    if own.sop_class == _INDEX:
        return slide_at(str(place.parent))
    if not own.is_slide:
        raise UnsupportedSlideError(
            path,
            f"it is a DICOM {_name_of(own.sop_class)}, not a whole-slide image",
            "Open the slide that it belongs to.",
        )
    near = [each for each in _near(place) if each.series == own.series]
    found = _slides(near or [own])
    if not found:
        raise UnsupportedSlideError(path, f"it shows the {own.shows.lower()} alone")
    return found[0]


def slides_in(folder: Path) -> list[DicomSlide]:
    """Return the slides in a folder and those within it, by name of their files.

    Raises
    ------
    UnsupportedSlideError
        If it holds too many files to look at.
    """
    return _slides(_instances(_files(folder, _DEEPEST)))


def first_files(files: Iterable[Path]) -> list[Path]:
    """Return the first file of each slide among some files, by name.

    Files that say they are DICOM and cannot be read are slides of their own: opening
    one says what is wrong with it.
    """
    found, damaged = [], []
    for path in files:
        if (instance := _instance(path)) is not None:
            found.append(instance)
        elif _is_dicom(path):
            damaged.append(path)
    return sorted([*(Path(series[0].path) for series in _series(found)), *damaged])


def are_one_slide(folders: Sequence[Path]) -> bool:
    """Return whether each folder holds one file, all of one slide."""
    series = set()
    for folder in folders:
        files = _files(folder, 0)
        instance = _instance(files[0]) if len(files) == 1 else None
        if instance is None or not instance.is_slide:
            return False
        series.add(instance.series)
    return len(series) == 1


def _slides(instances: Iterable[Instance]) -> list[DicomSlide]:
    return [DicomSlide(tuple(_once(series))) for series in _series(instances)]


def _series(instances: Iterable[Instance]) -> list[list[Instance]]:
    """Return those of each slide, levels first; by the name of the first file."""
    series: dict[str, list[Instance]] = {}
    for each in instances:
        if each.is_slide:
            series.setdefault(each.series, []).append(each)
    ranked = [
        sorted(members, key=lambda each: (not each.is_tissue, each.path))
        for members in series.values()
        if any(each.is_tissue for each in members)
    ]
    return sorted(ranked, key=lambda members: members[0].path)


def _once(instances: list[Instance]) -> list[Instance]:
    """Leave out copies of files.

    Raises
    ------
    BrokenSlideError
        If two that are not the same say they are one instance.
    """
    kept: dict[str, Instance] = {}
    for each in instances:
        first = kept.setdefault(each.uid, each)
        if first is not each and not filecmp.cmp(first.path, each.path, shallow=False):
            name = Path(first.path).name
            reason = f"it has the SOP Instance UID of '{name}', and another content"
            raise BrokenSlideError(each.path, reason)
    return list(kept.values())


def _near(file: Path) -> Iterator[Instance]:
    """Yield the instances beside a file, itself included.

    Some archives give each instance a folder of its own.
    """
    beside = list(_instances(_files(file.parent, 0)))
    above = file.parent.parent
    if len(beside) == 1 and above != file.parent and not _holds_files(above):
        beside = list(_instances(_files(above, 1)))
    yield from beside


def _holds_files(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(
                entry.is_file() and entry.name != "DICOMDIR"
                for entry in entries
                if not entry.name.startswith(".")
            )
    except OSError:
        return True


def _files(folder: Path, depth: int) -> list[Path]:
    """Return the files in a folder by name, hidden ones left out."""
    found: list[Path] = []
    base = len(folder.parts)
    for root, folders, names in os.walk(folder):
        here = Path(root)
        shallow = len(here.parts) - base < depth
        folders[:] = sorted(f for f in folders if shallow and not f.startswith("."))
        found += [here / name for name in sorted(names) if not name.startswith(".")]
        if len(found) > _MOST_FILES:
            reason = f"the folder holds more than {_MOST_FILES:,} files"
            remedy = "Open the folder of one slide, or one of its files."
            raise UnsupportedSlideError(folder, reason, remedy)
    return found


def _instances(files: Iterable[Path]) -> Iterator[Instance]:
    for path in files:
        if (found := _instance(path)) is not None:
            yield found


def _instance(path: Path) -> Instance | None:
    """Return what the head of a file says, None where it is no readable DICOM."""
    try:
        facts = path.stat()
        return _read(str(path), facts.st_size, facts.st_mtime_ns, facts.st_ino)
    except OSError:
        return None


@lru_cache(maxsize=20_000)
def _read(path: str, size: int, *_: int) -> Instance | None:
    if size <= _MAGIC.stop or not _is_dicom(Path(path)):
        return None
    for window in _WINDOWS:
        with open(path, "rb") as file:  # noqa: PTH123 - read at every listing
            data = file.read(min(size, window))
        if (found := _parsed(path, data)) is not None:
            return found
        if size <= window:
            break
    return None


def _parsed(path: str, data: bytes) -> Instance | None:
    if _DEFLATED in data[:1024]:  # all of it would have to be inflated
        return None
    try:
        header = read_partial(
            io.BytesIO(data),
            stop_when=lambda tag, *_: tag > _LAST_TAG,
            specific_tags=_TAGS,
        )
        if header.file_meta.get("MediaStorageSOPClassUID") == _INDEX:
            return Instance(path, _INDEX, "", "", "")
        if "SeriesInstanceUID" not in header:
            return None
        shows: Any = header.get("ImageType") or ()
        return Instance(
            path,
            str(header.SOPClassUID),
            str(header.SOPInstanceUID),
            str(header.SeriesInstanceUID),
            str(shows[2]).upper() if len(shows) > 2 else "VOLUME",  # noqa: PLR2004
        )
    except Exception:  # noqa: BLE001 - whatever a damaged header provokes
        return None


def _is_dicom(path: Path) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            return file.read(_MAGIC.stop)[_MAGIC] == b"DICM"
    except OSError:
        return False


def _why_none(folder: Path) -> tuple[str, str]:
    """Return why a folder is no slide, and what to do."""
    others = sorted(
        {_name_of(each.sop_class) for each in _instances(_files(folder, 4))}
    )
    if others:
        reason = f"the folder holds no DICOM slide, only {', '.join(others)}"
        return reason, "Open the folder of the slide that these belong to."
    return "the folder holds no DICOM and no OME-Zarr", "Name the file of a slide."


def _words(slide: DicomSlide) -> str:
    count = len(slide.instances)
    series = slide.instances[0].series
    return f"series ...{series[-12:]}, {count} file{'s' * (count > 1)}"


def _name_of(sop_class: str) -> str:
    return str(pydicom.uid.UID(sop_class).name)
