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
    r'^import (?P<names>\{[^}]*\}) from "\./(?P<file>[\w-]+)\.js";$', re.MULTILINE
)
_EXPORT: Final = re.compile(
    r"^export (?=(?:async )?(?:const|class|function\*?) (?P<name>\w+))", re.MULTILINE
)


def bundle(entry: Path) -> str:
    """Return a module with all that it imports from its own folder, as one module.

    Every file is there once, after those that it imports, in a scope of its own. What
    is understood is what these files need: `import { a, b } from "./file.js";`, and
    `export` before a const, class or function.

    Parameters
    ----------
    entry : Path
        The file that the others are imported from; it keeps its exports.

    Raises
    ------
    FileNotFoundError
        If one of them is not there.
    """
    bodies: dict[Path, str] = {}
    _visit(entry, bodies)
    main = bodies.pop(entry)
    return "\n".join([*(_scope(path, text) for path, text in bodies.items()), main])


def _visit(path: Path, bodies: dict[Path, str]) -> None:
    if path in bodies:
        return
    text = path.read_text(encoding="utf-8")
    for found in _IMPORT.finditer(text):
        _visit(path.parent / f"{found['file']}.js", bodies)
    bodies[path] = _IMPORT.sub(
        lambda found: f"const {found['names']} = module_{found['file']};", text
    )


def _scope(path: Path, text: str) -> str:
    """Return a module as an expression that gives what it exports."""
    names = ", ".join(found["name"] for found in _EXPORT.finditer(text))
    body = _EXPORT.sub("", text)
    return (
        f"const module_{path.stem} = (() => {{\n{body}\nreturn {{ {names} }};\n}})();"
    )
