"""Files that are there as a whole or not at all, whatever ends the process."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workbench.errors import RunFolderError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what a disk says into a sentence about `path`: `RunFolderError`."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(path, error) from error


def replace_file(path: Path, data: bytes) -> None:
    """Write a file in place of the one that may be there.

    Raises
    ------
    RunFolderError
        If the disk refuses; then the old file is still there.
    """
    part = path.with_name(f"{path.name}~")
    with disk_errors(path):
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync(path.parent)


def move_file(part: Path, path: Path) -> None:
    """Move a file that has been written in place of the one that may be there.

    Raises
    ------
    RunFolderError
        If the disk refuses; then the old file is still there.
    """
    with disk_errors(path):
        _sync(part)
        part.replace(path)
        _sync(path.parent)


def replace_folder(part: Path, path: Path) -> None:
    """Move a folder that has been written in place of the one that may be there.

    A kill in between may leave neither, so what it was made from must still be there.

    Raises
    ------
    RunFolderError
        If the disk refuses.
    """
    with disk_errors(path):
        for written in [*part.rglob("*"), part]:
            _sync(written)
        shutil.rmtree(path, ignore_errors=True)
        part.rename(path)
        _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows does not let folders be opened, and keeps their entries.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
