"""Existence checks for file names from untrusted sources."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def is_file(path: Path) -> bool:
    """Return whether a file exists; False for a name that no file can have."""
    return os.path.isfile(path)  # noqa: PTH113 - Path's raises for such names


def exists(path: Path) -> bool:
    """Return whether a path exists; False for a name that no file can have."""
    return os.path.exists(path)  # noqa: PTH110 - Path's raises for such names
