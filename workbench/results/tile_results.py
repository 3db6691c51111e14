"""Results of tiles: their records in the journal, and the raster made of them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import RunError
from workbench.results.mipmap import Mipmap
from workbench.system.append_log import read_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.tiling.grid import Grid


RECORD_PREFIX: Final = b'{"chunk": '
"""First bytes of each record in the journal."""


@dataclass(frozen=True, eq=False, slots=True)
class TileResults:
    """Results of the tiles of one chunk."""

    chunk: int
    """Number of the chunk."""

    tiles: NDArray[np.int64]
    """Numbers of the tiles in the grid, int64 of shape (N,)."""

    values: NDArray[np.float32]
    """float32, shape (N, classes, cells, cells), or more cells where results reach
    beyond their cores; NaN where a tile has no result."""

    failures: dict[int, str] = field(default_factory=dict)
    """Reason for each tile without a result."""

    vectors: NDArray[np.float32] | None = None
    """Vectors of an embedding, float32 (N, dimensions); `values` are their lengths."""

    claims: bytes = b""
    """Encoded claims of the tiles (`instances/stitching/codec.py`), for a model of
    instances; `values` are then their density."""

    def as_vectors(self) -> TileResults:
        """Return results of one cell as vectors, with their lengths as the values."""
        vectors = self.values[:, :, 0, 0]
        lengths = np.linalg.norm(vectors, axis=1).astype(np.float32)
        return replace(self, values=lengths[:, None, None, None], vectors=vectors)

    def encode(self) -> bytes:
        """Return the record for the journal."""
        head = {
            "chunk": self.chunk,
            "shape": self.values.shape,
            "objects": len(self.claims),
            "failures": {str(tile): reason for tile, reason in self.failures.items()},
        }
        arrays = [
            np.ascontiguousarray(self.tiles, "<i8"),
            np.ascontiguousarray(self.values, "<f4"),
        ]
        if self.vectors is not None:
            head["dimensions"] = self.vectors.shape[1]
            arrays.append(np.ascontiguousarray(self.vectors, "<f4"))
        data = b"".join(array.tobytes() for array in arrays)
        return json.dumps(head).encode() + b"\n" + data + self.claims

    @classmethod
    def decode(cls, record: bytes) -> TileResults:
        """Return the results in a record of `encode`."""
        text, _, data = record.partition(b"\n")
        head = json.loads(text)
        shape, dimensions = head["shape"], head.get("dimensions", 0)
        end = len(data) - head.get("objects", 0)
        data, claims = data[:end], data[end:]
        tiles = np.frombuffer(data, "<i8", shape[0])
        numbers = np.frombuffer(data, "<f4", offset=tiles.nbytes).astype(np.float32)
        values, vectors = np.split(numbers, [math.prod(shape)])
        return cls(
            chunk=head["chunk"],
            tiles=tiles.astype(np.int64),
            values=values.reshape(shape),
            failures={int(tile): reason for tile, reason in head["failures"].items()},
            vectors=vectors.reshape(-1, dimensions) if dimensions else None,
            claims=claims,
        )


class Raster:
    """A raster of the results of a grid of tiles, filled chunk by chunk.

    Parameters
    ----------
    grid : Grid
    classes : int
    cells : int
        Number of cells along each side of a tile's core.

    Attributes
    ----------
    values : float32 (classes, rows, columns)
        NaN where there is no result.
    overview : Mipmap
        Values at coarser cells.
    failures : dict of int to str
        Reason for each tile without a result.
    """

    def __init__(self, grid: Grid, classes: int, cells: int) -> None:
        self.values = np.full(
            (classes, grid.rows * cells, grid.columns * cells), np.nan, np.float32
        )
        self.overview = Mipmap(self.values)
        self.failures: dict[int, str] = {}
        self.version = 0
        self._cells = cells
        self._columns = grid.columns
        self._by_tile = self.values.reshape(
            classes, grid.rows, cells, grid.columns, cells
        )
        self._sizes: dict[int, int] = {}

    @property
    def tiles_done(self) -> int:
        """Number of processed tiles, including failed ones."""
        return sum(self._sizes.values())

    def paint(self, results: TileResults) -> None:
        """Add results; later results of a tile replace earlier ones."""
        self._put(results)
        for tile in results.tiles.tolist():
            self.failures.pop(tile, None)
        self.failures.update(results.failures)
        self._sizes[results.chunk] = len(results.tiles)
        self.version += 1

    def _put(self, results: TileResults) -> None:
        rows, columns = np.divmod(results.tiles, self._columns)
        self._by_tile[:, rows, :, columns, :] = results.values
        within = np.arange(self._cells)
        down = (rows[:, None] * self._cells + within)[:, :, None]
        right = (columns[:, None] * self._cells + within)[:, None, :]
        self.overview.touch(down, right)


def read_tile_results(
    journal: Path, start: int = 0
) -> Iterator[tuple[int, TileResults]]:
    """Yield the results in a journal, each with the end of its record in the file."""
    for end, record in read_records(journal, start, begins=RECORD_PREFIX):
        try:
            results = TileResults.decode(record)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            message = f"'{journal}' holds a record that is no result: {error!s:.200}."
            raise RunError(message, "Run again into another folder.") from error
        yield end, results
