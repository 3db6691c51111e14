"""What a model said of tiles, as it is kept and as it is painted."""

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


BEGINS: Final = b'{"chunk": '
"""With what every record of answers begins."""


@dataclass(frozen=True, eq=False, slots=True)
class TileResults:
    """What a model said of the tiles of one chunk."""

    chunk: int
    """Its number."""

    tiles: NDArray[np.int64]
    """Numbers of its tiles in the grid, int64 of shape (N,)."""

    values: NDArray[np.float32]
    """float32, shape (N, classes, cells, cells), or more cells where answers reach
    beyond their cores; NaN where a tile has no answer."""

    failures: dict[int, str] = field(default_factory=dict)
    """Why, for each tile that has none."""

    vectors: NDArray[np.float32] | None = None
    """Of an embedding, float32 (N, dimensions); `values` are then their lengths."""

    objects: bytes = b""
    """Of instances, what the tiles claim (`instances/claims_bytes.py`); `values` are
    then their density."""

    def as_vectors(self) -> TileResults:
        """Return answers of one cell as vectors, and their lengths as the values."""
        vectors = self.values[:, :, 0, 0]
        lengths = np.linalg.norm(vectors, axis=1).astype(np.float32)
        return replace(self, values=lengths[:, None, None, None], vectors=vectors)

    def encode(self) -> bytes:
        """Return it as a record of a journal."""
        head = {
            "chunk": self.chunk,
            "shape": self.values.shape,
            "objects": len(self.objects),
            "failures": {str(tile): why for tile, why in self.failures.items()},
        }
        kept = [
            np.ascontiguousarray(self.tiles, "<i8"),
            np.ascontiguousarray(self.values, "<f4"),
        ]
        if self.vectors is not None:
            head["dimensions"] = self.vectors.shape[1]
            kept.append(np.ascontiguousarray(self.vectors, "<f4"))
        data = b"".join(array.tobytes() for array in kept)
        return json.dumps(head).encode() + b"\n" + data + self.objects

    @classmethod
    def decode(cls, record: bytes) -> TileResults:
        """Return what `encode` was given."""
        text, _, data = record.partition(b"\n")
        head = json.loads(text)
        shape, dimensions = head["shape"], head.get("dimensions", 0)
        end = len(data) - head.get("objects", 0)
        data, objects = data[:end], data[end:]
        tiles = np.frombuffer(data, "<i8", shape[0])
        numbers = np.frombuffer(data, "<f4", offset=tiles.nbytes).astype(np.float32)
        values, vectors = np.split(numbers, [math.prod(shape)])
        return cls(
            chunk=head["chunk"],
            tiles=tiles.astype(np.int64),
            values=values.reshape(shape),
            failures={int(tile): why for tile, why in head["failures"].items()},
            vectors=vectors.reshape(-1, dimensions) if dimensions else None,
            objects=objects,
        )


class Raster:
    """The answers to a grid of tiles, painted as they come.

    Parameters
    ----------
    grid : Grid
    classes : int
    cells : int
        Along each side of a tile's core.

    Attributes
    ----------
    values : float32 (classes, rows, columns)
        NaN where there is no answer.
    overview : Mipmap
        The values at coarser cells.
    failures : dict of int to str
        Why a tile has no answer.
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
        """Number of tiles that are answered, those that failed included."""
        return sum(self._sizes.values())

    def paint(self, answers: TileResults) -> None:
        """Put answers in their place; later answers to a tile replace earlier ones."""
        self._place(answers)
        for tile in answers.tiles.tolist():
            self.failures.pop(tile, None)
        self.failures.update(answers.failures)
        self._sizes[answers.chunk] = len(answers.tiles)
        self.version += 1

    def _place(self, answers: TileResults) -> None:
        rows, columns = np.divmod(answers.tiles, self._columns)
        self._by_tile[:, rows, :, columns, :] = answers.values
        within = np.arange(self._cells)
        down = (rows[:, None] * self._cells + within)[:, :, None]
        right = (columns[:, None] * self._cells + within)[:, None, :]
        self.overview.touch(down, right)


def read_answers(journal: Path, start: int = 0) -> Iterator[tuple[int, TileResults]]:
    """Read the answers in a journal, each with the end of its record in the file."""
    for end, record in read_records(journal, start, begins=BEGINS):
        try:
            answers = TileResults.decode(record)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            message = f"'{journal}' holds what is no answer: {error!s:.200}."
            raise RunError(message, "Run again into another folder.") from error
        yield end, answers
