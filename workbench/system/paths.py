"""Whether a file is there, for names that come from anywhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def is_file(path: Path) -> bool:
    """Return whether a file is there; a name that no disk can hold is not."""
    return os.path.isfile(path)  # noqa: PTH113 - Path's raises for such names


def exists(path: Path) -> bool:
    """Return whether anything is there; a name that no disk can hold is not."""
    return os.path.exists(path)  # noqa: PTH110 - Path's raises for such names
