"""`RunLibrary`: saved and active runs of a server."""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench.errors import RunError, WorkbenchError
from workbench.results.run import open_run
from workbench.results.run_record import RECORD
from workbench.slide.migration import FormerWork
from workbench.study.analysis import RECORD as ANALYSIS
from workbench.system.paths import is_file

if TYPE_CHECKING:
    import os

    from workbench.app.catalog.access import Access
    from workbench.inference.jobs import Job
    from workbench.recipe import Recipe
    from workbench.results.run import Run
    from workbench.slide.slide import Slide
    from workbench.study.study import Study

_MAX_LISTED: Final = 50
_SINGLE: Final = "single-runs"
_GENERATED: Final = re.compile(r".+-([0-9a-f]{10})")
"""Name of a folder by the rule of `workbench.results.run_folder`."""


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A saved run for a list; everything needed has been read from disk."""

    run: Run
    line: str
    """Label of the run in the list; unique among the runs of a slide."""

    unfinished: bool

    @classmethod
    def of(cls, run: Run) -> SavedRun:
        """Read the label and the status of a run."""
        status, recipe = run.status, run.recipe
        parts = [run.card.name]
        if recipe.normalize is not None:
            parts.append(recipe.normalize)
        parts.append("whole slide" if recipe.region is None else "region")
        if status != "finished":
            parts.append(f"{run.tiles_done / max(1, run.tiles_total):.0%}, {status}")
        generated = _GENERATED.fullmatch(key_of(run))
        line = ", ".join(parts) + (f" ({generated[1]})" if generated else "")
        return cls(run, line, unfinished=status not in ("finished", "running"))

    def named(self) -> SavedRun:
        """Return it with the name of its folder in its label."""
        return replace(self, line=f"{self.line} ({key_of(self.run)})")


class RunLibrary:
    """A folder of runs, one folder for each slide and recipe.

    The same slide and recipe have the same folder, by the rule of
    `workbench.results.run_folder`: an interrupted run is continued, also one of the
    command line, a finished one is shown, and two users who start the same run share
    one job. Thread-safe.

    Parameters
    ----------
    folder : path
        Folder of runs; created when the first run is saved.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).expanduser().resolve()
        self._jobs: dict[Path, Job] = {}
        self._lock = threading.Lock()

    def place(self, slide: Slide, recipe: Recipe) -> Path:
        """Return the folder of the run of a recipe on a slide; see `run_folder`.

        Raises
        ------
        WorkbenchError
            If the run is impossible with this model, device or pixel size.
        """
        # The engine takes seconds to import; looking at slides needs none of it.
        from workbench.inference.run_identity import RunIdentity  # noqa: PLC0415

        return RunIdentity.of(slide, recipe).folder(self.folder)

    def saved(self, slide: Slide) -> list[SavedRun]:
        """Return the runs of a slide, newest first; at most 50."""
        found: list[SavedRun] = []
        former = FormerWork(self.folder, slide)
        for record in sorted(self._records(slide), key=_age):
            try:
                run = open_run(record.parent)
                if former.owns_run(run.record):
                    found.append(SavedRun.of(run))
            except (WorkbenchError, KeyError):  # damaged, or of another version
                continue
            if len(found) == _MAX_LISTED:
                break
        lines = Counter(each.line for each in found)
        return [each if lines[each.line] == 1 else each.named() for each in found]

    def _records(self, slide: Slide) -> list[Path]:
        """Return the records of runs that may be of a slide."""
        del slide
        return list(self.folder.glob(f"*/{RECORD}"))

    def start(
        self,
        slide: Slide,
        recipe: Recipe,
        place: Path | None = None,
        *,
        user: str = "",
    ) -> Job:
        """Start a run, continue it, or join it if it is active or paused.

        Parameters
        ----------
        user : str
            User who starts it; the device queue is fair between users.
        place : Path, optional
            Folder of the run to continue; by default that of the recipe.
        """
        from workbench.inference.jobs import Job  # noqa: PLC0415 - as above

        slide.require_unchanged()
        place = place or self.place(slide, recipe)
        with self._lock:
            job = self._jobs.get(place)
            if job is not None and not job.wait(0):
                job.resume()
                return job
            self._jobs = {p: j for p, j in self._jobs.items() if not j.wait(0)}
            job = Job(slide, recipe, place, user=user)
            self._jobs[place] = job
            job.start()
            return job

    def of_slide(self, slide: Slide) -> Job | None:
        """Return the newest job of a slide that has not ended, of any user."""
        jobs = [job for job in self.active() if job.slide.id == slide.id]
        return jobs[-1] if jobs else None

    def active(self) -> list[Job]:
        """Return the jobs that wait, run or are paused, newest last."""
        with self._lock:
            return [job for job in self._jobs.values() if not job.wait(0)]

    def close(self) -> None:
        """Cancel active jobs, and wait until their results are saved."""
        jobs = self.active()
        for job in jobs:
            job.cancel()
        for job in jobs:
            job.wait(10)


class StudyRunLibrary(RunLibrary):
    """The runs of a study: its analyses, and runs of single slides.

    Parameters
    ----------
    study : Study
    """

    def __init__(self, study: Study) -> None:
        super().__init__(study.path)
        self._study = study

    def place(self, slide: Slide, recipe: Recipe) -> Path:
        """Return the folder of a run of one slide, apart from the analyses."""
        from workbench.inference.run_identity import RunIdentity  # noqa: PLC0415 - slow

        return RunIdentity.of(slide, recipe).folder(self.folder / _SINGLE)

    def _records(self, slide: Slide) -> list[Path]:
        names = [row.name for row in self._study.rows if row.id == slide.id]
        single = list((self.folder / _SINGLE).glob(f"*/{RECORD}"))
        places = (
            analysis.path / name / RECORD
            for analysis in self._study.analyses.values()
            for name in names
        )
        return [*single, *(place for place in places if place.is_file())]


class ReaderRunLibrary(StudyRunLibrary):
    """What users other than leads see of the runs of a study: they start none.

    Parameters
    ----------
    study : Study
    access : Access
    """

    def __init__(self, study: Study, access: Access) -> None:
        super().__init__(study)
        self._access = access
        self.folder = access.own_folder(study.path)

    def saved(self, slide: Slide) -> list[SavedRun]:
        """Return the runs of a slide, if the user is not blind to them."""
        return super().saved(slide) if self._access.results else []

    def start(self, *_: object, **__: object) -> Job:
        """Refuse.

        Raises
        ------
        RunError
            Always.
        """
        message = "Only leads of the study run models."
        raise RunError(message, "Ask one of them.")


def key_of(run: Run) -> str:
    """Return the name of a run among those of its slide.

    That of its folder; of an analysis of a study, the name of the analysis, which is
    the same for all slides.
    """
    folder = run.path
    is_analysis = is_file(folder.parent / ANALYSIS)
    return folder.parent.name if is_analysis else folder.name


def _age(path: Path) -> float:
    return -path.stat().st_mtime
