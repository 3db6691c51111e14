"""Staging: copies of slides on a local disk, bounded and removed after use.

The next slide is copied while the current one is processed. A slide is copied with all
its files; one that cannot be copied, or would not fit, is read where it is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import fsspec

from workbench.errors import WorkbenchError
from workbench.slide.identity.source import files_of
from workbench.slide.location import is_url, locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from workbench.study.slide_table import SlideRow


class Stage(Protocol):
    """Where a worker reads slides."""

    def local(
        self, row: SlideRow, ahead: SlideRow | None
    ) -> AbstractContextManager[str]:
        """Return the path at which to read a slide; the next one may be prepared."""

    def close(self) -> None:
        """Remove all copies."""


class NoStaging:
    """Slides are read where they are."""

    @contextmanager
    def local(self, row: SlideRow, ahead: SlideRow | None) -> Iterator[str]:
        """Yield the slide's own path."""
        del ahead
        yield row.path

    def close(self) -> None:
        """Do nothing."""


NO_STAGING = NoStaging()


class Staging:
    """Copies slides into a folder of its own below `folder`.

    Parameters
    ----------
    folder : Path
        On a local disk; created if missing.
    most_bytes : int
        Most bytes of all copies at once.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        self._folder = Path(
            tempfile.mkdtemp(prefix=f"staged-{os.getpid()}-", dir=folder)
        )
        self._most = most_bytes
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="staging")
        self._copies: dict[str, Future[str]] = {}

    @contextmanager
    def local(self, row: SlideRow, ahead: SlideRow | None) -> Iterator[str]:
        """Yield the path of the copy of a slide, or its own if it is not copied."""
        copy = self._begin(row)
        path = copy.result()
        for name in set(self._copies) - {row.name}:  # another process took that slide
            self._drop(name)
        if ahead is not None:
            self._begin(ahead)
        try:
            yield path
        finally:
            self._drop(row.name)

    def close(self) -> None:
        """Remove all copies."""
        self._pool.shutdown(cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _begin(self, row: SlideRow) -> Future[str]:
        if row.name not in self._copies:
            self._copies[row.name] = self._pool.submit(self._copy, row)
        return self._copies[row.name]

    def _drop(self, name: str) -> None:
        self._copies.pop(name).cancel()
        folder = self._folder / name
        self._pool.submit(shutil.rmtree, folder, ignore_errors=True)

    def _copy(self, row: SlideRow) -> str:
        """Copy a slide; return the path of the copy, or its own."""
        target = self._folder / row.name
        try:
            if is_url(row.path):
                return self._download(row.path, target)
            files = _files(row.path)
            if not files or sum(each.stat().st_size for each in files) > self._room():
                return row.path
            slide = Path(locate(row.path).path)
            root = Path(os.path.commonpath([each.parent for each in (slide, *files)]))
            for file in files:
                place = target / file.relative_to(root)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
            return str(target / slide.relative_to(root))
        except (OSError, ValueError, WorkbenchError):
            shutil.rmtree(target, ignore_errors=True)
            return row.path

    def _download(self, url: str, target: Path) -> str:
        system, root = fsspec.core.url_to_fs(url)
        if not system.isfile(root) or system.size(root) > self._room():
            return url
        target.mkdir(parents=True)
        place = target / root.rstrip("/").rpartition("/")[2]
        system.get_file(root, str(place))
        return str(place)

    def _room(self) -> int:
        """Return the bytes that may be copied now."""
        files = (file for file in self._folder.rglob("*") if file.is_file())
        used = sum(file.stat().st_size for file in files)
        return min(self._most - used, shutil.disk_usage(self._folder).free // 2)


def _files(path: str) -> list[Path]:
    """Return all local files of a slide; empty if they are not known."""
    location = locate(path)
    slide = Path(location.path)
    if slide.is_dir():
        return [each for each in slide.rglob("*") if each.is_file()]
    files = [Path(file) for file in files_of(location)]
    return files if all(each.is_file() for each in files) else []


def _remove_abandoned(folder: Path) -> None:
    """Remove the copies of processes of this machine that were killed."""
    for each in folder.glob("staged-*-*"):
        process = each.name.split("-")[1]
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            shutil.rmtree(each, ignore_errors=True)
        except (OSError, ValueError):
            continue
