"""Folder in which engines that were built for this machine's GPUs are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

ENGINES_VARIABLE: Final = "WORKBENCH_ENGINES"
"""Folder in which TensorRT engines are kept, one for each model, GPU and version of
TensorRT; by default in the user's cache folder."""


def engines_folder() -> Path:
    """Return the folder of the kept engines; it may not exist yet."""
    chosen = os.environ.get(ENGINES_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return user_cache_path("slide-workbench") / "engines"
