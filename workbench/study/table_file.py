"""Tables of slides from files: CSV, Parquet, and the lists of other tools.

Read are CSV with any separator, Parquet, the lists of TRIDENT (`wsi`, `mpp`) and CLAM
(`slide_id`, `case_id`, `label`), and the projects of QuPath.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import OutOfBoundsError, StudyError
from workbench.slide.location import is_url, local_files
from workbench.slide.pixel_size import parse_mpp
from workbench.study.slide_listing import SUFFIXES

if TYPE_CHECKING:
    import pandas as pd

QUPATH: Final = ".qpproj"
TABLES: Final = (".csv", ".tsv", ".txt", ".parquet", QUPATH)
"""Suffixes of files that are read as tables; any other file is a slide."""

_PATHS: Final = ("path", "wsi", "slide_id", "filename", "file", "image", "url", "slide")
"""Columns with the path of a slide, the first that there is."""

_CASES: Final = ("case", "case_id", "patient", "patient_id")
_MOST_BYTES: Final = 1 << 30
_MOST_ROWS: Final = 1_000_000
_NUMBER: Final = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|[+-]?\.\d+")
"""A number in a CSV; 007 is none, because it names something."""


def read_table(file: Path, within: Path | None = None) -> pd.DataFrame:
    """Return a table of slides with the columns `path` and, if given, `slide`, `case`.

    Parameters
    ----------
    file : Path
        CSV, Parquet, or a project of QuPath (.qpproj).
    within : Path, optional
        Folder in which relative paths, and names without a suffix, are looked for. By
        default that of the file.

    Returns
    -------
    DataFrame
        A row per slide; paths are absolute, or URLs. Other columns are the user's:
        numbers where every value is one, otherwise text.

    Raises
    ------
    StudyError
        If the file cannot be read, or a row has no usable path or mpp.
    """
    try:
        too_large = file.stat().st_size > _MOST_BYTES
    except OSError as error:
        raise _unusable(file, error.strerror or str(error)) from error
    if too_large:
        raise _unusable(file, f"it is larger than {_MOST_BYTES >> 20} MB")
    if file.suffix.lower() == QUPATH:
        table = _read_qupath(file)
    elif file.suffix.lower() == ".parquet":
        table = _read_parquet(file)
    else:
        table = _read_csv(file)
    return checked_table(table, file, within or file.parent)


def checked_table(table: pd.DataFrame, source: object, within: Path) -> pd.DataFrame:
    """Return a table with the columns of a study, after all rows were checked.

    Raises
    ------
    StudyError
        As `read_table`.
    """
    table = table.rename(columns=lambda name: str(name).strip())
    if doubled := _repeated(list(table.columns)):
        raise _unusable(source, f"it has two columns '{doubled}'")
    column = next((name for name in _PATHS if name in table), None)
    if column is None:
        wanted = ", ".join(f"'{name}'" for name in _PATHS)
        raise _unusable(
            source, "no column has the path of a slide", f"Name it {wanted}."
        )
    if not 0 < len(table) <= _MOST_ROWS:
        raise _unusable(source, f"it has {len(table):,} rows")
    given = [_text(value) for value in table[column]]
    if "" in given:
        raise _unusable(source, f"row {given.index('') + 1} has no '{column}'")
    table = table.drop(columns=[column])
    table.insert(0, "path", [_located(each, within) for each in given])
    if doubled := _repeated(list(table["path"])):
        raise _unusable(source, f"two rows name '{doubled}'")
    case = next((name for name in _CASES if name in table), None)
    if case is not None:
        table["case"] = [_text(value) for value in table[case]]
    if "mpp" in table:
        table["mpp"] = [
            _checked_mpp(_text(value), source, row)
            for row, value in enumerate(table["mpp"], 1)
        ]
    return table


def _read_csv(file: Path) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - slow to import

    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            head = lines.readline()
            lines.seek(0)
            separator = max(",;\t", key=head.count)
            names, *rows = csv.reader(lines, delimiter=separator)
    except UnicodeDecodeError as error:
        remedy = "Save it as UTF-8 ('CSV UTF-8' in Excel)."
        raise _unusable(file, "it is not UTF-8", remedy) from error
    except (OSError, ValueError, csv.Error) as error:
        reason = "it is empty" if isinstance(error, ValueError) else str(error)
        raise _unusable(file, reason) from error
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            reason = f"row {number} has {len(row)} cells, the first line {len(names)}"
            raise _unusable(file, reason)
    names = [name.strip() for name in names]
    table = pd.DataFrame(rows, columns=pd.Index(names), dtype=object)
    if not _repeated(names):
        for name in set(names) - {*_PATHS, *_CASES, "mpp"}:
            table[name] = _typed(table[name])
    return table


def _typed(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of numbers if each value is one or missing, otherwise of text."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    texts = column.str.strip()
    given = texts[texts != ""]
    if (
        not len(given)
        or not given.map(lambda text: bool(_NUMBER.fullmatch(text))).all()
    ):
        return texts
    return pd.to_numeric(texts.where(texts != "", None))


def _read_parquet(file: Path) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - slow to import

    try:
        return pd.read_parquet(file)
    except Exception as error:  # pyarrow raises many
        raise _unusable(file, f"it is no table of Parquet ({error})") from error


def _read_qupath(file: Path) -> pd.DataFrame:
    """Return name, path and metadata of each image of a project of QuPath."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    try:
        images = json.loads(file.read_text(encoding="utf-8"))["images"]
        rows = [
            {
                **{str(k): str(v) for k, v in (image.get("metadata") or {}).items()},
                "slide": str(image.get("imageName", "")),
                "path": _uri_of(image["serverBuilder"]),
            }
            for image in images
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unusable(file, f"it is no project of QuPath ({error!r})") from error
    return pd.DataFrame(rows).fillna("")


def _uri_of(builder: Any) -> str:
    """Return the first address in a builder, which may wrap another (a rotation)."""
    while isinstance(builder, dict) and "uri" not in builder:
        builder = builder["builder"]
    address = str(builder["uri"])
    return re.sub(r"^file:/(?!/)", "file:///", address)


def _located(path: str, within: Path) -> str:
    """Return an absolute path, or a URL; a name may lack its suffix, as in CLAM's."""
    if path.startswith("file:"):
        return local_files(path)[0]
    if is_url(path):
        return path
    whole = within / Path(path).expanduser()
    if whole.exists() or whole.suffix.lower() in SUFFIXES:
        return str(whole.absolute())
    named = (whole.with_name(whole.name + suffix) for suffix in sorted(SUFFIXES))
    return str(next((each for each in named if each.exists()), whole).absolute())


def _checked_mpp(text: str, source: object, row: int) -> str:
    try:
        return text if not text or parse_mpp(text) else ""
    except OutOfBoundsError as error:
        message = error.message.rstrip(".")
        raise _unusable(source, f"row {row}: {message}", error.remedy) from error


def _text(value: Any) -> str:
    """Return a cell as text; empty if it has no value."""
    return "" if value is None or value != value else str(value).strip()  # noqa: PLR0124 - NaN


def _repeated(values: list[str]) -> str:
    seen: set[str] = set()
    return next((each for each in values if each in seen or seen.add(each)), "")  # type: ignore[func-returns-value]


def _unusable(source: object, reason: str, remedy: str = "") -> StudyError:
    message = f"'{source}' cannot be used as a table of slides: {reason}."
    return StudyError(message, remedy or "Correct it and try again.")
