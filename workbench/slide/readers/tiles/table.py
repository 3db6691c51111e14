"""Table of tiles (CSV): file, x, y, and optionally width and height, in pixels."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import UnsupportedSlideError
from workbench.slide.readers.tiles.pictures import sizes_of
from workbench.slide.readers.tiles.placement import (
    MAX_FILES,
    Placement,
    count_missing,
    placed,
)
from workbench.slide.readers.tiles.recognition import TABLE
from workbench.system.atomic_files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_COLUMNS: Final = {
    "file": ("file", "filename", "tile", "name", "path", "image"),
    "x": ("x",),
    "y": ("y",),
    "width": ("width", "w"),
    "height": ("height", "h"),
}
_MOST_BYTES: Final = 1 << 27
_MOST_HEADERS: Final = 20_000
"""Tiles whose sizes are read from their files."""

_REMEDY: Final = "Correct the table: file,x,y or file,x,y,width,height; in pixels."


def find_table(folder: Path) -> Path | None:
    """Return the table of tiles in a folder; None if there is none.

    Raises
    ------
    UnsupportedSlideError
        If there are several, and none is named tiles.csv.
    """
    if (folder / TABLE).is_file():
        return folder / TABLE
    found = [each for each in sorted(folder.glob("*.csv")) if _columns(each)]
    if len(found) > 1:
        names = ", ".join(f"'{each.name}'" for each in found[:4])
        reason = f"several tables say where tiles lie ({names})"
        raise UnsupportedSlideError(folder, reason, "Open one of the tables.")
    return found[0] if found else None


def _columns(path: Path) -> dict[str, str]:
    """Return the names that a table has for our columns; empty if it has not all."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline(1 << 12)
    except (OSError, UnicodeError):
        return {}
    delimiter = _delimiter(line)
    names = next(csv.reader([line], delimiter=delimiter), [])
    lower = {name.strip().lower(): name for name in names}
    found = {}
    for ours, theirs in _COLUMNS.items():
        name = next((lower[each] for each in theirs if each in lower), None)
        if name is not None:
            found[ours] = name
    return found if {"file", "x", "y"} <= found.keys() else {}


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def read_table(path: Path) -> Placement:
    """Return the placement that a table states.

    Files that it names and that are not there are missing tiles.

    Raises
    ------
    UnsupportedSlideError
        If a line is invalid, or names a file outside of the folder.
    """
    columns = _columns(path)
    if not columns:
        reason = "it is no table of tiles: its first line has no file, x and y"
        raise UnsupportedSlideError(path, reason, _REMEDY)
    if path.stat().st_size > _MOST_BYTES:
        reason = f"it has {path.stat().st_size:,} bytes, more than {_MOST_BYTES:,}"
        raise UnsupportedSlideError(path, reason, _REMEDY)
    files, numbers = _rows(path, columns)
    there = np.array([(path.parent / file).is_file() for file in files])
    here, absent = (np.flatnonzero(each) for each in (there, ~there))
    if not len(here):
        raise UnsupportedSlideError(path, "none of its files is there", _REMEDY)
    boxes = _boxes(path, [files[n] for n in here], numbers[here])
    sides = (
        np.bincount(boxes[:, 2] - boxes[:, 0]),
        np.bincount(boxes[:, 3] - boxes[:, 1]),
    )
    width, height = (int(each.argmax()) for each in sides)
    missing = max(len(absent), count_missing(boxes, (width, height)))
    size = None
    if len(absent):  # the slide reaches as far as the table says
        stated = numbers[absent, 2:]
        far = numbers[absent, :2] + np.where(stated > 0, stated, (width, height))
        size = tuple(np.maximum(far.max(axis=0), boxes[:, 2:].max(axis=0)).tolist())
    return placed(
        str(path.parent),
        [files[n] for n in here],
        boxes,
        size=size,
        missing=missing,
        source=path.name,
    )


def _rows(path: Path, columns: dict[str, str]) -> tuple[list[str], NDArray[np.int64]]:
    """Return files, and x, y, width and height (0: not stated) of each, (N, 4)."""
    files: list[str] = []
    numbers: list[list[int]] = []
    root = path.parent.resolve()
    with path.open(encoding="utf-8-sig", newline="") as file:
        delimiter = _delimiter(file.readline())
        file.seek(0)
        for row in csv.DictReader(file, delimiter=delimiter):
            line = len(files) + 2
            files.append(_inside(path, root, row.get(columns["file"]) or "", line))
            values = []
            for name in ("x", "y", "width", "height"):
                text = row.get(columns[name]) if name in columns else "0"
                values.append(_whole(path, name, text, line))
            numbers.append(values)
            if len(files) > MAX_FILES:
                reason = f"it has more than {MAX_FILES:,} lines"
                raise UnsupportedSlideError(path, reason, _REMEDY)
    if not files:
        raise UnsupportedSlideError(path, "it has no lines", _REMEDY)
    return files, np.array(numbers, np.int64)


def _whole(path: Path, name: str, text: str | None, line: int) -> int:
    try:
        value = float((text or "").strip())
        if value == int(value) and 0 <= value < 1 << 31:
            return int(value)
    except (ValueError, OverflowError):
        pass
    reason = f"{name} in line {line} is {(text or '')[:40]!r}, not a whole number"
    raise UnsupportedSlideError(path, reason, _REMEDY)


def _inside(path: Path, root: Path, name: str, line: int) -> str:
    """Return the path of a tile relative to the folder of its table."""
    name = name.strip()
    if "\\" in name and not (root / name).exists():
        name = name.replace("\\", "/")
    if not name or "\0" in name:
        reason = f"line {line} names no file"
        raise UnsupportedSlideError(path, reason, _REMEDY)
    real = (root / name).resolve()
    if root not in real.parents:
        reason = f"line {line} names '{name[:200]}', which is not in its folder"
        raise UnsupportedSlideError(path, reason, "Put the table beside its tiles.")
    return os.path.relpath(root / name, root) if Path(name).is_absolute() else name


def _boxes(
    path: Path, files: list[str], numbers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the boxes of tiles; sizes that the table does not state are read."""
    sizes = numbers[:, 2:].copy()
    unknown = np.flatnonzero((sizes == 0).any(axis=1))
    if len(unknown) > _MOST_HEADERS:
        reason = f"it has {len(unknown):,} tiles without width and height"
        raise UnsupportedSlideError(path, reason, "Add both to the table.")
    if len(unknown):
        sizes[unknown] = sizes_of(path.parent, [files[n] for n in unknown])
    return np.concatenate([numbers[:, :2], numbers[:, :2] + sizes], axis=1)


def write_table(path: Path, files: Iterable[str], boxes: NDArray[np.int64]) -> None:
    """Write a table of tiles.

    Raises
    ------
    RunFolderError
        On an I/O error.
    """
    lines = ["file,x,y,width,height"]
    for file, (x0, y0, x1, y1) in zip(files, boxes.tolist(), strict=True):
        quoted = (
            f'"{file.replace(chr(34), chr(34) * 2)}"' if set(file) & set(',"') else file
        )
        lines.append(f"{quoted},{x0},{y0},{x1 - x0},{y1 - y0}")
    replace_file(path, ("\n".join(lines) + "\n").encode())
