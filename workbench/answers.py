"""What a model said of tiles, as it is kept and as it is painted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from workbench.journal import read_records
from workbench.overview import Overview

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.grid import Grid


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """What a model said of the tiles of one chunk."""

    chunk: int
    """Its number."""

    tiles: NDArray[np.int64]
    """Numbers of its tiles in the grid, int64 of shape (N,)."""

    values: NDArray[np.float32]
    """float32, shape (N, classes, cells, cells); NaN where a tile has no answer."""

    failures: dict[int, str] = field(default_factory=dict)
    """Why, for each tile that has none."""

    def encode(self) -> bytes:
        """Return it as a record of a journal."""
        head = {
            "chunk": self.chunk,
            "shape": self.values.shape,
            "failures": {str(tile): why for tile, why in self.failures.items()},
        }
        tiles = np.ascontiguousarray(self.tiles, "<i8").tobytes()
        values = np.ascontiguousarray(self.values, "<f4").tobytes()
        return json.dumps(head).encode() + b"\n" + tiles + values

    @classmethod
    def decode(cls, record: bytes) -> Answers:
        """Return what `encode` was given."""
        text, _, data = record.partition(b"\n")
        head = json.loads(text)
        tiles = np.frombuffer(data, "<i8", head["shape"][0])
        values = np.frombuffer(data, "<f4", offset=tiles.nbytes)
        return cls(
            chunk=head["chunk"],
            tiles=tiles.astype(np.int64),
            values=values.astype(np.float32).reshape(head["shape"]),
            failures={int(tile): why for tile, why in head["failures"].items()},
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
    overview : Overview
        The values at coarser cells.
    failures : dict of int to str
        Why a tile has no answer.
    """

    def __init__(self, grid: Grid, classes: int, cells: int) -> None:
        self.values = np.full(
            (classes, grid.rows * cells, grid.columns * cells), np.nan, np.float32
        )
        self.overview = Overview(self.values)
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

    def paint(self, answers: Answers) -> None:
        """Put answers in their place; later answers to a tile replace earlier ones."""
        rows, columns = np.divmod(answers.tiles, self._columns)
        self._by_tile[:, rows, :, columns, :] = answers.values
        self._touch(rows, columns)
        for tile in answers.tiles.tolist():
            self.failures.pop(tile, None)
        self.failures.update(answers.failures)
        self._sizes[answers.chunk] = len(answers.tiles)
        self.version += 1

    def _touch(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        within = np.arange(self._cells)
        down = (rows[:, None] * self._cells + within)[:, :, None]
        right = (columns[:, None] * self._cells + within)[:, None, :]
        self.overview.touch(down, right)


def read_answers(journal: Path, start: int = 0) -> Iterator[tuple[int, Answers]]:
    """Read the answers in a journal, each with the end of its record in the file."""
    for end, record in read_records(journal, start):
        yield end, Answers.decode(record)
