"""Migration of work that earlier versions saved under a slide's former ids.

Work under a former id that is unique to the slide is used at once. For an id that
several slides may share, the user decides whether the work belongs to the slide; the
decision is saved beside the work, so the user is asked only once. Files of earlier
versions are never moved or removed.
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

_DECISIONS: Final = "former-ids"
_BESIDE_RUNS: Final = ("annotations", "bookmarks")
_LOCK_S: Final = 20.0


class FormerWork:
    """Work saved under a slide's former ids in one folder.

    Parameters
    ----------
    folder : path
        Folder of the work: annotations, bookmarks or runs.
    slide : Slide
        The slide.
    """

    def __init__(self, folder: str | os.PathLike[str], slide: Slide) -> None:
        self.slide = slide
        self.folder = Path(folder)
        self._file = self.folder / _DECISIONS / f"{slide.id}.json"

    def own_ids(self, candidates: Iterable[str]) -> list[str]:
        """Return the ids among `candidates` whose work belongs to this slide."""
        return [id_ for id_ in self._former_ids(candidates) if self._decision(id_)]

    def undecided_ids(self, candidates: Iterable[str]) -> list[str]:
        """Return the ids among `candidates` for which the user has to decide."""
        ids = self._former_ids(candidates)
        return [id_ for id_ in ids if self._decision(id_) is None]

    def owns_run(self, record: Mapping[str, Any]) -> bool | None:
        """Return whether a run is of this slide; None if the user has to decide.

        The slide owns the run if its file has the path of the record and is older than
        the run.

        Parameters
        ----------
        record : mapping
            Content of `run.json`.
        """
        slide = record["slide"]
        id_ = str(slide["id"])
        if id_ == self.slide.id:
            return True
        if not self._former_ids([id_]):
            return False
        decision = self._decision(id_)
        if decision is None and _existed_at(
            str(slide["path"]), self.slide, record["created"]
        ):
            return True
        return decision

    def decide(self, *, take: bool) -> None:
        """Save whether work under the slide's former ids belongs to this slide.

        Raises
        ------
        RunFolderError
            On an I/O error.
        """
        with disk_errors(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self._file.with_suffix(".lock"), timeout=_LOCK_S):
                ids = self.slide.former.ids
                decisions = {**self._read_decisions(), **dict.fromkeys(ids, take)}
                replace_file(self._file, json.dumps(decisions, indent=1).encode())

    def _former_ids(self, candidates: Iterable[str]) -> list[str]:
        former = set(filter(is_former, candidates)) - {self.slide.id}
        # The ids of the slide are computed only where there are candidates.
        return [id_ for id_ in self.slide.former.ids if id_ in former] if former else []

    def _decision(self, former: str) -> bool | None:
        """Return whether an id belongs to the slide; None if it is undecided."""
        decision = self._read_decisions().get(former)
        if decision is None and self.slide.former.certain:
            return True
        return decision

    def _read_decisions(self) -> dict[str, bool]:
        try:
            content: dict[str, bool] = json.loads(
                self._file.read_text(encoding="utf-8")
            )
        except (OSError, ValueError):
            return {}
        return content


def unclaimed(folder: str | os.PathLike[str], slide: Slide) -> list[str]:
    """Return the saved work that may belong to a slide or to another one.

    Parameters
    ----------
    folder : path
        Folder of the runs; annotations and bookmarks are in it.
    slide : Slide
        The slide.

    Returns
    -------
    list of str
        For example ["annotations", "2 runs"]; empty if there is nothing to decide.
    """
    root = Path(folder)
    work = []
    for name in _BESIDE_RUNS:
        ids = [file.stem for file in (root / name).glob("*.json*")]
        if FormerWork(root / name, slide).undecided_ids(ids):
            work.append(name)
    former = FormerWork(root, slide)
    runs = sum(former.owns_run(record) is None for record in _run_records(root))
    if runs:
        work.append(f"{runs} run{'s' * (runs > 1)}")
    return work


def claim(folder: str | os.PathLike[str], slide: Slide, *, take: bool) -> None:
    """Save whether all the work that `unclaimed` returns belongs to a slide.

    Raises
    ------
    RunFolderError
        On an I/O error.
    """
    for path in (Path(folder), *(Path(folder) / name for name in _BESIDE_RUNS)):
        FormerWork(path, slide).decide(take=take)


def _run_records(folder: Path) -> Iterator[dict[str, Any]]:
    for file in folder.glob("*/run.json"):
        try:
            record = dict(json.loads(file.read_text(encoding="utf-8")))
            if is_former(str(record["slide"]["id"])):
                yield record
        except (OSError, ValueError, TypeError, KeyError):  # damaged or foreign
            continue


def _existed_at(path: str, slide: Slide, moment: str) -> bool:
    """Return whether the slide is the file at `path` and is older than `moment`."""
    file = Path(slide.path)
    try:
        same = file.is_file() and file.samefile(path)
        return (
            same and file.stat().st_mtime < datetime.fromisoformat(moment).timestamp()
        )
    except (OSError, ValueError):
        return False
