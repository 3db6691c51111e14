"""Vectors of tiles as a Zarr group that other programs can read."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import zarr

from workbench.results.embeddings import Embeddings
from workbench.results.scores_zarr import part_of
from workbench.system.atomic_files import disk_errors, replace_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.results.tile_results import TileResults
    from workbench.tiling.grid import Grid

_ROWS: Final = 4096
"""Vectors in each chunk of the array."""


def write_vectors(
    path: Path,
    results: Iterable[TileResults],
    tiles: NDArray[np.int64],
    grid: Grid,
    attributes: Mapping[str, Any],
) -> None:
    """Write the vectors of tiles, in the order of their numbers.

    They are written to a temporary folder that is moved into place: a kill may leave a
    folder `path` + ".part", or none, but never a partial one. The vectors are never
    all in memory.

    Parameters
    ----------
    path : Path
        Folder of a Zarr group with `vectors` float32 (N, dimensions), NaN where a
        tile has none, `tiles` int64 (N,) and `boxes` int64 (N, 4) in level-0 pixels.
    results : iterable of TileResults
        Results in any order; later ones of a tile replace earlier ones.
    tiles : int64 (N,)
        Numbers of the selected tiles.
    attributes : mapping
        Description of the vectors, ready for JSON, with "dimensions".

    Raises
    ------
    RunFolderError
        If writing fails.
    """
    part = part_of(path)
    tiles = np.sort(tiles)
    shape = (len(tiles), int(attributes["dimensions"]))
    with disk_errors(part), tempfile.TemporaryFile(dir=path.parent) as space:
        rows = _RowFile(space, shape)
        for each in results:
            if each.vectors is not None:
                rows.write(np.searchsorted(tiles, each.tiles), each.vectors)
        shutil.rmtree(part, ignore_errors=True)
        group = zarr.create_group(store=part, attributes=dict(attributes))
        array = group.create_array(
            "vectors",
            shape=shape,
            dtype="float32",
            chunks=(max(1, min(_ROWS, shape[0])), shape[1]),
            fill_value=np.nan,
            dimension_names=("tile", "dimension"),
        )
        for start, vectors in rows.blocks():
            array[start : start + len(vectors)] = vectors
        boxes = Embeddings(tiles, np.empty(shape, np.float32), grid).boxes
        for name, values in (("tiles", tiles), ("boxes", boxes)):
            group.create_array(name, data=values)
    replace_folder(part, path)


def read_vectors(path: Path, grid: Grid, version: int) -> Embeddings:
    """Return the vectors in a group, without those of failed tiles.

    Raises
    ------
    OSError, ValueError or KeyError
        If they are missing or damaged.
    """
    group = zarr.open_group(path, mode="r")
    vectors = np.asarray(group["vectors"][:], np.float32)
    tiles = np.asarray(group["tiles"][:], np.int64)
    finite = np.isfinite(vectors).all(axis=1)
    return Embeddings(tiles[finite], vectors[finite], grid, version)


def gather_vectors(
    chunks: Iterable[TileResults], grid: Grid, version: int
) -> Embeddings:
    """Return the vectors in results; later ones of a tile replace earlier ones."""
    by_tile = {
        tile: vector
        for results in chunks
        if results.vectors is not None
        for tile, vector in zip(results.tiles.tolist(), results.vectors, strict=True)
    }
    numbers = np.array(
        sorted(t for t, v in by_tile.items() if np.isfinite(v).all()), int
    )
    vectors = [by_tile[tile] for tile in numbers.tolist()]
    stacked = np.stack(vectors) if vectors else np.empty((0, 0), np.float32)
    return Embeddings(numbers, stacked, grid, version)


class _RowFile:
    """Vectors in a temporary file, by row; NaN where none was written.

    Read and written by blocks. As a memory map, all of its pages would count as memory
    of the process, and writing to one would kill it if the disk is full.
    """

    def __init__(self, file: Any, shape: tuple[int, int]) -> None:
        self._file, self.shape = file, shape
        self._width = 4 * shape[1]
        for start in range(0, shape[0], _ROWS):
            rows = min(_ROWS, shape[0] - start)
            file.write(np.full((rows, shape[1]), np.nan, np.float32))

    def write(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Write vectors, float32 (N, dimensions), at rows in any order."""
        order = np.argsort(rows, kind="stable")
        rows, vectors = rows[order], vectors[order]
        ends = [*(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        start = 0
        for end in ends:  # rows without a gap
            if end > start:
                self._file.seek(int(rows[start]) * self._width)
                self._file.write(np.ascontiguousarray(vectors[start:end], np.float32))
            start = end

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the first row and the vectors of each block."""
        for start in range(0, self.shape[0], _ROWS):
            rows = min(_ROWS, self.shape[0] - start)
            self._file.seek(start * self._width)
            stored = self._file.read(rows * self._width)
            yield start, np.frombuffer(stored, np.float32).reshape(rows, -1)
