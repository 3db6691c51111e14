"""Reading and validation of the record and the tiles of a run."""

from __future__ import annotations

import json
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import RunError
from workbench.tiling.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT: Final = 1
"""Format version of the run folder; increases on incompatible changes."""

RECORD: Final = "run.json"
TILES: Final = "tiles.npy"

DAMAGE: Final = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    zipfile.BadZipFile,
)
"""Exceptions raised by reading files with damaged content."""

_PARTS: Final[dict[str, type]] = {
    "status": str,
    "recipe": dict,
    "model": dict,
    "grid": dict,
    "slide": dict,
    "tiles_total": int,
    "tiles_done": int,
    "tiles_failed": int,
    "failures": list,
}
"""Fields that a record has at least, with their types."""

_STATUSES: Final = ("running", "finished", "cancelled", "failed")
_MOST_TILES: Final = 1 << 32


def read_record(folder: Path) -> dict[str, Any]:
    """Return the content of `run.json`.

    Raises
    ------
    RunError
        If it cannot be read, or has a newer format.
    """
    file = folder / RECORD
    try:
        record: dict[str, Any] = dict(json.loads(file.read_text(encoding="utf-8")))
        # A lone surrogate is unusable; os.fsdecode uses some for names not in UTF-8.
        json.dumps(record, ensure_ascii=False).encode(errors="surrogateescape")
    except DAMAGE as error:
        raise unreadable(file, error) from error
    if record.get("format") != FORMAT:
        message = f"'{folder}' is a run of format {record.get('format')}, not {FORMAT}."
        raise RunError(
            message, "Open it with the version of this program that wrote it."
        )
    for name, kind in _PARTS.items():
        if not isinstance(record.get(name), kind):
            raise unreadable(file, ValueError(f"it has no usable '{name}'"))
    if record["status"] not in _STATUSES:
        raise unreadable(file, ValueError(f"its status is '{record['status']:.40}'"))
    return record


def read_tiles(folder: Path) -> NDArray[np.int64]:
    """Return the numbers of the selected tiles, int64 (N,).

    Raises
    ------
    RunError
        If they cannot be read.
    """
    file = folder / TILES
    try:
        tiles = np.load(file)
    except Exception as error:  # the header is read as Python, which fails in many ways
        raise unreadable(file, error) from error
    if not isinstance(tiles, np.ndarray) or tiles.dtype != np.int64 or tiles.ndim != 1:
        raise unreadable(file, ValueError("it holds no tile numbers"))
    return tiles


def grid_of(record: Mapping[str, Any]) -> Grid:
    """Return the grid in a record.

    Raises
    ------
    ValueError or TypeError
        If there is none, or it has billions of tiles.
    """
    facts = record["grid"]
    grid = Grid(**{**facts, "slide_size": tuple(facts["slide_size"])})
    if not 0 < len(grid) < _MOST_TILES:
        message = f"its grid has {len(grid):,} tiles"
        raise ValueError(message)
    return grid


@contextmanager
def damage_as_errors(folder: Path) -> Iterator[None]:
    """Raise a `RunError` where the content of a run, used within, is damaged.

    Raises
    ------
    RunError
        It names the file and the reason.
    """
    try:
        yield
    except DAMAGE as error:
        reason = f"it has no usable {error}" if isinstance(error, KeyError) else error
        raise unreadable(folder / RECORD, ValueError(reason)) from error


def unreadable(file: Path, error: Exception) -> RunError:
    """Return the error for a damaged file of a run."""
    reason = str(error) or type(error).__name__
    return RunError(
        f"'{file}' cannot be read: {reason:.300}.",
        "Run again into another folder, or restore the file from a backup.",
    )
