"""Where an open slide comes from: its id, and whether its files are still the same."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from workbench.errors import (
    BrokenSlideError,
    SlideChangedError,
    SlideError,
    SlideNotFoundError,
    WorkbenchError,
)
from workbench.slide.former import FormerIds, former_ids
from workbench.slide.identity import id_of, image_id
from workbench.slide.location import Location, locate, optional, reaching

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from workbench.slide.identity import Content
    from workbench.slide.reader import EncodedTile, Reader

_SLOW_S: Final = 0.0002
_SLOW_LOOKS: Final = 8
"""So many looks in a row that take longer mean a network disk, not a busy machine."""

_PAUSE_S: Final = 1.0
_JUST_S: Final = 10.0

_CONTENTS: Final = {"dicom": ("dicom_content", "dicom"), "zarr": ("zarr_content", "")}
"""Which module knows the content of a kind, and the extra that it needs."""

_Stamp = tuple[tuple[int, ...] | None, ...]


class SlideSource:
    """The content of a slide, as it was when the slide was opened.

    Files are looked at (size, time, inode, device) whenever something is read or saved.
    Where one looks otherwise than before, the id is made again: another id means
    another slide. Safe from any number of threads.

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
        self._where = (
            path if self.location.is_remote else os.path.abspath(self.location.path)  # noqa: PTH100
        )
        self._lock = threading.Lock()
        self._look_again = 0.0
        self._slow = 0
        self._changed = False
        with reaching(path):
            self._content = content_of(self.location)
        self._stamp = _stamp(self._content.files)

    @cached_property
    def id(self) -> str:
        """What identifies the content; see `identity.id_of`."""
        found = self._made_id(self._content)
        if _stamp(self._content.files) != self._stamp:
            self._changed = True
            raise SlideChangedError(self.path)
        return found

    def id_of(self, reader: Reader) -> str:
        """Return the id of the image that a reader shows: of the scan, the file's."""
        image = None if reader.image == reader.default_image else reader.image
        if image is None:
            return self.id
        if self.location.kind == "zarr":  # a picture of its own, opened by its path too
            return self._made_id(content_of(self.location, image))
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
            A look within the last second will do, on a disk where looking is slow.

        Raises
        ------
        SlideChangedError
            If they are not: whatever is known of the slide speaks of what was there.
        """
        if not self._changed:
            began = time.monotonic()
            if lately and self._slow >= _SLOW_LOOKS and began < self._look_again:
                return
            same = self._is_same(_stamp(self._content.files))
            ended = time.monotonic()
            self._slow = self._slow + 1 if ended - began > _SLOW_S else 0
            self._look_again = ended + _PAUSE_S
            if same:
                return
            self._compare()
        if self._changed:
            raise SlideChangedError(self.path)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Add to why a file cannot be opened that it may not be complete yet."""
        try:
            yield
        except SlideError as error:
            written = max((each[1] for each in self._stamp if each), default=0) / 1e9
            if 0 <= time.time() - written < _JUST_S:
                hint = "It was written to just now: if that goes on, wait for its end."
                WorkbenchError.__init__(error, error.message, f"{hint} {error.remedy}")
            raise

    def _is_same(self, stamp: _Stamp) -> bool:
        """Tell whether files look as they did.

        One that is deleted while it is open can be read to its end; but not the chunks
        of a Zarr, which are opened one by one.
        """
        if stamp == self._stamp:
            return True
        if self.location.kind == "zarr":
            return False
        pairs = zip(stamp, self._stamp, strict=True)
        return all(now is None or now == before for now, before in pairs)

    def _compare(self) -> None:
        """Make the id again: a file may have been touched, or be back as it was."""
        with self._lock:
            stamp = _stamp(self._content.files)
            if self._changed or self._is_same(stamp):
                return
            known = self.__dict__.get("id")
            try:
                content = content_of(locate(self._where))
                same = known == self._made_id(content)
            except (WorkbenchError, OSError):
                same = False
            if same and _stamp(self._content.files) == stamp:
                self._content, self._stamp = content, stamp
            else:
                self._changed = True

    def _made_id(self, content: Content) -> str:
        try:
            with reaching(self.path):
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
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def read_batch(self, *place: Any, **how: Any) -> NDArray[np.uint8]:
        try:
            return self._reader.read_batch(*place, **how)
        finally:
            self._source.require_unchanged(lately=True)

    def encoded_tile(self, *place: Any, **how: Any) -> EncodedTile | None:
        try:
            return self._reader.encoded_tile(*place, **how)
        finally:
            self._source.require_unchanged(lately=True)

    def associated(self, name: str) -> NDArray[np.uint8]:
        try:
            return self._reader.associated(name)
        finally:
            self._source.require_unchanged(lately=True)


def content_of(location: Location, *image: int) -> Content:
    """Return what a slide consists of, the same for every way to name it.

    Or what one of its images does, of an OME-Zarr.
    """
    name, extra = _CONTENTS.get(location.kind, ("file_content", ""))
    module = optional(f"workbench.slide.{name}", location.path, extra)
    content: Content = getattr(module, name)(location, *image)
    return content


def _stamp(files: tuple[str, ...]) -> _Stamp:
    """Return what changes when a file is replaced, written over, cut or removed."""
    return tuple(map(_looks, files))


def _looks(file: str) -> tuple[int, ...] | None:
    try:
        facts = os.stat(file)  # noqa: PTH116 - at every read
    except OSError:
        return None
    times = facts.st_mtime_ns, facts.st_ctime_ns
    return facts.st_size, *times, facts.st_ino, facts.st_dev
