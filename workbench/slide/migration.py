"""What earlier versions saved of a slide: found under its former ids, and taken over.

A former id that no other slide can have is taken at once. One that several slides may
share is asked about: whoever knows the slide says whose the work is, and the answer is
kept beside it, so that nobody is asked twice. Nothing is ever removed from where an
earlier version left it.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import filelock

from workbench.slide.identity.former_ids import is_former
from workbench.system.atomic_files import disk_errors, replace_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from workbench.slide.slide import Slide

_ANSWERS: Final = "former-ids"
_BESIDE_RUNS: Final = ("annotations", "bookmarks")
_LOCK_S: Final = 20.0


class FormerWork:
    """Which of a slide's former ids stand for it, in one folder of saved work.

    Parameters
    ----------
    folder : path
        Where the work is: annotations, bookmarks or runs.
    slide : Slide
    """

    def __init__(self, folder: str | os.PathLike[str], slide: Slide) -> None:
        self.slide = slide
        self.folder = Path(folder)
        self._file = self.folder / _ANSWERS / f"{slide.id}.json"

    def taken(self, candidates: Iterable[str]) -> list[str]:
        """Return those of some ids under which work of this slide was saved."""
        return [each for each in self._own(candidates) if self._stands(each)]

    def asked(self, candidates: Iterable[str]) -> list[str]:
        """Return those of some ids that other slides may share, still to be asked."""
        return [each for each in self._own(candidates) if self._stands(each) is None]

    def is_ours(self, record: Mapping[str, Any]) -> bool | None:
        """Return whether a run is of this slide; None if that has to be asked.

        A file at the path that the record names, older than the run, is the slide.

        Parameters
        ----------
        record : mapping
            What `run.json` says.
        """
        slide = record["slide"]
        former = str(slide["id"])
        if former == self.slide.id:
            return True
        if not self._own([former]):
            return False
        stands = self._stands(former)
        if stands is None and _was_at(
            str(slide["path"]), self.slide, record["created"]
        ):
            return True
        return stands

    def answer(self, *, take: bool) -> None:
        """Keep whether what was saved under the slide's former ids is of this slide.

        Raises
        ------
        RunFolderError
            If the disk refuses.
        """
        with disk_errors(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self._file.with_suffix(".lock"), timeout=_LOCK_S):
                answers = {**self._answers(), **dict.fromkeys(self._ids, take)}
                replace_file(self._file, json.dumps(answers, indent=1).encode())

    @property
    def _ids(self) -> tuple[str, ...]:
        return self.slide.former.ids

    def _own(self, candidates: Iterable[str]) -> list[str]:
        wanted = set(filter(is_former, candidates)) - {self.slide.id}
        return [each for each in self._ids if each in wanted] if wanted else []

    def _stands(self, former: str) -> bool | None:
        """Return whether an id stands for the slide; None if that has to be asked."""
        answer = self._answers().get(former)
        if answer is None and self.slide.former.certain:
            return True
        return answer

    def _answers(self) -> dict[str, bool]:
        try:
            found: dict[str, bool] = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found


def unclaimed(folder: str | os.PathLike[str], slide: Slide) -> list[str]:
    """Return what is saved beside some runs that may be of a slide, or of another.

    Parameters
    ----------
    folder : path
        Of the runs; annotations and bookmarks are below it.

    Returns
    -------
    list of str
        Such as ["annotations", "2 runs"]; empty if there is nothing to ask.
    """
    root = Path(folder)
    found = []
    for name in _BESIDE_RUNS:
        there = [file.stem for file in (root / name).glob("*.json*")]
        if FormerWork(root / name, slide).asked(there):
            found.append(name)
    work = FormerWork(root, slide)
    runs = sum(work.is_ours(record) is None for record in _records(root))
    if runs:
        found.append(f"{runs} run{'s' * (runs > 1)}")
    return found


def claim(folder: str | os.PathLike[str], slide: Slide, *, take: bool) -> None:
    """Keep whether all that `unclaimed` names is of a slide.

    Raises
    ------
    RunFolderError
        If the disk refuses.
    """
    for place in (Path(folder), *(Path(folder) / name for name in _BESIDE_RUNS)):
        FormerWork(place, slide).answer(take=take)


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    for file in folder.glob("*/run.json"):
        try:
            record = dict(json.loads(file.read_text(encoding="utf-8")))
            if is_former(str(record["slide"]["id"])):
                yield record
        except (OSError, ValueError, TypeError, KeyError):  # damaged, or not ours
            continue


def _was_at(path: str, slide: Slide, moment: str) -> bool:
    """Return whether a slide lies at a path, and has since before a moment."""
    here = Path(slide.path)
    try:
        same = here.is_file() and here.samefile(path)
        return (
            same and here.stat().st_mtime < datetime.fromisoformat(moment).timestamp()
        )
    except (OSError, ValueError):
        return False
