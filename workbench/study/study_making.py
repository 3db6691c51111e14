"""Making studies from slides, and updating them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import StudyError
from workbench.study.slide_listing import slides_below
from workbench.study.slide_table import identified, merged
from workbench.study.study import Study, open_study
from workbench.study.study_record import FORMAT, PARTS, RECORD, write_table
from workbench.study.table_file import TABLES, checked_table, read_table
from workbench.study.written import written_now
from workbench.system.atomic_files import replace_file
from workbench.system.paths import is_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd


def make_study(
    path: str | os.PathLike[str],
    slides: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | pd.DataFrame,
    *,
    within: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Study:
    """Make a study from slides, or update the one that is there.

    Made again on the same folder, rows with the name or path of a known slide update
    its columns, new slides are added, and a known slide that is gone from its path is
    found again by its content. Nothing is removed.

    Parameters
    ----------
    path : path
        Folder of the study; a new or empty one, or a study.
    slides : path, sequence of path or DataFrame
        A folder, searched with its subfolders; a table (CSV, Parquet, a list of TRIDENT
        or CLAM, a project of QuPath); slides; or a table in memory. A table has the
        column `path` (or `wsi`, `slide_id`, `filename`, `file`, `image`, `url`), and
        may have `slide` (a name), `case`, `mpp` and any other.
    within : path, optional
        Folder in which relative paths of a table are looked for. Default: that of the
        file of the table, or the working directory.
    progress : callable, optional
        Called with the number of slides looked at, and of all.

    Returns
    -------
    Study
        A slide that cannot be opened is kept, with its `problem`.

    Raises
    ------
    StudyError
        If the table cannot be used, there are no slides, or the folder holds other
        files.

    Examples
    --------
    >>> study = wb.make_study("study", ["slide.tif", "other.tif"])
    >>> study.slides["slide"].tolist()
    ['slide', 'other']
    """
    root = Path(path).absolute()
    known = open_study(root).slides if is_file(root / RECORD) else None
    if known is None:
        _check_empty(root)
    place = None if within is None else Path(within).absolute()
    table = merged(known, _table_of(slides, root, place), root)
    table = identified(table, known, root, progress or (lambda *_: None))
    for name in PARTS:
        (root / name).mkdir(parents=True, exist_ok=True)
    write_table(root, table)
    if known is None:  # the last: a study is there once its record is
        record = {"format": FORMAT, "name": root.name, **written_now()}
        replace_file(root / RECORD, json.dumps(record, indent=2).encode())
    return Study(root)


def _table_of(slides: Any, root: Path, within: Path | None) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - slow to import

    if isinstance(slides, pd.DataFrame):
        return checked_table(slides.copy(), "the table", within or Path.cwd())
    if isinstance(slides, str | os.PathLike):
        source = Path(slides).absolute()
        if source.suffix.lower() in TABLES and source.is_file():
            return read_table(source, within)
        found = [str(each) for each in slides_below(source)]
        found = [each for each in found if not Path(each).is_relative_to(root)]
        if not found:
            message = f"There are no slides at '{slides}'."
            raise StudyError(
                message, "Give a folder with slides, or a table of slides."
            )
    else:
        found = [os.fspath(each) for each in slides]
    paths = pd.DataFrame({"path": found})
    return checked_table(paths, "the list", within or Path.cwd())


def _check_empty(root: Path) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        message = f"'{root}' holds other files."
        raise StudyError(message, "Choose a new or empty folder for the study.")
