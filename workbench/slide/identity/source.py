"""Source of an open slide: its id, and detection of changed files."""

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
"""Number of consecutive slow checks (over `_SLOW_S`) that indicate a network disk."""

_PAUSE_S: Final = 1.0
_JUST_S: Final = 10.0

_CONTENTS: Final = {
    "dicom": ("dicom_content", "dicom"),
    "dicomweb": ("dicomweb_content", "dicom"),
    "tiles": ("tiles_content", ""),
    "zarr": ("zarr_content", ""),
}
"""Module for each kind of content, and the extra that it needs."""

_FACTS: Final[Callable[[os.stat_result], tuple[int, ...]]] = attrgetter(
    "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_dev"
)

_Stamp = tuple[tuple[int, ...] | None, ...]


class SlideSource:
    """Files of an open slide, and the check that they do not change.

    Size, times, inode and device of the files are checked at every read and save. If
    they differ, the id is computed again: a different id means a different slide. The
    id is first computed at the first read or save, not at opening; files that change
    before that count as a different slide, because there is no id to compare. Files on
    a server are checked from time to time, by size, ETag and time. Thread-safe.

    Parameters
    ----------
    path : str
        Path or URL of the slide.

    Attributes
    ----------
    location : Location

    Raises
    ------
    SlideNotFoundError, UnsupportedSlideError, BrokenSlideError, SlideReadError
        If the slide does not exist or cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.location: Location = locate(path)
        self._where = self.location
        if not self.location.is_remote:  # the working directory may change
            absolute = os.path.abspath(self.location.path)  # noqa: PTH100
            self._where = replace(self.location, path=absolute)
        self._lock = threading.Lock()
        self._look_again = 0.0
        self._slow = 0
        self._id: str | None = None
        with slide_errors(path):
            self._files = files_of(self._where)
            self._watch = watch_of(self._where)
        self._stamp: _Stamp | None = _stamp(self._files)
        """State of the files at opening; None once a change was detected."""

    @property
    def id(self) -> str:
        """Id of the content; see `content_id.id_of`.

        Raises
        ------
        SlideChangedError
            If the files changed before the id was computed.
        """
        return self._id or self._ensure_id()

    def _ensure_id(self) -> str:
        with self._lock:
            if self._id is None:
                self._id = self._compute_first_id()
            return self._id

    def _compute_first_id(self) -> str:
        try:
            id_ = self._compute_id(self._content)
        except (WorkbenchError, OSError):
            self._require_as_opened()
            raise
        self._require_as_opened()
        return id_

    def _require_as_opened(self) -> None:
        """Refuse files that may have changed, as long as there is no id to compare."""
        self.require_untouched()
        if self._watch is not None and self._watch.differs(certainly=True):
            self._stamp = None
            raise SlideChangedError(self.path)

    def require_untouched(self) -> None:
        """Check that size and times of the local files are those at opening.

        Raises
        ------
        SlideChangedError
            If they are not.
        """
        if _stamp(self._files) != self._stamp:
            self._stamp = None
            raise SlideChangedError(self.path)

    @cached_property
    def _content(self) -> Content:
        with slide_errors(self.path):
            return content_of(self._where)

    def id_of(self, reader: Reader) -> str:
        """Return the id of the image that a reader shows; the scan has the file's."""
        image = None if reader.image == reader.default_image else reader.image
        if image is None:
            return self.id
        if self.location.kind == "zarr":  # an image that can be opened by its own path
            id_ = self._compute_id(content_of(self._where, image))
            self.require_unchanged()
            return id_
        return image_id(self.id, image)

    @cached_property
    def former(self) -> FormerIds:
        """Ids that earlier versions gave to the slide."""
        return former_ids(self._content)

    def require_unchanged(self, *, lately: bool = False) -> None:
        """Check that the files are still those that were opened.

        Parameters
        ----------
        lately : bool
            Accept a check within the last second, on a disk where checks are slow; of
            a file on a server, a check within the last 5 s.

        Raises
        ------
        SlideChangedError
            If they have changed, so that data of the slide is out of date.
        """
        if self._watch is not None and self._watch.is_due(lately=lately):
            self._ask(self._watch, lately=lately)
        began = monotonic()
        if lately and began < self._look_again:
            return
        stamp = _stamp(self._files)
        ended = monotonic()
        if self._slow or ended - began > _SLOW_S:
            self._update_pause(began, ended)
        if stamp != self._stamp or self._id is None:
            self._compare(stamp)

    def _ask(self, watch: RemoteWatch, *, lately: bool) -> None:
        """Check a server; other threads wait, so that none reads a different slide."""
        with self._lock:
            changed = self._stamp is None
            if not changed and watch.is_due(lately=lately):
                changed = self._is_replaced(watch)
            if changed:
                self._stamp = None
                raise SlideChangedError(self.path)

    def _is_replaced(self, watch: RemoteWatch) -> bool:
        """Return whether the server has a different slide than was opened."""
        if not watch.differs(certainly=self._id is None):
            return False
        try:
            if not self._has_same_id():
                return True
        except (WorkbenchError, OSError):
            return watch.differs()  # an unreachable server is no evidence
        watch.accept()
        return False

    def _update_pause(self, began: float, ended: float) -> None:
        """Check less often after several slow checks in a row."""
        self._slow = self._slow + 1 if ended - began > _SLOW_S else 0
        self._look_again = ended + _PAUSE_S if self._slow >= _SLOW_LOOKS else 0.0

    @contextmanager
    def hint_if_incomplete(self) -> Iterator[None]:
        """Context manager: add a hint to errors of a file that was just written."""
        try:
            yield
        except SlideError as error:
            written = (
                max((each[1] for each in self._stamp or () if each), default=0) / 1e9
            )
            if 0 <= time() - written < _JUST_S:
                hint = "It was modified just now: if it is being written, wait for it."
                WorkbenchError.__init__(error, error.message, f"{hint} {error.remedy}")
            raise

    def _is_same(self, stamp: _Stamp) -> bool:
        """Return whether the files have not changed.

        A file that was deleted while it is open can still be read; but not the chunks
        of a Zarr and tiles of a folder, which are opened one by one.
        """
        before = self._stamp
        if stamp == before:
            return True
        if before is None or self.location.kind in {"zarr", "tiles"}:
            return False
        pairs = zip(stamp, before, strict=True)
        return all(now is None or now == then for now, then in pairs)

    def _compare(self, stamp: _Stamp) -> None:
        """Compute the id, again if a file was modified or restored."""
        if not self._is_same(stamp):
            self._verify_id()
        elif self._id is None:
            self._ensure_id()

    def _verify_id(self) -> None:
        """Compute the id again; raise `SlideChangedError` if it is different."""
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
        """Return whether the current content has the id; False if there is no id."""
        if self._id is None:
            return False
        return self._id == self._compute_id(content_of(locate(self._where.path)))

    def _compute_id(self, content: Content) -> str:
        try:
            with slide_errors(self.path):
                return id_of(content)
        except SlideNotFoundError:
            raise
        except OSError as error:
            raise BrokenSlideError(self.path, str(error)) from error


def check_reads(reader: Reader, source: SlideSource) -> Reader:
    """Wrap a reader so that it only returns pixels of the content that was opened.

    After a change of the files it raises `SlideChangedError` in place of any result or
    other error.
    """
    return cast("Reader", _CheckedReader(reader, source))


class _CheckedReader:
    """Checks the files after every read of a reader."""

    def __init__(self, reader: Reader, source: SlideSource) -> None:
        self._reader = reader
        self._check = source.require_unchanged

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
        options: dict[str, Any] = {"reduction": reduction, "threads": threads}
        try:
            return self._reader.read_batch(
                level, origins, width, height, out=out, **options
            )
        finally:
            self._check(lately=True)

    def encoded_tile(
        self, level: int, column: int, row: int, *, wait: bool = True
    ) -> EncodedTile | None:
        try:
            return self._reader.encoded_tile(level, column, row, wait=wait)
        finally:
            self._check(lately=True)

    def read_planes(self, *place: Any, **options: Any) -> Any:
        try:
            return cast("Any", self._reader).read_planes(*place, **options)
        finally:
            self._check(lately=True)

    def associated(self, name: str) -> NDArray[np.uint8]:
        try:
            return self._reader.associated(name)
        finally:
            self._check(lately=True)


def files_of(location: Location) -> tuple[str, ...]:
    """Return the local files and folders that change with a slide."""
    if is_archived(location.path):
        return local_files(archive_of(location.path))
    files: tuple[str, ...] = _content_module(location).files_of(location)
    return files


def watch_of(location: Location) -> RemoteWatch | None:
    """Return the watch over the files of a slide on a server; None for local files."""
    if not location.is_remote:
        return None
    if is_archived(location.path):
        archive = archive_of(location.path)
        return None if local_files(archive) else RemoteWatch.of(archive)
    watch: RemoteWatch = _content_module(location).watch_of(location)
    return watch


def content_of(location: Location, *image: int) -> Content:
    """Return the content of a slide, the same for every path that opens it.

    With `image`, the content of one image of an OME-Zarr.
    """
    content: Content = _content_module(location).content_of(location, *image)
    return content


def _content_module(location: Location) -> Any:
    name, extra = _CONTENTS.get(location.kind, ("file_content", ""))
    return import_optional(f"workbench.slide.identity.{name}", location.path, extra)


def _stamp(files: tuple[str, ...]) -> _Stamp:
    """Return values that change if a file is replaced, written, cut or removed."""
    try:
        return tuple(map(_FACTS, map(os.stat, files)))  # at every read
    except OSError:
        return tuple(map(_file_stamp, files))


def _file_stamp(file: str) -> tuple[int, ...] | None:
    try:
        return _FACTS(os.stat(file))  # noqa: PTH116 - a plain string
    except OSError:
        return None
