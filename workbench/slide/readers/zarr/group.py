"""Images in an OME-Zarr group, in any store (folder, ZIP file, URL)."""

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
    from typing import Self

    from workbench.slide.location import Location

METADATA: Final = ("zarr.json", ".zgroup", ".zattrs", ".zmetadata", ".zarray")
"""Names of the files that describe groups and arrays."""

_METADATA_ERRORS: Final = (TypeError, ValueError, LookupError, AttributeError)
"""Errors that invalid metadata cause."""

_MOST_IMAGES: Final = 64
_CONTAINER: Final = "bioformats2raw.layout"
_BESIDE: Final = ("label", "macro", "thumbnail", "overview")
"""Words in the names of associated images."""

_KINDS: Final = (
    ("plate", "it is an HCS plate: many wells, each with its own images"),
    ("well", "it is a well of an HCS plate, which holds several images"),
    ("image-label", "it is a label image: numbers of objects, not colours"),
    ("labels", "it holds label images: numbers of objects, not colours"),
)


@dataclass(frozen=True, slots=True)
class ZarrImage:
    """An image of several resolutions in a group."""

    key: str
    """Key in the store; empty for the group itself."""

    about: dict[str, Any]
    """First entry of "multiscales"."""

    omero: dict[str, Any]
    """Display settings ("omero"); empty if absent."""

    version: str
    arrays: tuple[Any, ...]
    """The resolutions, largest first."""

    @property
    def name(self) -> str:
        """Name, or the key if it has none."""
        return str(self.about.get("name") or self.key)

    @property
    def is_associated(self) -> bool:
        """Whether its name is that of a label, macro or thumbnail."""
        return any(word in self.name.lower() for word in _BESIDE)

    @property
    def paths(self) -> list[str]:
        """Paths of the resolutions in the group of the image."""
        return [str(data["path"]) for data in self.about["datasets"]]

    @property
    def axes(self) -> list[str]:
        """Names of the dimensions in order, one letter each."""
        given = self.about.get("axes") or "tczyx"[-self.arrays[0].ndim :]
        return [str(a["name"] if isinstance(a, dict) else a) for a in given]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the largest resolution."""
        shape = dict(zip(self.axes, self.arrays[0].shape, strict=True))
        return int(shape["x"]), int(shape["y"])


@dataclass(frozen=True, slots=True)
class Store:
    """A group, and the file system for reading its files directly."""

    group: Any
    system: Any
    root: str
    """Path of the group in the file system."""

    files: tuple[str, ...]
    """Local files that the group consists of, such as a ZIP file."""

    def path(self, key: str) -> str:
        """Return the path of the file of a key."""
        return "/".join(part for part in (self.root, key) if part)


class _RemoteStore(zarr.storage.FsspecStore):  # type: ignore[misc] # untyped here
    """A store that requests metadata once, and treats "forbidden" there as "not found".

    Buckets without permission to list answer so for missing keys. For chunks it stays
    an error: the permission may have expired, and missing chunks must not become
    background.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._metadata: dict[str, bytes | None] = {}

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the store at a URL; it shares the metadata that others have read."""
        store: Self = cls.from_url(location.path.rstrip("/"), read_only=True)
        store._metadata = location.metadata
        return store

    async def get(self, key: str, prototype: Any, *ranges: Any, **more: Any) -> Any:
        if key.rpartition("/")[2] not in METADATA:
            return await super().get(key, prototype, *ranges, **more)
        if key not in self._metadata:
            self._metadata[key] = await self._request(key, prototype)
        content = self._metadata[key]
        return None if content is None else prototype.buffer.from_bytes(content)

    async def _request(self, key: str, prototype: Any) -> bytes | None:
        try:
            buffer = await super().get(key, prototype)
        except Exception as error:
            if is_absent(error):
                return None
            raise
        return None if buffer is None else bytes(buffer.to_bytes())


def open_store(location: Location) -> Store:
    """Open the group at a folder, a ZIP file or a URL.

    Raises
    ------
    SlideNotFoundError, UnsupportedSlideError, BrokenSlideError, SlideReadError
        If there is no group, or it cannot be read.
    """
    path = location.path
    with slide_errors(path):
        try:
            if location.is_remote:
                system, root = fsspec.core.url_to_fs(path)
                group = zarr.open_group(_RemoteStore.at(location), mode="r")
                return Store(group, system, root.rstrip("/"), ())
            if os.path.isfile(path):  # noqa: PTH113
                return _open_zip(path)
            root = str(Path(path).absolute())
            system = fsspec.filesystem("file")
            return Store(zarr.open_group(root, mode="r"), system, root, ())
        except (*_METADATA_ERRORS, zipfile.BadZipFile) as error:
            if "rotocol" in str(error):  # unknown protocol of the URL
                raise
            raise _broken_metadata(path, error) from error


def _open_zip(path: str) -> Store:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith(("zarr.json", ".zgroup"))]
    if not names:
        reason = "it is a ZIP file without an OME-Zarr in it"
        remedy = "Unpack it; or open an uncompressed TIFF in it with"
        raise UnsupportedSlideError(path, reason, f"{remedy} zip://NAME::{path}.")
    root = min(names, key=lambda name: (name.count("/"), name)).rpartition("/")[0]
    store = zarr.storage.ZipStore(path, mode="r", read_only=True)
    group = zarr.open_group(store, path=root, mode="r")
    return Store(group, ZipFileSystem(fo=path), root, (str(Path(path).absolute()),))


def images_in(store: Store, path: str) -> list[ZarrImage]:
    """Return the images of a group in its order.

    Parameters
    ----------
    store : Store
    path : str
        Path of the slide, for error messages.

    Raises
    ------
    UnsupportedSlideError
        If there is none, or the group is of another kind.
    BrokenSlideError
        If the metadata is invalid or contradictory.
    """
    with slide_errors(path):
        try:
            images = _read_images(store.group, path)
        except _METADATA_ERRORS as error:
            raise _broken_metadata(path, error) from error
    if not images:
        reason = "it is a Zarr group without an OME image ('multiscales')"
        raise UnsupportedSlideError(path, reason)
    return images


def _broken_metadata(path: str, error: Exception) -> BrokenSlideError:
    reason = str(error) or type(error).__name__
    return BrokenSlideError(path, f"its OME-Zarr metadata: {reason}")


def _read_images(group: Any, path: str) -> list[ZarrImage]:
    ome = _ome(group)
    if "multiscales" in ome and "image-label" not in ome:
        return [_read_image(group, "", path)]
    for name, reason in _KINDS:
        if name in ome:
            remedy = "Open one of its images by the path of the image's folder."
            raise UnsupportedSlideError(path, reason, remedy)
    return [_read_image(group[key], key, path) for key in _series_keys(group, ome)]


def _series_keys(group: Any, ome: dict[str, Any]) -> list[str]:
    """Return the keys of the images in a container, as listed, else as numbered."""
    named: list[str] = []
    if _CONTAINER in ome and "OME" in group:
        named = [str(key) for key in _ome(group["OME"]).get("series", [])]
    numbered = (str(number) for number in range(_MOST_IMAGES))
    keys = []
    for key in named[:_MOST_IMAGES] or numbered:
        if key in group and isinstance(group[key], zarr.Group):
            if "multiscales" in _ome(group[key]):
                keys.append(key)
        elif not named:
            break
    return keys


def _ome(group: Any) -> dict[str, Any]:
    attributes = dict(group.attrs)
    return dict(attributes.get("ome") or attributes)


def _read_image(group: Any, key: str, path: str) -> ZarrImage:
    ome = _ome(group)
    about = dict(ome["multiscales"][0])
    arrays = [group[str(data["path"])] for data in about["datasets"]]
    if not arrays or not all(isinstance(array, zarr.Array) for array in arrays):
        raise BrokenSlideError(path, "a resolution in its metadata is not an array")
    version = str(ome.get("version") or about.get("version") or "")
    omero = dict(ome.get("omero") or {})
    image = ZarrImage(key, about, omero, version, tuple(arrays))
    _check_axes(image, path)
    return image


def _check_axes(image: ZarrImage, path: str) -> None:
    axes = image.axes
    known = len(set(axes)) == len(axes) and {"x", "y"} <= set(axes) <= set("tczyx")
    if not known or any(array.ndim != len(axes) for array in image.arrays):
        reason = f"axes {''.join(axes)} for {image.arrays[0].ndim} dimensions"
        raise BrokenSlideError(path, reason)
    if min(side for array in image.arrays for side in array.shape) < 1:
        raise BrokenSlideError(path, "one of its resolutions has no pixels")


def default_image(images: Sequence[ZarrImage]) -> int:
    """Return the number of the default image: the largest that is not associated."""
    ranks = [(each.is_associated, -math.prod(each.size)) for each in images]
    return ranks.index(min(ranks))
