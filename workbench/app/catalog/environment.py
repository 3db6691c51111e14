"""Environment variables with the folders of slides and runs; needs no Panel."""

from __future__ import annotations

import os
from typing import Final

SLIDES_VARIABLE: Final = "WORKBENCH_SLIDES"
"""Folders of slides, separated as in PATH; default: the current folder."""

RUNS_VARIABLE: Final = "WORKBENCH_RUNS"
"""Folder where runs are saved; default: `runs` in the current folder."""


def slides_from_environment(default: str = ".") -> list[str]:
    """Return the folders of slides; `default` if the variable is not set."""
    named = os.environ.get(SLIDES_VARIABLE, "").split(os.pathsep)
    return [folder for folder in named if folder] or [default]


def runs_from_environment(default: str = "runs") -> str:
    """Return the folder where runs are saved; `default` if it is not set."""
    return os.environ.get(RUNS_VARIABLE) or default
