"""Addresses of the chunks of an HDF5 data set, read from its B-tree all at once.

HDF5 hands the chunks to a Python function one by one, at more than a microsecond each;
TRIDENT stores a chunk for each tile. The format is that of version 1 B-trees, which
h5py writes unless `libver` says otherwise ("HDF5 File Format Specification", version
3.0, sections III.A.1 and IV.A.2.i).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEADER: Final = struct.Struct("<BxHII4x")
"""Version, number of messages, references, and size of an object header."""

_MESSAGE: Final = struct.Struct("<HH4x")
_LAYOUT: Final = 8
_CONTINUED: Final = 16
_CHUNKED: Final = b"\x03\x02"
"""Version 3 of a layout message, of chunks in a version 1 B-tree."""

_NODE: Final = 24
_SLACK: Final = 64
"""Largest number of places in nodes for each chunk; a tree with more is damaged."""

_DEEPEST: Final = 16
"""Largest number of levels of a tree that is read."""


def chunk_addresses(
    content: NDArray[np.uint8], data: h5py.Dataset
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return the first row and the address of each chunk; None: another kind of index.

    Parameters
    ----------
    content : uint8 (bytes,)
        The whole file.
    data : h5py.Dataset
        In chunks of whole rows.
    """
    try:
        root = _root(content, int(h5py.h5o.get_info(data.id).addr), data.ndim)
        return None if root is None else _leaves(content, root, data)
    except (
        IndexError,
        ValueError,
        RuntimeError,
        struct.error,
    ):  # HDF5 itself says what is wrong
        return None


def _root(content: NDArray[np.uint8], address: int, rank: int) -> int | None:
    """Return the address of the root of the B-tree, from the layout message."""
    version, messages, _, size = _HEADER.unpack(_bytes(content, address, _HEADER.size))
    if version != 1:
        return None
    blocks = [(address + _HEADER.size, size)]
    for place, length in blocks:  # which grows
        if len(blocks) > messages:
            return None
        at = place
        while at < place + length:
            kind, size = _MESSAGE.unpack(_bytes(content, at, _MESSAGE.size))
            body = _bytes(content, at + _MESSAGE.size, size)
            if kind == _CONTINUED:
                blocks.append(struct.unpack("<QQ", body[:16]))
            if kind == _LAYOUT:
                known = body[:2] == _CHUNKED and body[2] == rank + 1
                return int(struct.unpack("<Q", body[3:11])[0]) if known else None
            at += _MESSAGE.size + size
    return None


def _leaves(
    content: NDArray[np.uint8], root: int, data: h5py.Dataset
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return the first row and the address of each chunk, level by level."""
    key = 8 * (data.ndim + 2)  # size, filters, a place in each axis and in the element
    entry = np.dtype(
        {
            "names": ["row", "child"],
            "formats": ["<i8", "<i8"],
            "offsets": [8, key],
            "itemsize": key + 8,
        }
    )
    nodes = np.array([root], np.int64)
    most = -(-data.shape[0] // data.chunks[0])
    for _ in range(_DEEPEST):
        heads = sliding_window_view(content, _NODE)[nodes]
        if (heads[:, :5] != np.frombuffer(b"TREE\x01", np.uint8)).any():
            return None
        used = heads[:, 6:8].copy().view("<u2").reshape(-1)
        room = int(used.max()) * len(nodes)
        if not room or used.sum(dtype=np.int64) > most or room > _SLACK * most + _NODE:
            return None
        length = int(used.max()) * entry.itemsize
        parts = sliding_window_view(content, length)[nodes + _NODE]
        entries = parts.copy().view(entry)[np.arange(used.max()) < used[:, None]]
        if not heads[:, 5].any():
            return entries["row"], entries["child"]
        nodes = entries["child"].astype(np.int64)
    return None


def _bytes(content: NDArray[np.uint8], at: int, length: int) -> Any:
    return content[at : at + length].tobytes()
