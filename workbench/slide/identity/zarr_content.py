"""Content of an OME-Zarr: its metadata and its chunks.

Chunks are read by their keys, which follow from the shape, so this also works for
stores that cannot be listed.
"""

from __future__ import annotations

import hashlib
import json
import math
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.slide.identity.content_id import GOLDEN, WHOLE_BYTES, Content
from workbench.slide.identity.remote_watch import RemoteWatch
from workbench.slide.location import is_absent
from workbench.slide.readers.zarr.group import (
    METADATA,
    default_image,
    images_in,
    open_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workbench.slide.location import Location
    from workbench.slide.readers.zarr.group import Store, ZarrImage

_WHOLE: Final = 3 * WHOLE_BYTES
"""Maximum uncompressed size of an image that is hashed completely; compressed, it is
about `WHOLE_BYTES`."""

_FEWEST: Final = 32
_MOST: Final = 512
_AT_ONCE: Final = 64
_TAIL: Final = 1 << 20
"""Bytes at the end of a shard, which list offset and length of all its chunks."""

_LARGE: Final = 4 << 20
"""Size in bytes above which only the end of a file is read."""

_MOST_WHOLE: Final = 20_000
_WATCHED: Final = 64
_ASKED: Final = 4
"""Chunks on a server that are watched."""

_V3: Final = 3

_Chunk = tuple[str, int | None]
"""A key, and the start of the range to read; None: the whole file."""


def files_of(location: Location) -> tuple[str, ...]:
    """Return the files checked for changes: metadata, some chunks and their folders.

    Or the ZIP file that it is. Raises as `content_of` does.
    """
    if location.is_remote:
        return ()
    store = open_store(location)
    if store.files:
        return store.files
    image = _default_image_in(store, location)
    groups = [image.key, *(_join(image.key, path) for path in image.paths)]
    metadata = [store.path(_join(key, name)) for key in groups for name in METADATA]
    chunks = list(_chunks(image))
    some = [store.path(key) for key, _ in chunks[:: len(chunks) // _WATCHED + 1]]
    folders = dict.fromkeys(path.rpartition("/")[0] for path in some)
    return (*metadata, *some, *folders)


def watch_of(location: Location) -> RemoteWatch:
    """Return the watch over a group on a server: its metadata and a few chunks.

    Raises
    ------
    SlideError
        If there is none.
    """
    store = open_store(location)
    image = _default_image_in(store, location)
    newer = image.arrays[0].metadata.zarr_format == _V3
    group, array = ("zarr.json", "zarr.json") if newer else (".zattrs", ".zarray")
    metadata = [
        _join(image.key, group),
        _join(image.key, image.paths[0], array),
    ]
    chunks = list(_chunks(image))
    some = [key for key, _ in chunks[:: len(chunks) // _ASKED + 1]]
    return RemoteWatch(store.system, [store.path(key) for key in (*metadata, *some)])


def _default_image_in(store: Store, location: Location) -> ZarrImage:
    images = images_in(store, location.path)
    return images[default_image(images)]


def content_of(location: Location, image: int | None = None) -> Content:
    """Return the content of the slide in a group, or of one of its images.

    Raises
    ------
    SlideError
        If the group holds no slide.
    OSError
        If it cannot be read.
    """
    store = open_store(location)
    images = images_in(store, location.path)
    shown = images[default_image(images) if image is None else image]
    metadata = {
        "about": shown.about,
        "arrays": [array.metadata.to_dict() for array in shown.arrays],
    }
    facts = [json.dumps(metadata, sort_keys=True, default=str).encode()]
    facts += _digests(store, _chunks(shown))
    local = not location.is_remote and not store.files
    return Content(
        (),
        b"\n".join(facts),
        compressed=all(bool(array.compressors) for array in shown.arrays),
        former_paths=(store.root, store.path(shown.key)) if local else (),
    )


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def _chunks(image: ZarrImage) -> Iterator[_Chunk]:
    """Yield the chunks to hash: all of a small image, else some of each level.

    Coarse levels come first and are read completely while they are small, because they
    summarize the finer ones.
    """
    grids = [_grid(array) for array in image.arrays]
    small = (
        sum(math.prod(array.shape) * array.dtype.itemsize for array in image.arrays)
        <= _WHOLE
        and sum(math.prod(counts) for counts, _ in grids) <= _MOST_WHOLE
    )
    levels = list(zip(image.paths, image.arrays, grids, strict=True))
    for path, array, (counts, each) in reversed(levels):
        total = math.prod(counts)
        affordable = WHOLE_BYTES // (2 * min(each, _TAIL))
        wanted = total if small else min(total, max(_FEWEST, min(_MOST, affordable)))
        for number in range(wanted):
            # One in each of equal parts, at a fixed position that is not periodic.
            within = (number + 1) * GOLDEN % (1 << 64) * total // (1 << 64)
            index = (number * total + within) // wanted
            position = tuple(int(i) for i in np.unravel_index(index, counts))
            key = array.metadata.encode_chunk_key(position)
            whole = small or each <= _LARGE
            yield _join(image.key, path, key), None if whole else -_TAIL


def _grid(array: Any) -> tuple[list[int], int]:
    """Return the number of files along each axis, and the bytes of pixels in each."""
    shape = array.shards or array.chunks
    counts = [-(-n // c) for n, c in zip(array.shape, shape, strict=True)]
    return counts, math.prod(shape) * int(array.dtype.itemsize)


def _digests(store: Store, chunks: Iterable[_Chunk]) -> Iterator[bytes]:
    """Yield the hash of the file of each chunk; empty for a missing one."""
    waiting = iter(chunks)
    while group := list(islice(waiting, _AT_ONCE)):
        paths = [store.path(key) for key, _ in group]
        starts = [start for _, start in group]
        ends: list[int | None] = [None] * len(group)
        for data in store.system.cat_ranges(paths, starts, ends, on_error="return"):
            if not isinstance(data, Exception):
                yield hashlib.sha256(data).digest()
            elif is_absent(data):
                yield b""
            else:
                raise data
