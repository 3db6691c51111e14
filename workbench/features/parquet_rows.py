"""Rows of a Parquet column of vectors, read by row group when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.errors import FeaturesError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class ParquetRows:
    """The vectors in a column of lists of one length.

    Raises
    ------
    FeaturesError
        If the lists differ in length, or hold no numbers.
    """

    def __init__(self, path: Path, column: str) -> None:
        self._path, self._column = path, column
        with pq.ParquetFile(path) as file:
            groups = [
                file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)
            ]
        self._starts = np.concatenate([[0], np.cumsum(groups, dtype=np.int64)])
        first = self._group(0) if groups else np.empty((0, 0), np.float32)
        self.shape = (int(self._starts[-1]), first.shape[1])
        self.dtype: np.dtype[Any] = first.dtype

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[Any]:
        """Return rows, by a slice or by their numbers."""
        numbers = np.arange(self.shape[0])[rows]
        of_group = np.searchsorted(self._starts, numbers, side="right") - 1
        found = np.empty((len(numbers), self.shape[1]), self.dtype)
        for group in np.unique(of_group):
            wanted = of_group == group
            found[wanted] = self._group(group)[numbers[wanted] - self._starts[group]]
        return found

    def _group(self, number: int) -> NDArray[Any]:
        """Return the vectors of a row group."""
        try:
            with pq.ParquetFile(self._path) as file:
                table = file.read_row_group(int(number), columns=[self._column])
            lists = table.column(self._column).combine_chunks()
            lengths = pc.unique(pc.list_value_length(lists)).to_pylist() or [0]
            (length,) = lengths
            values = lists.flatten().to_numpy(zero_copy_only=False)
            return np.asarray(values.reshape(len(lists), length))
        except (OSError, TypeError, ValueError, pa.ArrowException) as error:
            reason = f"'{self._column}' holds no vectors of one length ({error})"
            raise FeaturesError(self._path, reason) from error
