"""Tables of slides that verbs take: CSV files with a row per slide."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def read_columns(table: Path, names: Sequence[str]) -> list[list[str]]:
    """Return columns of a table, one list for each name.

    Raises
    ------
    click.BadParameter
        If a row has no value in one of them.
    """
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, 1):
        missing = [name for name in names if not row.get(name)]
        if missing:
            message = f"row {number} of '{table}' has no '{missing[0]}'"
            raise click.BadParameter(message, param_hint="TABLE")
    return [[row[name] for row in rows] for name in names]
