"""Finds slides in folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workbench.results.run_record import RECORD
from workbench.slide.readers.tiles.recognition import descriptor_at, is_tile_slide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

SUFFIXES: Final = frozenset(
    [
        ".bif",
        ".btf",
        ".dzi",
        ".isyntax",
        ".mrxs",
        ".ndpi",
        ".scn",
        ".svs",
        ".svslide",
        ".tif",
        ".tiff",
        ".vms",
        ".vmu",
        ".vsi",
        ".zarr",
    ]
)
"""Suffixes of files and folders that are listed; others open by full name.

DICOM is listed with any suffix.
"""

_DICOM: Final = frozenset(["", ".dcm", ".dic", ".dicom", ".ima"])
"""Suffixes of files whose content is checked; also numbers, as at the end of a UID."""

_GROUP: Final = ("zarr.json", ".zgroup")
_MAX_DEPTH: Final = 4


def is_slide(path: Path) -> bool:
    """Return whether a served path is a slide, not a folder of slides."""
    return path.is_file() or _is_zarr(path) or is_tile_slide(path)


def slides_below(root: Path, depth: int = 0) -> Iterator[Path]:
    """Yield the slides in a folder and its subfolders, without hidden ones.

    A DICOM slide is its folder if that holds nothing else, otherwise the first of its
    files; a slide of tiles is its folder, or its Deep Zoom descriptor.
    """
    if is_slide(root):
        yield root
        return
    if (root / RECORD).exists():  # a run folder, whose scores are not a slide
        return
    try:
        children = sorted(root.iterdir())
    except OSError:
        return
    visible = [child for child in children if not child.name.startswith(".")]
    folders = [child for child in visible if child.is_dir() and not _is_zarr(child)]
    others = [child for child in visible if child not in set(folders)]
    slides = [child for child in others if child.suffix.lower() in SUFFIXES]
    slides += [child for child in others if child not in slides and _is_zarr(child)]
    dicom = _dicom_in([child for child in others if child not in slides])
    alone = len(dicom) == 1 and not slides and not folders
    if depth and (alone or _is_spread(folders, others)):
        yield root
        return
    yield from sorted([*slides, *dicom])
    for folder in folders if depth < _MAX_DEPTH else ():
        if not folder.is_symlink() and not _is_deepzoom(folder):
            yield from slides_below(folder, depth + 1)


def _is_deepzoom(folder: Path) -> bool:
    """Return whether a folder has the tiles of a descriptor beside it."""
    return folder.name.endswith("_files") and descriptor_at(folder) is not None


def _is_zarr(path: Path) -> bool:
    if path.suffix.lower() == ".zarr":
        return True
    return any((path / name).is_file() for name in _GROUP)


def _dicom_in(files: list[Path]) -> list[Path]:
    """Return a file of each DICOM slide, including damaged ones."""
    candidates = [file for file in files if _may_be_dicom(file)]
    library = _dicom_library() if candidates else None
    if library is None:
        return [file for file in candidates if file.suffix.lower() == ".dcm"]
    found: list[Path] = library.first_files(candidates)
    return found


def _may_be_dicom(file: Path) -> bool:
    suffix = file.suffix.lower()
    return (suffix in _DICOM or suffix[1:].isdigit()) and file.is_file()


def _is_spread(folders: list[Path], files: list[Path]) -> bool:
    """Return whether each folder holds one file of the same DICOM slide."""
    library = None if files or len(folders) < 2 else _dicom_library()  # noqa: PLR2004
    return library is not None and bool(library.are_one_slide(folders))


def _dicom_library() -> ModuleType | Any:
    try:
        from workbench.slide.readers.dicom import files  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return files
