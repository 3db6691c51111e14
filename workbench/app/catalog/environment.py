"""Where slides and runs are, as the environment says; nothing here needs Panel."""

from __future__ import annotations

import os
from typing import Final

SLIDES_VARIABLE: Final = "WORKBENCH_SLIDES"
"""Folders of slides, separated as in PATH; default: the present folder."""

RUNS_VARIABLE: Final = "WORKBENCH_RUNS"
"""Folder where runs are saved; default: `runs` in the present folder."""


def slides_from_environment(default: str = ".") -> list[str]:
    """Return the folders of slides; `default` alone where none is named."""
    named = os.environ.get(SLIDES_VARIABLE, "").split(os.pathsep)
    return [folder for folder in named if folder] or [default]


def runs_from_environment(default: str = "runs") -> str:
    """Return the folder where runs are saved; `default` where none is named."""
    return os.environ.get(RUNS_VARIABLE) or default
