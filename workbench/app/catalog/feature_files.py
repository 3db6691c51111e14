"""Finds the files of features that belong to a slide, by its name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from workbench.features.opening import SUFFIXES
from workbench.features.recognition import recognize
from workbench.results.run_record import RECORD

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

_MAX_DEPTH: Final = 7
_MAX_VISITED: Final = 50_000
"""Largest number of names in the folders that are looked at."""

_MAX_LISTED: Final = 100
_SEPARATORS: Final = "_.-"


@dataclass(frozen=True, slots=True)
class FeatureFile:
    """A file of features in a served folder."""

    name: str
    """Path relative to its served folder, with "/"."""

    path: Path
    root: Path
    """The served folder."""

    layout: str
    """Layout as `recognize` names it; empty: it holds coordinates alone."""

    @property
    def line(self) -> str:
        """Label in a list; unique among the files of a slide."""
        return f"{self.layout or 'coordinates'} · {self.name}"


def find_feature_files(
    roots: Iterable[Path], slide: str, slides: Iterable[str]
) -> list[FeatureFile]:
    """Return the files of features of a slide, sorted by name.

    A file belongs to the slide whose name it has or begins with, up to a separator; of
    several such slides, to the one with the longest name; of slides of one name in
    several folders, to the one that shares most names of folders with it, or to each
    if there are several such. Links to folders are not followed, and files that lie
    elsewhere are left out.

    Parameters
    ----------
    roots : iterable of path
        Served folders, resolved. A single slide among them is left out: its neighbours
        are not served.
    slide : str
        Name of the slide as it is served.
    slides : iterable of str
        Names of all slides that are served.
    """
    own, names = _stem(slide), list(slides)
    longer = [stem for stem in map(_stem, names) if len(stem) > len(own)]
    same = {slide, *(name for name in names if _stem(name) == own)}
    found: dict[str, FeatureFile] = {}
    for root in roots:
        for path in _files_below(root) if root.is_dir() else ():
            if not _begins(path.name, own) or any(
                _begins(path.name, stem) for stem in longer
            ):
                continue
            name = path.relative_to(root).as_posix()
            if slide not in nearest_slides(name, same):
                continue
            if name not in found and root in path.resolve().parents:
                found[name] = FeatureFile(name, path, root, recognize(path))
            if len(found) == _MAX_LISTED:
                break
    return [found[name] for name in sorted(found)]


def feature_paths(
    roots: Iterable[Path], slides: Iterable[str]
) -> dict[str, list[tuple[Path, Path]]]:
    """Return the files of features of each slide: their folder served, and their path.

    Files belong to slides as in `find_feature_files`, but to one slide at most; what
    they hold is not looked at.
    """
    by_stem = slides_by_stem(slides)
    found: dict[str, list[tuple[Path, Path]]] = {}
    for root in roots:
        for path in _files_below(root) if root.is_dir() else ():
            slide = slide_of(path.relative_to(root).as_posix(), by_stem)
            if slide is not None and root in path.resolve().parents:
                found.setdefault(slide, []).append((root, path))
    return found


def slides_by_stem(slides: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of slides as they are served, by their stem."""
    found: dict[str, list[str]] = {}
    for slide in slides:
        found.setdefault(_stem(slide), []).append(slide)
    return found


def slide_of(path: str, slides: Mapping[str, Sequence[str]]) -> str | None:
    """Return the slide to which a file belongs; None: to none, or to one of several.

    Parameters
    ----------
    path : str
        Path of a file of features in its served folder, with "/".
    slides : mapping of str to sequence of str
        Names of slides as they are served, by their stem.
    """
    name = PurePath(path).name
    ends = [place for place, letter in enumerate(name) if letter in _SEPARATORS]
    stems = (name[:end] for end in reversed(ends) if name[:end] in slides)
    stem = next(stems, None)
    nearest = [] if stem is None else nearest_slides(path, slides[stem])
    return nearest[0] if len(nearest) == 1 else None


def nearest_slides(path: str, slides: Collection[str]) -> list[str]:
    """Return the slides that share most names of folders with a path."""
    folders = set(PurePath(path).parts[:-1])
    shared = {slide: len(folders & set(PurePath(slide).parts[:-1])) for slide in slides}
    most = max(shared.values(), default=0)
    return [slide for slide, count in shared.items() if count == most]


def folders_below(root: Path) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Yield folders with their entries, breadth first, to some depth and number.

    Links, runs and `.zarr` stores are not entered.
    """
    folders, visited = [(root, 0)], 0
    while folders:
        folder, depth = folders.pop(0)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        visited += len(entries)
        if visited > _MAX_VISITED:
            return
        if any(entry.name == RECORD for entry in entries):  # runs have their own list
            continue
        yield folder, entries
        for entry in entries:
            inner = Path(entry.path)
            is_folder = entry.is_dir(follow_symlinks=False)
            named = inner.suffix.lower() in SUFFIXES or entry.name.startswith(".")
            if is_folder and depth < _MAX_DEPTH and not named:
                folders.append((inner, depth + 1))


def _stem(slide: str) -> str:
    return Path(slide).stem


def _begins(name: str, stem: str) -> bool:
    rest = name[len(stem) :]
    return name.startswith(stem) and rest[:1] in tuple(_SEPARATORS)


def _files_below(root: Path) -> Iterator[Path]:
    """Yield files and `.zarr` stores with a suffix of features, breadth first."""
    for _, entries in folders_below(root):
        for entry in entries:
            path = Path(entry.path)
            if path.suffix.lower() in SUFFIXES:
                yield path
