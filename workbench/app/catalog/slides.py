"""`SlideLibrary`: the slides that are served, identified by name, never by path."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

from workbench.errors import AccessError, SlideChangedError, SlideNotFoundError
from workbench.slide.slide import Slide, open_slide
from workbench.study.slide_listing import is_slide, slides_below

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from workbench.slide.pixel_size import Mpp

    _Key = tuple[str, Mpp | None, int | None]

_MAX_LISTED: Final = 2_000
_MAX_OPEN: Final = 16


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A slide in the list."""

    name: str
    """Path relative to its served folder, with "/"; unique in the library."""

    size_bytes: int
    """Size of the file; 0 for a folder."""

    stamp: int = 0
    """Number that changes when the file is replaced or written to."""


class SlideLibrary:
    """The slides in some folders, opened by name and kept open while in use.

    Names that lead out of the folders, through ".." or a link, are refused.
    Thread-safe.

    Parameters
    ----------
    roots : iterable of path
        Folders, or single slides (then their neighbours are not served).
    slides : iterable of Slide
        Slides that are open already, each served under its own name.

    Raises
    ------
    SlideNotFoundError
        If a root does not exist.
    """

    def __init__(
        self,
        roots: Iterable[str | os.PathLike[str]] = (),
        *,
        slides: Iterable[Slide] = (),
    ) -> None:
        self._given = {slide.name: slide for slide in slides}
        self.roots = tuple(dict.fromkeys(_existing(root) for root in roots))
        # Slides removed from the cache are not closed: a session may still show them.
        self._open: LRUCache[_Key, Future[Slide]] = LRUCache(_MAX_OPEN)
        self._lock = threading.Lock()
        self._listing = threading.Lock()
        self._listed: list[Entry] = []
        self._listed_at = -math.inf

    def entries(self, *, max_age_s: float = 0.0) -> list[Entry]:
        """Return the slides that can be opened, sorted by name; at most 2,000.

        Parameters
        ----------
        max_age_s : float
            Largest age of a list made for another session that may be returned.
        """
        with self._listing:
            if time.monotonic() - self._listed_at > max_age_s:
                self._listed, self._listed_at = self._entries(), time.monotonic()
            return list(self._listed)

    def _entries(self) -> list[Entry]:
        found = {name: Entry(name, 0) for name in self._given}
        for root in self.roots:
            for path in slides_below(root):
                name = _name(root, path)
                if name not in found and self._holds(path):
                    found[name] = _entry(name, path)
                if len(found) >= _MAX_LISTED:
                    break
        return sorted(found.values())

    def path(self, name: str) -> Path:
        """Return the path of the slide of that name.

        Raises
        ------
        AccessError
            If the name leads out of the served folders.
        SlideNotFoundError
            If there is no such slide.
        """
        if not name or "\0" in name or Path(name).is_absolute():
            raise AccessError(name)
        for root in self.roots:
            path = root.parent / name if is_slide(root) else root / name
            if path.exists():
                if not self._holds(path):
                    raise AccessError(name)
                return path
        if ".." in Path(name).parts:
            raise AccessError(name)
        raise SlideNotFoundError(name)

    def without_paths(self, text: str) -> str:
        """Return a text without paths of slides that lie outside of the roots."""
        return text

    def open(
        self, name: str, *, mpp: Mpp | None = None, image: int | None = None
    ) -> Slide:
        """Open a slide, or return it if it is open already.

        The slide is shared by all sessions: do not close it. If its file has changed,
        it is opened again; reading the slide opened before raises an error.
        """
        if name in self._given:
            given = self._given[name]
            return given if mpp is None else given.with_mpp(mpp)
        path, mpp = self._located(name, mpp)
        key = (path, mpp, image)
        with self._lock:
            first = key not in self._open
            opened = self._open.setdefault(key, Future())
        if first:  # outside the lock: a slow slide does not block others
            self._begin(key, opened)
            return opened.result()
        slide = opened.result()
        try:
            slide.require_unchanged()
        except SlideChangedError:
            with self._lock:
                if self._open.get(key) is opened:
                    del self._open[key]
            return self.open(name, mpp=mpp, image=image)
        return slide

    def _located(self, name: str, mpp: Mpp | None) -> tuple[str, Mpp | None]:
        """Return the path or URL of a slide, and the pixel size to open it with."""
        return str(self.path(name)), mpp

    def _begin(self, key: _Key, opened: Future[Slide]) -> None:
        """Open a slide for all waiting threads; a failure is not cached."""
        path, mpp, image = key
        try:
            opened.set_result(open_slide(path, mpp=mpp, image=image))
        except BaseException as error:
            with self._lock:
                if self._open.get(key) is opened:
                    del self._open[key]
            opened.set_exception(error)
            raise

    def _holds(self, path: Path) -> bool:
        real = path.resolve()
        return any(real == root or root in real.parents for root in self.roots)


def _entry(name: str, path: Path) -> Entry:
    try:
        facts = path.stat()
    except OSError:  # deleted meanwhile
        return Entry(name, 0)
    size = facts.st_size if path.is_file() else 0
    return Entry(name, size, facts.st_mtime_ns)


def _existing(root: str | os.PathLike[str]) -> Path:
    path = Path(root).expanduser()
    if not path.exists():
        raise SlideNotFoundError(root)
    return path.resolve()


def _name(root: Path, path: Path) -> str:
    base = root.parent if is_slide(root) else root
    return path.relative_to(base).as_posix()
