"""Writing of SQLite files in one go."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from workbench.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_FAST: Final = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"


@contextmanager
def writing(path: Path, schema: str, end: str) -> Iterator[sqlite3.Connection]:
    """Open a new SQLite file; it has no journal, so a failure leaves it unusable.

    Parameters
    ----------
    path : Path
    schema : str
        Statements before the rows.
    end : str
        Statements after the rows, such as those of indices.

    Raises
    ------
    RunError
        If SQLite refuses a statement, for example because the disk is full.
    """
    path.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            file.executescript(f"{_FAST} {schema} BEGIN;")
            yield file
            file.execute("COMMIT")
            file.executescript(f"BEGIN; {end} COMMIT;")
    except sqlite3.Error as error:
        message = f"'{path}' cannot be written: {error}."
        raise RunError(message, "Choose another place, or make room.") from error
