"""`Site`: slides and runs that a server shares among its sessions."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from workbench.app.catalog.access import EVERYTHING, Access
from workbench.app.catalog.environment import (
    runs_from_environment,
    slides_from_environment,
)
from workbench.app.catalog.runs import (
    ReaderRunLibrary,
    RunLibrary,
    StudyRunLibrary,
)
from workbench.app.catalog.slides import SlideLibrary
from workbench.app.catalog.study_slides import StudyLibrary
from workbench.app.catalog.trainings import TrainingLibrary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.study.study import Study


@dataclass(frozen=True, slots=True)
class Site:
    """The slides that are served, and the folder of runs."""

    library: SlideLibrary
    run_library: RunLibrary
    labels: bool = True
    """Whether label and macro images are shown; they may name a patient."""
    trainings: TrainingLibrary = field(default_factory=TrainingLibrary)

    @classmethod
    def of(
        cls,
        slides: Iterable[str | os.PathLike[str]],
        runs: str | os.PathLike[str] = "runs",
        *,
        labels: bool = True,
    ) -> Site:
        """Return a site for some folders."""
        return cls(SlideLibrary(slides), RunLibrary(runs), labels)

    access: Access = EVERYTHING
    """What its users may see and do."""

    @classmethod
    def of_study(
        cls, study: Study, access: Access = EVERYTHING, *, labels: bool = True
    ) -> Site:
        """Return a site for a study: its slides, annotations, and analyses.

        Parameters
        ----------
        study : Study
        access : Access
            What the users of the site may see and do.
        labels : bool
            Whether label and macro images are shown, to those not blind to them.
        """
        library = StudyLibrary(study, access.names)
        runs = (
            StudyRunLibrary(study) if access.leads else ReaderRunLibrary(study, access)
        )
        return cls(library, runs, labels and access.labels, access=access)

    def close(self) -> None:
        """Stop runs and trainings, and wait until their results are saved."""
        self.run_library.close()
        self.trainings.close()

    def without_folders(self, text: str) -> str:
        """Return a text with paths shortened to names relative to the served folders.

        Users need not see the folders of the server.
        """
        for root in (*self.library.roots, self.run_library.folder):
            folder = root.parent if root.is_file() else root
            text = text.replace(f"{folder}{os.sep}", "")
        return self.library.without_paths(text)


@cache
def site_from_environment() -> Site:
    """Return the site of this process, as set by environment variables.

    Slides are those of `WORKBENCH_SLIDES` (default: the current folder), runs are saved
    in `WORKBENCH_RUNS` (default: `runs` in the current folder).
    """
    return Site.of(slides_from_environment(), runs_from_environment())
