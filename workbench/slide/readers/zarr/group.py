"""Groups of Zarr: where the pictures are in one, whatever store it lies in."""

from __future__ import annotations

import math
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import fsspec
import zarr
from fsspec.implementations.zip import ZipFileSystem

from workbench.errors import BrokenSlideError, UnsupportedSlideError
from workbench.slide.location import is_absent, slide_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.slide.location import Location

METADATA: Final = ("zarr.json", ".zgroup", ".zattrs", ".zmetadata", ".zarray")
"""Names of the files that describe groups and arrays."""

_MISFITS: Final = (TypeError, ValueError, LookupError, AttributeError)
"""What metadata that are not as they should be provoke."""

_MOST_IMAGES: Final = 64
_CONTAINER: Final = "bioformats2raw.layout"
_BESIDE: Final = ("label", "macro", "thumbnail", "overview")
"""Names of pictures that are of the glass, or of the slide in small."""

_KINDS: Final = (
    ("plate", "it is an HCS plate: many wells, each with pictures of its own"),
    ("well", "it is a well of an HCS plate, which holds several pictures"),
    ("image-label", "it is a label image: numbers of objects, not colours"),
    ("labels", "it holds label images: numbers of objects, not colours"),
)


@dataclass(frozen=True, slots=True)
class ZarrPicture:
    """A picture of several resolutions in a group."""

    key: str
    """Its place in the store; empty for the group itself."""

    about: dict[str, Any]
    """Its first entry of "multiscales"."""

    omero: dict[str, Any]
    """How it is to be shown, if that is said."""

    version: str
    arrays: tuple[Any, ...]
    """The resolutions, the largest first."""

    @property
    def name(self) -> str:
        """What it is called, or its place."""
        return str(self.about.get("name") or self.key)

    @property
    def is_associated(self) -> bool:
        """Whether it is called a picture of the glass, or of the slide in small."""
        return any(word in self.name.lower() for word in _BESIDE)

    @property
    def paths(self) -> list[str]:
        """Where the resolutions lie in the picture's group."""
        return [str(data["path"]) for data in self.about["datasets"]]

    @property
    def axes(self) -> list[str]:
        """The names of its dimensions in order, one letter each."""
        given = self.about.get("axes") or "tczyx"[-self.arrays[0].ndim :]
        return [str(a["name"] if isinstance(a, dict) else a) for a in given]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the largest resolution."""
        shape = dict(zip(self.axes, self.arrays[0].shape, strict=True))
        return int(shape["x"]), int(shape["y"])


@dataclass(frozen=True, slots=True)
class Store:
    """Where a group lies: for zarr, and for reading its files one by one."""

    group: Any
    system: Any
    root: str
    """Of the group, in the file system."""

    files: tuple[str, ...]
    """Local files that always belong to it."""

    def path(self, key: str) -> str:
        """Return where the file of a key lies."""
        return "/".join(part for part in (self.root, key) if part)


class _RemoteStore(zarr.storage.FsspecStore):  # type: ignore[misc] # untyped here
    """A store that may say "forbidden" of metadata that it does not hold.

    Buckets that may not be listed do so. Of chunks that stays an error: it may be that
    the permission has run out, and no part of a slide is to be made up.
    """

    async def get(self, key: str, *how: Any, **more: Any) -> Any:
        try:
            return await super().get(key, *how, **more)
        except Exception as error:
            if key.rpartition("/")[2] in METADATA and is_absent(error):
                return None
            raise


def open_store(location: Location) -> Store:
    """Open the group at a folder, a ZIP file or a URL.

    Raises
    ------
    SlideNotFoundError, UnsupportedSlideError, BrokenSlideError, SlideReadError
    """
    path = location.path
    with slide_errors(path):
        try:
            if location.is_remote:
                system, root = fsspec.core.url_to_fs(path)
                remote = _RemoteStore.from_url(path.rstrip("/"), read_only=True)
                group = zarr.open_group(remote, mode="r")
                return Store(group, system, root.rstrip("/"), ())
            if os.path.isfile(path):  # noqa: PTH113
                return _zipped(path)
            root = str(Path(path).absolute())
            system = fsspec.filesystem("file")
            return Store(zarr.open_group(root, mode="r"), system, root, ())
        except (*_MISFITS, zipfile.BadZipFile) as error:
            if "rotocol" in str(error):  # of the address
                raise
            raise _broken(path, error) from error


def _zipped(path: str) -> Store:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith(("zarr.json", ".zgroup"))]
    if not names:
        reason = "it is a ZIP file without an OME-Zarr in it"
        remedy = "Unpack it; or open a TIFF in it that is not compressed there, by"
        raise UnsupportedSlideError(path, reason, f"{remedy} zip://NAME::{path}.")
    root = min(names, key=lambda name: (name.count("/"), name)).rpartition("/")[0]
    store = zarr.storage.ZipStore(path, mode="r", read_only=True)
    group = zarr.open_group(store, path=root, mode="r")
    return Store(group, ZipFileSystem(fo=path), root, (str(Path(path).absolute()),))


def pictures_in(store: Store, path: str) -> list[ZarrPicture]:
    """Return the pictures of a group in its order.

    Parameters
    ----------
    store : Store
    path : str
        By which the group was named.

    Raises
    ------
    UnsupportedSlideError
        If there is none, or the group is of another kind.
    BrokenSlideError
        If what it says does not agree.
    """
    with slide_errors(path):
        try:
            found = _pictures(store.group, path)
        except _MISFITS as error:
            raise _broken(path, error) from error
    if not found:
        reason = "it is a Zarr group without an OME image ('multiscales')"
        raise UnsupportedSlideError(path, reason)
    return found


def _broken(path: str, error: Exception) -> BrokenSlideError:
    reason = str(error) or type(error).__name__
    return BrokenSlideError(path, f"its OME-Zarr metadata: {reason}")


def _pictures(group: Any, path: str) -> list[ZarrPicture]:
    ome = _ome(group)
    if "multiscales" in ome and "image-label" not in ome:
        return [_picture(group, "", path)]
    for name, reason in _KINDS:
        if name in ome:
            remedy = "Open one of the pictures in it, by the path of its own folder."
            raise UnsupportedSlideError(path, reason, remedy)
    return [_picture(group[key], key, path) for key in _series(group, ome)]


def _series(group: Any, ome: dict[str, Any]) -> list[str]:
    """Return where the pictures of a container lie: as it says, else as numbered."""
    named: list[str] = []
    if _CONTAINER in ome and "OME" in group:
        named = [str(key) for key in _ome(group["OME"]).get("series", [])]
    numbered = (str(number) for number in range(_MOST_IMAGES))
    found = []
    for key in named[:_MOST_IMAGES] or numbered:
        if key in group and isinstance(group[key], zarr.Group):
            if "multiscales" in _ome(group[key]):
                found.append(key)
        elif not named:
            break
    return found


def _ome(group: Any) -> dict[str, Any]:
    attributes = dict(group.attrs)
    return dict(attributes.get("ome") or attributes)


def _picture(group: Any, key: str, path: str) -> ZarrPicture:
    ome = _ome(group)
    about = dict(ome["multiscales"][0])
    arrays = [group[str(data["path"])] for data in about["datasets"]]
    if not arrays or not all(isinstance(array, zarr.Array) for array in arrays):
        raise BrokenSlideError(path, "a resolution that it names is no array")
    version = str(ome.get("version") or about.get("version") or "")
    omero = dict(ome.get("omero") or {})
    picture = ZarrPicture(key, about, omero, version, tuple(arrays))
    _check_axes(picture, path)
    return picture


def _check_axes(picture: ZarrPicture, path: str) -> None:
    axes = picture.axes
    known = len(set(axes)) == len(axes) and {"x", "y"} <= set(axes) <= set("tczyx")
    if not known or any(array.ndim != len(axes) for array in picture.arrays):
        reason = f"axes {''.join(axes)} for {picture.arrays[0].ndim} dimensions"
        raise BrokenSlideError(path, reason)
    if min(side for array in picture.arrays for side in array.shape) < 1:
        raise BrokenSlideError(path, "a resolution of it has no pixels")


def default_of(pictures: Sequence[ZarrPicture]) -> int:
    """Return the number of the slide: the largest that is not of the glass."""
    ranks = [(each.is_associated, -math.prod(each.size)) for each in pictures]
    return ranks.index(min(ranks))
