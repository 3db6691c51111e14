"""Any table of tiles in CSV or Parquet, among them the one that we export."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from workbench.errors import FeaturesError
from workbench.features.columns import from_columns

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.features.stored import Request, StoredFeatures

VECTOR: Final = "vector"
"""Column of vectors: lists of numbers of one length."""


def read(path: Path, _: Request) -> StoredFeatures:
    """Read coordinates, scores and the column of vectors."""
    try:
        table, layout = _table(path)
    except (OSError, pa.ArrowException) as error:
        reason = f"it is damaged or was not written completely ({error})"
        raise FeaturesError(path, reason) from error
    facts = _metadata(table)
    columns = {
        name: _plain(table.column(name))
        for name in table.column_names
        if not pa.types.is_nested(table.schema.field(name).type)
    }
    stored = from_columns(path, layout, columns, facts)
    if VECTOR in table.column_names:
        stored = replace(stored, vectors=_vectors(path, table.column(VECTOR)))
    return replace(stored, encoder=str(facts.get("model", "")), mpp=facts.get("mpp"))


def _table(path: Path) -> tuple[pa.Table, str]:
    if path.suffix.lower() == ".parquet":
        return pq.read_table(path, memory_map=True), "table (Parquet)"
    return pyarrow.csv.read_csv(path), "table (CSV)"


def _plain(column: pa.ChunkedArray) -> NDArray[Any]:
    return np.asarray(column.to_numpy())


def _vectors(path: Path, column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column of lists of one length as an array (N, D)."""
    if not pa.types.is_fixed_size_list(column.type):
        lengths = pa.compute.unique(pa.compute.list_value_length(column)).to_pylist()
        if len(lengths) > 1 or not pa.types.is_list(column.type):
            raise FeaturesError(path, "its vectors differ in length or are no lists")
        column = column.cast(pa.list_(column.type.value_type, (lengths or [0])[0]))
    if column.null_count:
        raise FeaturesError(path, f"{column.null_count:,} of its vectors are missing")
    size = column.type.list_size
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(
        [np.empty(0, parts[0].dtype if parts else float), *parts]
    ).reshape(-1, size)


def _metadata(table: pa.Table) -> dict[str, Any]:
    """Return the metadata that our export writes."""
    stored = (table.schema.metadata or {}).get(b"workbench", b"{}")
    try:
        found = json.loads(stored)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
