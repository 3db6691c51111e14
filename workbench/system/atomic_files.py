"""Atomic replacement of files and folders: complete or absent, also after a crash."""

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
    """Convert an `OSError` into a `RunFolderError` that names `path`."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(path, error) from error


def replace_file(path: Path, data: bytes) -> None:
    """Write a file atomically; an existing file is replaced.

    Raises
    ------
    RunFolderError
        On an I/O error; an existing file is then unchanged.
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
    """Move a finished file to `path`; an existing file is replaced.

    Raises
    ------
    RunFolderError
        On an I/O error; an existing file is then unchanged.
    """
    with disk_errors(path):
        _sync(part)
        part.replace(path)
        _sync(path.parent)


def replace_folder(part: Path, path: Path) -> None:
    """Move a finished folder to `path`; an existing folder is replaced.

    A kill between the two steps may leave neither folder, so the data that the folder
    was made from must still exist.

    Raises
    ------
    RunFolderError
        On an I/O error.
    """
    with disk_errors(path):
        for entry in [*part.rglob("*"), part]:
            _sync(entry)
        shutil.rmtree(path, ignore_errors=True)
        part.rename(path)
        _sync(path.parent)


def _sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk (fsync)."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders, and flushes their entries itself.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
