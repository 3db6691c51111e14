"""Rows of an HDF5 data set, memory-mapped where they are stored plainly.

Tools of the field store vectors in chunks of one row (TRIDENT) or 32 (CLAM), without
compression. Reading such a chunk through HDF5 costs a look-up in its B-tree; a table
of the chunks' addresses makes it a copy of memory.
"""

from __future__ import annotations

import threading
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workbench.errors import FeaturesError
from workbench.features.h5_chunks import chunk_addresses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.features.rows import Rows


def h5_rows(path: Path, data: h5py.Dataset) -> Rows:
    """Return the rows of a data set; the file may be closed afterwards."""
    plan = data.id.get_create_plist()
    plain = not plan.get_nfilters() and not data.file.userblock_size and data.size
    if plain and plan.get_layout() == h5py.h5d.CONTIGUOUS:
        start = data.id.get_offset()
        if start is not None:
            return np.memmap(path, data.dtype, "r", start, data.shape)
    if plain and data.chunks and data.chunks[1:] == data.shape[1:]:
        return _ChunkedRows(path, data)
    return _StoredRows(path, data)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[h5py.Dataset]:
    """Open a data set again, in a file that was readable before."""
    try:
        with h5py.File(path, "r") as file:
            yield file[name]
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise FeaturesError(path, f"rows cannot be read ({error})") from error


class _StoredRows:
    """Rows that HDF5 reads, such as compressed ones."""

    def __init__(self, path: Path, data: h5py.Dataset) -> None:
        self.shape: tuple[int, ...] = data.shape
        self.dtype: np.dtype[Any] = data.dtype
        self._path, self._name = path, data.name

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[Any]:
        with _opened(self._path, self._name) as data:
            if isinstance(rows, slice):
                return np.asarray(data[rows])
            # HDF5 takes ascending numbers, each once.
            numbers, places = np.unique(rows, return_inverse=True)
            return np.asarray(data[numbers])[places]


class _ChunkedRows:
    """Rows in chunks of whole rows without compression, through a map of the file."""

    def __init__(self, path: Path, data: h5py.Dataset) -> None:
        self.shape: tuple[int, ...] = data.shape
        self.dtype: np.dtype[Any] = data.dtype
        self._stored = _StoredRows(path, data)
        self._path, self._name, self._chunk = path, data.name, data.chunks[0]
        self._lock = threading.Lock()
        self._addresses: NDArray[np.int64] | None = None

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[Any]:
        with self._lock:
            if self._addresses is None:
                self._addresses = self._read_addresses()
        if (self._addresses < 0).any():  # chunks that were never written
            return self._stored[rows]
        count, *shape = self.shape
        size = self.dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        chunk, within = np.divmod(np.arange(count)[rows], self._chunk)
        windows = sliding_window_view(np.memmap(self._path, np.uint8, "r"), size)
        try:
            found = windows[self._addresses[chunk] + within * size]
        except IndexError as error:
            reason = f"'{self._name}' reaches beyond the end of the file"
            raise FeaturesError(self._path, reason) from error
        values: NDArray[Any] = found.view(self.dtype).reshape(-1, *shape)
        return values

    def _read_addresses(self) -> NDArray[np.int64]:
        """Return the place of each chunk in the file; -1 if it is not stored."""
        with _opened(self._path, self._name) as data:
            content = np.memmap(self._path, np.uint8, "r")
            rows, places = chunk_addresses(content, data) or _listed_chunks(data)
        addresses = np.full(-(-self.shape[0] // self._chunk), -1, np.int64)
        known = (rows >= 0) & (rows < self.shape[0])
        addresses[rows[known] // self._chunk] = places[known]
        return addresses


def _listed_chunks(
    data: h5py.Dataset,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first row and the address of each chunk, as HDF5 lists them."""
    found = array("q")

    def add(chunk: Any) -> None:
        found.extend((chunk[0][0], chunk[2]))

    data.id.chunk_iter(add)
    rows, places = np.frombuffer(found, np.int64).reshape(-1, 2).T
    return rows, places
