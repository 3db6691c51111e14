"""Statistics of the instances of all slides, streamed in bounded memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import StudyError
from workbench.instances.writer import KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow.compute
    import pyarrow.dataset

_OF_VALUE: Final = {"mean": "mean", "sd": "stddev", "min": "min", "max": "max"}


def aggregate(
    data: pyarrow.dataset.Dataset,
    by: Sequence[str],
    values: Sequence[str],
    where: pyarrow.compute.Expression | None,
) -> pd.DataFrame:
    """Return counts and statistics of the rows of a data set; see `Study.aggregate`."""
    import pyarrow.acero as ac  # noqa: PLC0415 - slow to import
    import pyarrow.compute as pc  # noqa: PLC0415

    names = data.schema.names
    for name in (*by, *values):
        if name not in names:
            message = f"Instances have no column '{name}'."
            raise StudyError(message, f"They have: {', '.join(names)}.")
    kind = "hash_" if by else ""  # statistics of groups have other names
    wanted: list[tuple[Any, str, Any, str]] = [([], f"{kind}count_all", None, "count")]
    wanted += [
        (name, f"{kind}{function}", None, f"{name}_{word}")
        for name in values
        for word, function in _OF_VALUE.items()
    ]
    columns = {name: pc.field(name) for name in dict.fromkeys((*by, *values))}
    scan = ac.ScanNodeOptions(data, columns=list(columns), filter=where)
    steps = [ac.Declaration("scan", scan)]
    if where is not None:
        steps.append(ac.Declaration("filter", ac.FilterNodeOptions(where)))
    steps += [
        ac.Declaration(
            "project", ac.ProjectNodeOptions(list(columns.values()), list(columns))
        ),
        ac.Declaration("aggregate", ac.AggregateNodeOptions(wanted, keys=list(by))),
    ]
    found = ac.Declaration.from_sequence(steps).to_table()
    table: pd.DataFrame = found.to_pandas()
    table = table[[*by, *(name for name in table if name not in by)]]
    if "class" in by:
        names = _classes(data)
        table["class"] = [names[number] for number in table["class"]]
    return table.sort_values(list(by), ignore_index=True) if by else table


def _classes(data: pyarrow.dataset.Dataset) -> list[str]:
    """Return the names of the classes, which each file has in its metadata."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    metadata = pq.read_metadata(data.files[0]).metadata
    return [str(each) for each in json.loads(metadata[KEY.encode()])["classes"]]
