"""Any table of tiles in CSV or Parquet, among them the one that we export."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from workbench.errors import FeaturesError
from workbench.features.columns import from_columns
from workbench.features.parquet_rows import ParquetRows

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.features.stored import Request, StoredFeatures

VECTOR: Final = "vector"
"""Column of vectors: lists of numbers of one length, in Parquet."""


def read(path: Path, _: Request) -> StoredFeatures:
    """Read coordinates and scores; vectors are read when they are used."""
    try:
        if path.suffix.lower() == ".csv":
            return from_columns(
                path, "table (CSV)", _flat(pyarrow.csv.read_csv(path)), {}
            )
        schema = pq.read_schema(path)
        plain = [each.name for each in schema if not pa.types.is_nested(each.type)]
        columns = _flat(pq.read_table(path, columns=plain))
    except (OSError, pa.ArrowException) as error:
        reason = f"it is damaged or was not written completely ({error})"
        raise FeaturesError(path, reason) from error
    facts = _metadata(schema)
    stored = from_columns(path, "table (Parquet)", columns, facts)
    if VECTOR in schema.names:
        stored = replace(stored, vectors=ParquetRows(path, VECTOR))
    return replace(stored, encoder=str(facts.get("model", "")), mpp=facts.get("mpp"))


def _flat(table: pa.Table) -> dict[str, NDArray[Any]]:
    """Return the columns of a table as arrays."""
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _metadata(schema: pa.Schema) -> dict[str, Any]:
    """Return the metadata that our export writes."""
    try:
        found = json.loads((schema.metadata or {}).get(b"workbench", b"{}"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
