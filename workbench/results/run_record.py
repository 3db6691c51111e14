"""The record and the tiles of a run, checked as they are read."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import RunError
from workbench.tiling.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT: Final = 1
"""Of the folder; grows when older programs could no longer read it."""

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
"""What reading a file leads to whose bytes are not those that were written."""

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
"""What a record says at least."""

_STATUSES: Final = ("running", "finished", "cancelled", "failed")
_MOST_TILES: Final = 1 << 32


def read_record(folder: Path) -> dict[str, Any]:
    """Return what `run.json` says.

    Raises
    ------
    RunError
        If it cannot be read, or is of a newer version of this program.
    """
    file = folder / RECORD
    try:
        record: dict[str, Any] = dict(json.loads(file.read_text(encoding="utf-8")))
        # Half a letter is unusable; os.fsdecode keeps names that are no Unicode.
        json.dumps(record, ensure_ascii=False).encode(errors="surrogateescape")
    except DAMAGE as error:
        raise unreadable(file, error) from error
    if record.get("format") != FORMAT:
        message = f"'{folder}' is a run of format {record.get('format')}, not {FORMAT}."
        raise RunError(message, "Open it with the version of this program it is from.")
    for name, kind in _PARTS.items():
        if not isinstance(record.get(name), kind):
            raise unreadable(file, ValueError(f"it has no usable '{name}'"))
    if record["status"] not in _STATUSES:
        raise unreadable(file, ValueError(f"its status is '{record['status']:.40}'"))
    return record


def read_tiles(folder: Path) -> NDArray[np.int64]:
    """Return the numbers of the tiles that are asked for, int64 (N,).

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
        raise unreadable(file, ValueError("it holds no numbers of tiles"))
    return tiles


def grid_of(record: Mapping[str, Any]) -> Grid:
    """Return the grid that a record describes.

    Raises
    ------
    ValueError or TypeError
        If it describes none, or one of billions of tiles.
    """
    facts = record["grid"]
    grid = Grid(**{**facts, "slide_size": tuple(facts["slide_size"])})
    if not 0 < len(grid) < _MOST_TILES:
        message = f"its grid has {len(grid):,} tiles"
        raise ValueError(message)
    return grid


def unreadable(file: Path, error: Exception) -> RunError:
    """Return the sentence for a damaged file of a run."""
    reason = str(error) or type(error).__name__
    return RunError(
        f"'{file}' cannot be read: {reason:.300}.",
        "Run again into another folder, or bring the file back from a copy.",
    )
