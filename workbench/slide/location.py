"""Location of a slide (path or URL) and the kind of its content."""

from __future__ import annotations

import importlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote

import fsspec
from fsspec.archive import AbstractArchiveFileSystem

from workbench.errors import (
    BrokenSlideError,
    SlideNotFoundError,
    SlideReadError,
    UnsupportedSlideError,
    WorkbenchError,
)
from workbench.slide.readers.dicom.web_address import is_series
from workbench.slide.readers.tiles.recognition import descriptor_at, holds_pictures
from workbench.slide.zip_member import is_archived

Kind = Literal[
    "tiff",
    "dicom",
    "dicomweb",
    "zarr",
    "image",
    "tiles",
    "openslide",
    "fastslide",
]

_HEAD: Final = 512
_TIFF: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_IMAGES: Final = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"BM",
    b"GIF8",
    b"RIFF",
    b"\0\0\0\x0cjP  ",
)
_LOCAL: Final = ("file://", "local://")
_GROUP: Final = ("zarr.json", ".zgroup", ".zattrs")
"""A Zarr group has at least one of these files."""

_MIRAX_INDEX: Final = "Slidedat.ini"
_FASTSLIDE: Final = (".isyntax", ".vsi")
"""Suffixes of formats that only fastslide reads; a VSI is a TIFF by its content."""

_TILE_LISTS: Final = (".dzi", ".csv")
"""Suffixes of files that say where the tiles in a folder lie."""

_ABSENT_STATUS: Final = (403, 404, 410)
_NO_FILE: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


@dataclass(frozen=True, slots=True)
class Location:
    """A path or URL in the form that libraries accept, and the kind of its content."""

    path: str
    """A path on disk, or an fsspec URL that does not begin with "file://"."""

    kind: Kind
    metadata: dict[str, bytes | None] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Metadata files of a Zarr group on a server that have been read, by key, so that
    opening requests each once; None: it does not exist."""

    @property
    def is_remote(self) -> bool:
        """Whether it is an fsspec URL, not a local file."""
        return is_url(self.path)


def locate(path: str) -> Location:
    """Return the location of a slide and the kind of its content.

    Raises
    ------
    SlideNotFoundError, UnsupportedSlideError, BrokenSlideError, SlideReadError
        If the slide does not exist, has an unsupported kind, or cannot be read.
    """
    path = _on_disk(path)
    if is_series(path):
        return Location(path, "dicomweb")
    if is_url(path):
        metadata: dict[str, bytes | None] = {}
        return Location(path, _remote_kind(path, metadata), metadata)
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - any text, "\0" too
    except (OSError, ValueError) as error:
        raise SlideNotFoundError(path) from error
    if stat.S_ISDIR(mode):
        return _folder(Path(path))
    if not stat.S_ISREG(mode):
        raise UnsupportedSlideError(path, "it is neither a file nor a folder")
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise BrokenSlideError(path, error.strerror or str(error)) from error
    if path.lower().endswith(".mrxs"):  # a JPEG thumbnail; the slide is in a folder
        return Location(path, "openslide")
    if path.lower().endswith(_TILE_LISTS):
        return Location(path, "tiles")
    if path.lower().endswith(_FASTSLIDE):
        return Location(path, "fastslide")
    return Location(path, _kind_of(head) or "openslide")


def is_url(path: str) -> bool:
    """Return whether a path is an fsspec URL rather than a local file."""
    return "://" in path and not os.path.exists(path)  # noqa: PTH110 - any text


def local_files(path: str) -> tuple[str, ...]:
    """Return the local file of a path or file URL; empty for other URLs."""
    path = _on_disk(path)
    return () if is_url(path) else (os.path.abspath(path),)  # noqa: PTH100


def _on_disk(path: str) -> str:
    """Return the local path of a file URL; any other path unchanged."""
    for prefix in _LOCAL:
        if path.startswith(prefix) and "::" not in path:
            plain = path.removeprefix(prefix).removeprefix("localhost")
            # fsspec takes such paths literally; other programs quote them.
            return plain if os.path.exists(plain) else unquote(plain)  # noqa: PTH110
    return path


def _folder(path: Path) -> Location:
    if any((path / name).exists() for name in _GROUP):
        return Location(str(path), "zarr")
    slide = path.with_suffix(".mrxs")
    if (path / _MIRAX_INDEX).exists() and slide.is_file():
        return Location(str(slide), "openslide")
    tiles = descriptor_at(path) is not None or holds_pictures(path)
    return Location(str(path), "tiles" if tiles else "dicom")


def _kind_of(head: bytes) -> Kind | None:
    if head.startswith(_TIFF):
        return "tiff"
    if head[128:132] == b"DICM":
        return "dicom"
    if head.startswith(b"PK\x03\x04"):
        return "zarr"
    return "image" if head.startswith(_IMAGES) else None


def _remote_kind(url: str, metadata: dict[str, bytes | None]) -> Kind:
    """Return the kind of the content at a URL: a file by its head, or a Zarr group.

    Metadata files that are read are added to `metadata`.
    """
    with slide_errors(url):
        system, root = fsspec.core.url_to_fs(url)
        if ".zarr" in url and _is_group(system, root, metadata):
            return "zarr"
        head = _head(system, root)
        kind = _kind_of(head)
        if kind == "tiff":
            if isinstance(system, AbstractArchiveFileSystem) and not is_archived(url):
                reason = "it is in an archive, and only ZIP archives are read in place"
                raise UnsupportedSlideError(url, reason, "Unpack it and open the file.")
            return kind
        if _is_group(system, root, metadata):
            return "zarr"
        if not head:
            raise SlideNotFoundError(url)
    raise UnsupportedSlideError(
        url,
        "only TIFF and OME-Zarr are read over a network",
        "Copy it to a local disk, with all files that belong to it.",
    )


def _is_group(system: Any, root: str, metadata: dict[str, bytes | None]) -> bool:
    """Return whether a path is a Zarr group, without listing its content."""
    folder = f"{root.rstrip('/')}/" if root else ""
    for name in _GROUP:
        if name not in metadata:
            metadata[name] = _content(system, folder + name)
        if (metadata[name] or b"").lstrip()[:1] == b"{":
            return True
    return False


def _content(system: Any, path: str) -> bytes | None:
    """Return the content of a file; None if it does not exist."""
    try:
        return bytes(system.cat_file(path))
    except Exception as error:
        if is_absent(error):
            return None
        raise


def _head(system: Any, path: str) -> bytes:
    try:
        with system.open(path, "rb") as file:
            return bytes(file.read(_HEAD))
    except Exception as error:
        if is_absent(error):
            return b""
        raise


def is_absent(error: Exception) -> bool:
    """Return whether an error means that the file does not exist.

    Buckets without permission to list answer 403 for a missing key.
    """
    absent = isinstance(error, (*_NO_FILE, KeyError, PermissionError))
    return absent or getattr(error, "status", 0) in _ABSENT_STATUS


def import_optional(module: str, path: str, extra: str) -> Any:
    """Import a module of the workbench that needs an optional library.

    Raises
    ------
    UnsupportedSlideError
        If the library is not installed; it names the extra to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnsupportedSlideError(
            path,
            f"it needs a library that is not installed ({error.name})",
            f"pip install 'slide-workbench[{extra}]'",
        ) from error


class slide_errors:  # noqa: N801 - a context manager, used as a function
    """Context manager: converts errors of fsspec and its libraries to slide errors.

    Parameters
    ----------
    path : str
        The slide that the error names.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        """Enter the context."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise a slide error in place of a library's."""
        if not isinstance(error, Exception) or isinstance(error, WorkbenchError):
            return
        if isinstance(error, _NO_FILE):
            raise SlideNotFoundError(self.path) from error
        reason = str(error) or type(error).__name__
        if isinstance(error, ImportError):
            remedy = f"Install the missing library: {reason}."
            reason = "a library for this kind of URL is not installed"
            raise UnsupportedSlideError(self.path, reason, remedy) from error
        if isinstance(error, ValueError) and "rotocol" in reason:
            raise UnsupportedSlideError(
                self.path, reason, "Check the protocol of the URL."
            ) from error
        raise SlideReadError(self.path, "the beginning", reason) from error
