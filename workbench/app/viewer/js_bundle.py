"""The browser's modules as bundles: a component of Panel takes a single file.

`make bundles` makes them with esbuild and they are committed, so that neither an
installation nor a start needs Node.js (docs/decisions/010-browser-bundles.md).
"""

from __future__ import annotations

from importlib.resources import files


def bundle(name: str) -> str:
    """Return a bundle: one module with all that it imports.

    Parameters
    ----------
    name : str
        As in `scripts/bundle.mjs`: "stage", "tunnel" or "cell".

    Raises
    ------
    FileNotFoundError
        If there is no such bundle.
    """
    file = files("workbench.app") / "bundles" / f"{name}.js"
    return file.read_text(encoding="utf-8")
