"""What one server offers to all its sessions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from workbench.app.catalog.environment import (
    runs_from_environment,
    slides_from_environment,
)
from workbench.app.catalog.runs import RunLibrary
from workbench.app.catalog.slides import SlideLibrary

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Site:
    """The slides that are served, and where runs are saved."""

    library: SlideLibrary
    run_library: RunLibrary
    labels: bool = True
    """Whether users see the photographs of label and glass; they may name a patient."""

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

    def without_folders(self, text: str) -> str:
        """Return a text with paths shortened to the names that users know.

        Where the folders lie on the server is nobody's business.
        """
        for root in (*self.library.roots, self.run_library.folder):
            folder = root.parent if root.is_file() else root
            text = text.replace(f"{folder}{os.sep}", "")
        return text


@cache
def site_from_environment() -> Site:
    """Return the site that the environment describes, one for this process.

    Slides come from `WORKBENCH_SLIDES` (else the present folder), runs go to
    `WORKBENCH_RUNS` (else `runs` in the present folder).
    """
    return Site.of(slides_from_environment(), runs_from_environment())
