"""Files of a DICOM slide, found by their content, not by their names.

A folder from an archive may also hold segmentations, reports, indexes, other slides and
files of the operating system. Only headers of bounded length are read, never pixels.
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
"""SOP class of a DICOMDIR, which lists the files in its folder."""

_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_BESIDE: Final = frozenset({"LABEL", "OVERVIEW"})
"""Third value of Image Type of photographs of the glass; all others show tissue."""

_MAGIC: Final = slice(128, 132)
_WINDOWS: Final = (1 << 18, 1 << 24)
"""Bytes of a header that are read; the second size if the first is not enough."""

_LAST_TAG: Final = 0x0020000E
_TAGS: Final = [
    pydicom.tag.Tag(name)
    for name in ("ImageType", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")
]
_MOST_FILES: Final = 5_000
_DEEPEST: Final = 4


@dataclass(frozen=True, slots=True)
class Instance:
    """A DICOM file and the content of its header."""

    path: str
    sop_class: str
    uid: str
    series: str
    shows: str
    """Third value of Image Type, such as "VOLUME", "LABEL" or "OVERVIEW"."""

    @property
    def is_slide(self) -> bool:
        """Whether it belongs to a whole-slide image, including label and overview."""
        return self.sop_class == _WHOLE_SLIDE

    @property
    def is_tissue(self) -> bool:
        """Whether it is a level of the slide."""
        return self.is_slide and self.shows not in _BESIDE


@dataclass(frozen=True, slots=True)
class DicomSlide:
    """The files of one slide, levels first."""

    instances: tuple[Instance, ...]

    @property
    def first(self) -> str:
        """The file that identifies the slide: the first level by file name."""
        return self.instances[0].path

    @property
    def paths(self) -> list[str]:
        """Paths of all files."""
        return [each.path for each in self.instances]

    @property
    def levels(self) -> list[str]:
        """Paths of the levels."""
        return [each.path for each in self.instances if each.is_tissue]


def slide_at(path: str) -> DicomSlide:
    """Return the slide that a DICOM file belongs to, or that a folder holds.

    Raises
    ------
    SeveralSlidesError
        If the folder holds several slides.
    BrokenSlideError, UnsupportedSlideError
        If it is not DICOM, or not a whole-slide image.
    """
    file = Path(path)
    if file.is_dir():
        slides = slides_in(file)
        if not slides:
            raise UnsupportedSlideError(path, *_explain_no_slide(file))
        if len(slides) > 1:
            raise SeveralSlidesError(path, {s.first: _describe(s) for s in slides})
        return slides[0]
    own = _read_instance(file)
    if own is None:
        raise BrokenSlideError(path, "its DICOM header is truncated or unreadable")
    if own.sop_class == _INDEX:
        return slide_at(str(file.parent))
    if not own.is_slide:
        raise UnsupportedSlideError(
            path,
            f"it is a DICOM {_name_of(own.sop_class)}, not a whole-slide image",
            "Open the slide that it belongs to.",
        )
    near = [each for each in _nearby_instances(file) if each.series == own.series]
    slides = _group_slides(near or [own])
    if not slides:
        raise UnsupportedSlideError(path, f"it shows only the {own.shows.lower()}")
    return slides[0]


def slides_in(folder: Path) -> list[DicomSlide]:
    """Return the slides in a folder and its subfolders, ordered by file name.

    Raises
    ------
    UnsupportedSlideError
        If the folder holds too many files.
    """
    return _group_slides(_read_instances(_list_files(folder, _DEEPEST)))


def first_files(files: Iterable[Path]) -> list[Path]:
    """Return the first file of each slide among `files`, ordered by name.

    A DICOM file that cannot be read counts as a slide, so that opening it reports the
    error.
    """
    instances, damaged = [], []
    for path in files:
        if (instance := _read_instance(path)) is not None:
            instances.append(instance)
        elif _is_dicom(path):
            damaged.append(path)
    firsts = (Path(series[0].path) for series in _group_series(instances))
    return sorted([*firsts, *damaged])


def sop_class_of(path: Path) -> str:
    """Return the SOP class UID of a file; empty if it is no readable DICOM."""
    instance = _read_instance(path)
    return "" if instance is None else instance.sop_class


def are_one_slide(folders: Sequence[Path]) -> bool:
    """Return whether each folder holds one file, all of one slide."""
    series = set()
    for folder in folders:
        files = _list_files(folder, 0)
        instance = _read_instance(files[0]) if len(files) == 1 else None
        if instance is None or not instance.is_slide:
            return False
        series.add(instance.series)
    return len(series) == 1


def _group_slides(instances: Iterable[Instance]) -> list[DicomSlide]:
    groups = _group_series(instances)
    return [DicomSlide(tuple(_drop_copies(series))) for series in groups]


def _group_series(instances: Iterable[Instance]) -> list[list[Instance]]:
    """Return the instances of each slide, levels first; ordered by first file name."""
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


def _drop_copies(instances: list[Instance]) -> list[Instance]:
    """Drop copies of files.

    Raises
    ------
    BrokenSlideError
        If two different files have the same SOP Instance UID.
    """
    unique: dict[str, Instance] = {}
    for each in instances:
        first = unique.setdefault(each.uid, each)
        if first is not each and not filecmp.cmp(first.path, each.path, shallow=False):
            name = Path(first.path).name
            reason = f"it has the SOP Instance UID of '{name}' but different content"
            raise BrokenSlideError(each.path, reason)
    return list(unique.values())


def _nearby_instances(file: Path) -> Iterator[Instance]:
    """Yield the instances in the folder of a file, itself included.

    Or in its sibling folders: some archives store each instance in a separate folder.
    """
    beside = list(_read_instances(_list_files(file.parent, 0)))
    above = file.parent.parent
    if len(beside) == 1 and above != file.parent and not _holds_files(above):
        beside = list(_read_instances(_list_files(above, 1)))
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


def _list_files(folder: Path, depth: int) -> list[Path]:
    """Return the files in a folder, ordered by name, without hidden ones."""
    files: list[Path] = []
    base = len(folder.parts)
    for root, folders, names in os.walk(folder):
        parent = Path(root)
        shallow = len(parent.parts) - base < depth
        folders[:] = sorted(f for f in folders if shallow and not f.startswith("."))
        files += [parent / name for name in sorted(names) if not name.startswith(".")]
        if len(files) > _MOST_FILES:
            reason = f"the folder holds more than {_MOST_FILES:,} files"
            remedy = "Open the folder of one slide, or one of its files."
            raise UnsupportedSlideError(folder, reason, remedy)
    return files


def _read_instances(files: Iterable[Path]) -> Iterator[Instance]:
    for path in files:
        if (instance := _read_instance(path)) is not None:
            yield instance


def _read_instance(path: Path) -> Instance | None:
    """Read the header of a file; None if it is not readable DICOM."""
    try:
        stat = path.stat()
        return _read_header(str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
    except OSError:
        return None


@lru_cache(maxsize=20_000)
def _read_header(path: str, size: int, *_: int) -> Instance | None:
    if size <= _MAGIC.stop or not _is_dicom(Path(path)):
        return None
    for window in _WINDOWS:
        with open(path, "rb") as file:  # noqa: PTH123 - read at every listing
            data = file.read(min(size, window))
        if (instance := _parse_header(path, data)) is not None:
            return instance
        if size <= window:
            break
    return None


def _parse_header(path: str, data: bytes) -> Instance | None:
    if _DEFLATED in data[:1024]:  # the whole file would have to be inflated
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
    except Exception:  # noqa: BLE001 - any error of a damaged header
        return None


def _is_dicom(path: Path) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            return file.read(_MAGIC.stop)[_MAGIC] == b"DICM"
    except OSError:
        return False


def _explain_no_slide(folder: Path) -> tuple[str, str]:
    """Return why a folder holds no slide, and what to do."""
    others = sorted(
        {_name_of(each.sop_class) for each in _read_instances(_list_files(folder, 4))}
    )
    if others:
        reason = f"the folder holds no DICOM slide, only {', '.join(others)}"
        return reason, "Open the folder of the slide that these files belong to."
    return "the folder holds no DICOM and no OME-Zarr", "Give the file of a slide."


def _describe(slide: DicomSlide) -> str:
    count = len(slide.instances)
    series = slide.instances[0].series
    return f"series ...{series[-12:]}, {count} file{'s' * (count > 1)}"


def _name_of(sop_class: str) -> str:
    return str(pydicom.uid.UID(sop_class).name)
