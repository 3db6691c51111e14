"""Files of a study: its record, and its table of slides."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import StudyError
from workbench.system.atomic_files import replace_file
from workbench.system.paths import is_file

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

FORMAT: Final = 1
"""Format version of the study folder; increases on incompatible changes."""

RECORD: Final = "study.json"
SLIDES: Final = "slides.parquet"
PARTS: Final = ("runs", "annotations", "features", "reviews", "reports")
"""Folders of a study."""


def write_table(study: Path, table: pd.DataFrame) -> None:
    """Write the table of slides of a study."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    replace_file(study / SLIDES, buffer.getvalue())


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record of a study.

    Raises
    ------
    StudyError
        If there is none, or it has a newer format.
    """
    file = folder / RECORD
    if not is_file(file):
        message = f"There is no study at '{folder}'."
        raise StudyError(message, "Make one: workbench study make SLIDES --out FOLDER.")
    try:
        record = dict(json.loads(file.read_text(encoding="utf-8")))
        found = record["format"], str(record["name"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = f"'{file}' cannot be read: {error!r}."
        raise StudyError(message, "Restore it, or make the study again.") from error
    if found[0] != FORMAT:
        message = f"'{folder}' is a study of format {found[0]}, not {FORMAT}."
        raise StudyError(message, "Open it with the version that wrote it.")
    return record
