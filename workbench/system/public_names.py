"""Public names of a package, listed in its `__init__.pyi` and imported when used."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import lazy_loader

if TYPE_CHECKING:
    from collections.abc import Callable

RENAMED: Final = {
    "workbench.export.export_scores": "export_run",
    "workbench.normalize_each": "normalize_images",
    "workbench.summarise": "summarize",
}
"""Former public names, with what they are called now; each is kept for one version."""


def public_names(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package.

    `dir()` lists the public names alone. A former name still works, with a
    DeprecationWarning.

    Parameters
    ----------
    package : str
        `__name__` of the package.
    file : str
        `__file__` of the package; the stub beside it, `__init__.pyi`, lists the names.
    """
    find, listed, names = lazy_loader.attach_stub(package, file)

    def find_renamed(name: str) -> Any:
        now = RENAMED.get(f"{package}.{name}")
        if now is None:
            return find(name)
        message = f"{package}.{name} is now {package}.{now}"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return find(now)

    return find_renamed, listed, names
