"""Finds the files of features that belong to a slide, by its name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench.features.opening import SUFFIXES
from workbench.features.recognition import recognize
from workbench.results.run_record import RECORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    several such slides, to the one with the longest name. Links to folders are not
    followed, and files that lie elsewhere are left out.

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
    own = _stem(slide)
    longer = [stem for stem in map(_stem, slides) if len(stem) > len(own)]
    found: dict[str, FeatureFile] = {}
    for root in roots:
        for path in _files_below(root) if root.is_dir() else ():
            if not _begins(path.name, own) or any(
                _begins(path.name, stem) for stem in longer
            ):
                continue
            name = path.relative_to(root).as_posix()
            if name not in found and root in path.resolve().parents:
                found[name] = FeatureFile(name, path, root, recognize(path))
            if len(found) == _MAX_LISTED:
                break
    return [found[name] for name in sorted(found)]


def _stem(slide: str) -> str:
    return Path(slide).stem


def _begins(name: str, stem: str) -> bool:
    rest = name[len(stem) :]
    return name.startswith(stem) and rest[:1] in tuple(_SEPARATORS)


def _files_below(root: Path) -> Iterator[Path]:
    """Yield files and `.zarr` stores with a suffix of features, breadth first."""
    folders, visited = [(root, 0)], 0
    while folders:
        folder, depth = folders.pop(0)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        if any(entry.name == RECORD for entry in entries):  # runs have their own list
            continue
        for entry in entries:
            visited += 1
            if visited > _MAX_VISITED:
                return
            path, is_folder = Path(entry.path), entry.is_dir(follow_symlinks=False)
            if path.suffix.lower() in SUFFIXES:
                yield path
            elif is_folder and depth < _MAX_DEPTH and entry.name[0] != ".":
                folders.append((path, depth + 1))
