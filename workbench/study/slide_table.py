"""The table of slides of a study: naming, merging, and finding slides by content."""

from __future__ import annotations

import math
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import WorkbenchError
from workbench.slide.location import is_url
from workbench.slide.pixel_size import parse_mpp
from workbench.slide.slide import open_slide

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

GIVEN: Final = ("slide", "path", "case", "mpp")
"""Columns with a meaning that the user gives; all others are the user's own."""

FOUND: Final = ("id", "width", "height", "slide_mpp", "problem")
"""Columns that are found by opening each slide."""

PRIORITY: Final = "priority"
"""Column of the user's: slides with the highest number are drawn first."""

_RESERVED: Final = frozenset(("claims", "workers", "control", "analysis.json"))
"""Names beside the run folders."""

_MAX_NAME: Final = 80
_THREADS: Final = 8


@dataclass(frozen=True, slots=True)
class SlideRow:
    """One slide of a study."""

    name: str
    """Name, unique in the study; that of its run folders."""

    path: str
    """Absolute path, or URL."""

    case: str
    """Case or patient; the name of the slide where none was given."""

    mpp: str
    """Micrometres per pixel given by the user; empty: that of the file."""

    id: str
    """Id of the content; empty if the slide could not be opened yet."""

    size: int
    """Area in µm²; 0: unknown."""

    problem: str
    """Why the slide could not be opened when the table was made; empty: it could."""

    priority: float = 0.0
    """The highest is drawn first."""


def slide_rows(table: pd.DataFrame, root: Path) -> list[SlideRow]:
    """Return the slides of a table whose relative paths start at the study `root`."""
    columns = [table[name].tolist() for name in (*GIVEN, *FOUND)]
    rows = []
    for name, path, case, mpp, *found, first in zip(
        *columns, priorities_of(table), strict=True
    ):
        id_, width, height, slide_mpp, problem = found
        known = math.isfinite(slide_mpp)
        size = round(width * height * slide_mpp**2) if known else 0
        place = absolute_path(path, root)
        rows.append(SlideRow(name, place, case or name, mpp, id_, size, problem, first))
    return rows


def priorities_of(table: pd.DataFrame) -> list[float]:
    """Return the priority of each slide; 0 where the table has no number."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    if PRIORITY not in table:
        return [0.0] * len(table)
    numbers = pd.to_numeric(table[PRIORITY], errors="coerce")
    return [float(each) for each in numbers.fillna(0.0)]


def prioritized(table: pd.DataFrame, names: list[str], priority: float) -> pd.DataFrame:
    """Return a table in which slides have another priority."""
    chosen = table["slide"].isin(names)
    kept = zip(chosen, priorities_of(table), strict=True)
    numbers = [priority if is_chosen else number for is_chosen, number in kept]
    return table.assign(**{PRIORITY: numbers})


def absolute_path(path: str, root: Path) -> str:
    """Return the path of a slide as stored in the table, or its URL."""
    return path if is_url(path) else os.path.normpath(root / path)


def stored_path(path: str, root: Path) -> str:
    """Return a path relative to the study if it lies beside or below it.

    So a project folder that holds both can be moved.
    """
    if is_url(path) or not Path(path).is_relative_to(root.parent):
        return path
    return Path(os.path.relpath(path, root)).as_posix()


def merged(known: pd.DataFrame | None, new: pd.DataFrame, root: Path) -> pd.DataFrame:
    """Return the known slides, updated and extended by new rows, without `FOUND`.

    A row is that of a known slide if it has its name or its path. Columns of new rows
    replace those of the known slide; columns that they lack stay.
    """
    import pandas as pd  # noqa: PLC0415 - slow to import

    new = new.drop(columns=[name for name in FOUND if name in new])
    new["path"] = [stored_path(path, root) for path in new["path"]]
    given = new.pop("slide").tolist() if "slide" in new else [""] * len(new)
    new.insert(0, "slide", _names(list(new["path"]), given, known))
    rows: dict[str, dict[str, Any]] = {}
    for row in [*_records(known), *_records(new)]:
        rows[row["slide"]] = {**rows.get(row["slide"], {}), **row}
    return _with_columns(pd.DataFrame(list(rows.values())))


def _records(table: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Return the rows of a table, by column."""
    if table is None:
        return []
    rows = table.to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _names(paths: list[str], given: list[str], known: pd.DataFrame | None) -> list[str]:
    """Return the name of each new row: that of a known slide, or a new one."""
    by_path = (
        {} if known is None else dict(zip(known["path"], known["slide"], strict=True))
    )
    open_names = set(by_path.values())
    taken = {*_RESERVED, *(name.lower() for name in open_names)}
    names = []
    for path, text in zip(paths, given, strict=True):
        name = by_path.get(path, safe_name(str(text)) if text else "")
        if name not in open_names:
            name = _unique(name or safe_name(_stem(path)), path, taken)
        open_names.discard(name)
        names.append(name)
    return names


def _with_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table that has all columns of a study, in their order."""
    for name in GIVEN:
        if name not in table:
            table[name] = ""
        table[name] = table[name].fillna("").astype(str)
    own = [name for name in table if name not in (*GIVEN, *FOUND)]
    return table[[*GIVEN, *own, *(name for name in FOUND if name in table)]]


def safe_name(text: str) -> str:
    """Return a name that every file system allows."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:_MAX_NAME] or "slide"


def _unique(name: str, path: str, taken: set[str]) -> str:
    """Return a name that no other slide has: with the folder or a number, if need be.

    Names that differ by case alone would be one folder on some file systems.
    """
    tried = [name, safe_name(f"{Path(path).parent.name}-{name}")]
    numbered = (f"{name}-{number}" for number in count(2))
    new = next(each for each in chain(tried, numbered) if each.lower() not in taken)
    taken.add(new.lower())
    return new


def _stem(path: str) -> str:
    name = path.rstrip("/").rpartition("/")[2]
    return Path(name).stem


def identified(
    table: pd.DataFrame,
    known: pd.DataFrame | None,
    root: Path,
    progress: Callable[[int, int], None],
) -> pd.DataFrame:
    """Return a table with `FOUND`, opening the slides that are new or have changed.

    A new slide with the content of a known one that is no longer at its path is that
    slide: its row gets the new path.
    """
    import pandas as pd  # noqa: PLC0415 - slow to import

    before = _found_before(known)
    keys = list(zip(table["path"], table["mpp"], strict=True))
    wanted = [key for key in dict.fromkeys(keys) if key not in before]

    def look(key: tuple[str, str]) -> dict[str, Any]:
        return look_at(absolute_path(key[0], root), key[1])

    facts = dict(before)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="study") as pool:
        for done, (key, found) in enumerate(
            zip(wanted, pool.map(look, wanted), strict=True), 1
        ):
            facts[key] = found
            progress(done, len(wanted))
    columns = pd.DataFrame([facts[key] for key in keys], index=table.index)
    table = table.assign(**{name: columns[name] for name in FOUND})
    return table if known is None else _moved(table, set(known["slide"]), root)


def _found_before(known: pd.DataFrame | None) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what was found of slides that could be opened, by path and mpp."""
    return {
        (row["path"], row["mpp"]): {name: row[name] for name in FOUND}
        for row in _records(known)
        if not row["problem"]
    }


def look_at(path: str, mpp: str) -> dict[str, Any]:
    """Return `FOUND` of a slide; a slide that cannot be opened has a problem."""
    try:
        with open_slide(path, mpp=parse_mpp(mpp) if mpp else None) as slide:
            width, height = slide.size
            size = slide.mpp or float("nan")
            return dict(zip(FOUND, (slide.id, width, height, size, ""), strict=True))
    except (WorkbenchError, OSError) as error:
        return dict(zip(FOUND, ("", 0, 0, float("nan"), str(error)), strict=True))


def _moved(table: pd.DataFrame, known: set[str], root: Path) -> pd.DataFrame:
    """Give known slides that are gone from their path the path of their content."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    rows = _records(table)
    gone = {
        _content(row): row
        for row in rows
        if row["slide"] in known and not _is_there(row["path"], root)
    }
    kept = []
    for row in rows:
        old = None if row["slide"] in known else gone.pop(_content(row), None)
        if old is None:
            kept.append(row)
        else:
            old.update(path=row["path"], problem=row["problem"])
    return pd.DataFrame(kept, columns=table.columns)


def _content(row: dict[str, Any]) -> str:
    """Return the id of a slide, or the file name of one that cannot be opened."""
    return str(row["id"] or f"file {Path(row['path']).name}")


def _is_there(path: str, root: Path) -> bool:
    return is_url(path) or Path(absolute_path(path, root)).exists()


def same_content(table: pd.DataFrame) -> list[list[str]]:
    """Return the names of slides that have the same content, for each such content."""
    known = table[(table["id"] != "") & table["id"].duplicated(keep=False)]
    groups = known.groupby("id", sort=False)["slide"].agg(list)
    return [names for names in groups if len(names) > 1]
