"""JavaScript modules in one: a component of Panel takes a single file.

The files are modules as they stand, so that editors and linters understand them. No
build step: they are put together when Python imports the component.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_IMPORT: Final = re.compile(
    r'^import \{[^}]*\} from "\./(?P<name>[\w-]+\.js)";\n', re.MULTILINE
)
_EXPORT: Final = re.compile(r"^export (?=const|class|function|async)", re.MULTILINE)


def bundle(entry: Path) -> str:
    """Return a module with all that it imports from its own folder, as one module.

    Every file is there once, after those that it imports. They come to share one
    scope, so a name at the top of one file must not be at the top of another.

    Parameters
    ----------
    entry : Path
        Keeps its exports; the other files lose theirs.

    Raises
    ------
    FileNotFoundError
        If one of them is not there.
    """
    seen: dict[Path, str] = {}
    _visit(entry, seen)
    main = seen.pop(entry)
    return "\n".join([*(_EXPORT.sub("", text) for text in seen.values()), main])


def _visit(path: Path, seen: dict[Path, str]) -> None:
    if path in seen:
        return
    text = path.read_text(encoding="utf-8")
    for found in _IMPORT.finditer(text):
        _visit(path.parent / found["name"], seen)
    seen[path] = _IMPORT.sub("", text)
