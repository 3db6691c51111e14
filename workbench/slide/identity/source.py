"""Where an open slide comes from: its id, and whether its files are still the same."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from operator import attrgetter
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final, cast

from workbench.errors import (
    BrokenSlideError,
    SlideChangedError,
    SlideError,
    SlideNotFoundError,
    WorkbenchError,
)
from workbench.slide.identity.content_id import id_of, image_id
from workbench.slide.identity.former_ids import FormerIds, former_ids
from workbench.slide.identity.remote_watch import RemoteWatch
from workbench.slide.location import (
    Location,
    import_optional,
    local_files,
    locate,
    slide_errors,
)
from workbench.slide.zip_member import archive_of, is_archived

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from workbench.slide.identity.content_id import Content
    from workbench.slide.readers.base import EncodedTile, Reader

_SLOW_S: Final = 0.0002
_SLOW_LOOKS: Final = 8
"""So many looks in a row that take longer mean a network disk, not a busy machine."""

_PAUSE_S: Final = 1.0
_JUST_S: Final = 10.0

_CONTENTS: Final = {"dicom": ("dicom_content", "dicom"), "zarr": ("zarr_content", "")}
"""Which module knows the content of a kind, and the extra that it needs."""

_FACTS: Final[Callable[[os.stat_result], tuple[int, ...]]] = attrgetter(
    "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev"
)

_Stamp = tuple[tuple[int, ...] | None, ...]


class SlideSource:
    """The content of a slide, as it was when the slide was opened.

    Files are looked at (size, time, inode, device) whenever something is read or saved.
    Where one looks otherwise than before, the id is made again: another id means
    another slide. The id is first made when something is read or saved, not at opening;
    files that look otherwise before that count as another slide, for lack of an id to
    compare. Of files on a server the same is asked (size, ETag, time), now and then.
    Safe from any number of threads.

    Parameters
    ----------
    path : str
        Of the slide: a path or URL.

    Attributes
    ----------
    location : Location

    Raises
    ------
    SlideNotFoundError, UnsupportedSlideError, BrokenSlideError, SlideReadError
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.location: Location = locate(path)
        self._where = self.location
        if not self.location.is_remote:  # wherever the process goes
            place = os.path.abspath(self.location.path)  # noqa: PTH100
            self._where = replace(self.location, path=place)
        self._lock = threading.Lock()
        self._look_again = 0.0
        self._slow = 0
        self._id: str | None = None
        with slide_errors(path):
            self._files = files_of(self._where)
            self._watch = watch_of(self._where)
        self._stamp: _Stamp | None = _stamp(self._files)
        """How the files looked; None once they are known to be others."""

    @property
    def id(self) -> str:
        """What identifies the content; see `identity.id_of`.

        Raises
        ------
        SlideChangedError
            If the files changed before it was made.
        """
        return self._id or self._identified()

    def _identified(self) -> str:
        with self._lock:
            if self._id is None:
                self._id = self._first_id()
            return self._id

    def _first_id(self) -> str:
        try:
            found = self._made_id(self._content)
        except (WorkbenchError, OSError):
            self._require_as_opened()
            raise
        self._require_as_opened()
        return found

    def _require_as_opened(self) -> None:
        """Refuse files that may have changed, as long as there is no id to compare."""
        self.require_untouched()
        if self._watch is not None and self._watch.differs(certainly=True):
            self._stamp = None
            raise SlideChangedError(self.path)

    def require_untouched(self) -> None:
        """Refuse local files that look otherwise than when they were opened.

        Raises
        ------
        SlideChangedError
        """
        if _stamp(self._files) != self._stamp:
            self._stamp = None
            raise SlideChangedError(self.path)

    @cached_property
    def _content(self) -> Content:
        with slide_errors(self.path):
            return content_of(self._where)

    def id_of(self, reader: Reader) -> str:
        """Return the id of the image that a reader shows: of the scan, the file's."""
        image = None if reader.image == reader.default_image else reader.image
        if image is None:
            return self.id
        if self.location.kind == "zarr":  # a picture of its own, opened by its path too
            found = self._made_id(content_of(self._where, image))
            self.require_unchanged()
            return found
        return image_id(self.id, image)

    @cached_property
    def former(self) -> FormerIds:
        """The ids under which earlier versions knew it."""
        return former_ids(self._content)

    def require_unchanged(self, *, lately: bool = False) -> None:
        """Look whether the files are still those that were opened.

        Parameters
        ----------
        lately : bool
            A look within the last second will do, on a disk where looking is slow; of
            a file on a server, an answer within the last 5 s in place of the last one.

        Raises
        ------
        SlideChangedError
            If they are not: whatever is known of the slide speaks of what was there.
        """
        if self._watch is not None and self._watch.is_due(lately=lately):
            self._ask(self._watch, lately=lately)
        began = monotonic()
        if lately and began < self._look_again:
            return
        stamp = _stamp(self._files)
        ended = monotonic()
        if self._slow or ended - began > _SLOW_S:
            self._time(began, ended)
        if stamp != self._stamp or self._id is None:
            self._compare(stamp)

    def _ask(self, watch: RemoteWatch, *, lately: bool) -> None:
        """Ask a server; other threads wait, and read nothing of another slide."""
        with self._lock:
            changed = self._stamp is None
            if not changed and watch.is_due(lately=lately):
                changed = self._is_replaced(watch)
            if changed:
                self._stamp = None
                raise SlideChangedError(self.path)

    def _is_replaced(self, watch: RemoteWatch) -> bool:
        """Return whether a server holds another slide than was opened."""
        if not watch.differs(certainly=self._id is None):
            return False
        try:
            if not self._has_same_id():
                return True
        except (WorkbenchError, OSError):
            return watch.differs()  # a server that cannot be reached says nothing
        watch.accept()
        return False

    def _time(self, began: float, ended: float) -> None:
        """Look less often where looking was slow several times in a row."""
        self._slow = self._slow + 1 if ended - began > _SLOW_S else 0
        self._look_again = ended + _PAUSE_S if self._slow >= _SLOW_LOOKS else 0.0

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Add to why a file cannot be opened that it may not be complete yet."""
        try:
            yield
        except SlideError as error:
            written = (
                max((each[1] for each in self._stamp or () if each), default=0) / 1e9
            )
            if 0 <= time() - written < _JUST_S:
                hint = "It was written to just now: if that goes on, wait for its end."
                WorkbenchError.__init__(error, error.message, f"{hint} {error.remedy}")
            raise

    def _is_same(self, stamp: _Stamp) -> bool:
        """Return whether files look as they did.

        One that is deleted while it is open can be read to its end; but not the chunks
        of a Zarr, which are opened one by one.
        """
        before = self._stamp
        if stamp == before:
            return True
        if before is None or self.location.kind == "zarr":
            return False
        pairs = zip(stamp, before, strict=True)
        return all(now is None or now == then for now, then in pairs)

    def _compare(self, stamp: _Stamp) -> None:
        """Make the id, again if a file was touched or is back as it was."""
        if not self._is_same(stamp):
            self._make_again()
        elif self._id is None:
            self._identified()

    def _make_again(self) -> None:
        with self._lock:
            stamp = _stamp(self._files)
            if self._is_same(stamp):
                return
            if self._stamp is not None:
                try:
                    same = self._has_same_id()
                except (WorkbenchError, OSError):
                    same = False
                if same and _stamp(self._files) == stamp:
                    self._stamp = stamp
                    return
            self._stamp, self._look_again = None, 0.0
        raise SlideChangedError(self.path)

    def _has_same_id(self) -> bool:
        """Return whether what is there now has the id; False where there is none."""
        if self._id is None:
            return False
        return self._id == self._made_id(content_of(locate(self._where.path)))

    def _made_id(self, content: Content) -> str:
        try:
            with slide_errors(self.path):
                return id_of(content)
        except SlideNotFoundError:
            raise
        except OSError as error:
            raise BrokenSlideError(self.path, str(error)) from error


def checked(reader: Reader, source: SlideSource) -> Reader:
    """Return a reader whose every answer is of the content that was opened.

    It raises `SlideChangedError` in place of any other answer, an error too.
    """
    return cast("Reader", _CheckedReader(reader, source))


class _CheckedReader:
    """Looks at the files after everything that a reader does."""

    def __init__(self, reader: Reader, source: SlideSource) -> None:
        self._reader = reader
        self._look = source.require_unchanged

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def read_batch(
        self,
        level: int,
        origins: Sequence[tuple[int, int]],
        width: int,
        height: int,
        *,
        reduction: int = 1,
        threads: int = 1,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        try:
            return self._reader.read_batch(
                level,
                origins,
                width,
                height,
                reduction=reduction,
                threads=threads,
                out=out,
            )
        finally:
            self._look(lately=True)

    def encoded_tile(
        self, level: int, column: int, row: int, *, wait: bool = True
    ) -> EncodedTile | None:
        try:
            return self._reader.encoded_tile(level, column, row, wait=wait)
        finally:
            self._look(lately=True)

    def associated(self, name: str) -> NDArray[np.uint8]:
        try:
            return self._reader.associated(name)
        finally:
            self._look(lately=True)


def files_of(location: Location) -> tuple[str, ...]:
    """Return the local files and folders that change with a slide."""
    if is_archived(location.path):
        return local_files(archive_of(location.path))
    found: tuple[str, ...] = _module_of(location).files_of(location)
    return found


def watch_of(location: Location) -> RemoteWatch | None:
    """Return the watch over the files of a slide on a server; None for local files."""
    if not location.is_remote:
        return None
    if is_archived(location.path):
        archive = archive_of(location.path)
        return None if local_files(archive) else RemoteWatch.of(archive)
    found: RemoteWatch = _module_of(location).watch_of(location)
    return found


def content_of(location: Location, *image: int) -> Content:
    """Return what a slide consists of, the same for every way to name it.

    Or what one of its images does, of an OME-Zarr.
    """
    content: Content = _module_of(location).content_of(location, *image)
    return content


def _module_of(location: Location) -> Any:
    name, extra = _CONTENTS.get(location.kind, ("file_content", ""))
    return import_optional(f"workbench.slide.identity.{name}", location.path, extra)


def _stamp(files: tuple[str, ...]) -> _Stamp:
    """Return what changes when a file is replaced, written over, cut or removed."""
    try:
        return tuple(map(_FACTS, map(os.stat, files)))  # at every read
    except OSError:
        return tuple(map(_looks, files))


def _looks(file: str) -> tuple[int, ...] | None:
    try:
        return _FACTS(os.stat(file))  # noqa: PTH116 - a plain string
    except OSError:
        return None
