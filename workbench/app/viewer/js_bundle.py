"""Reads the JavaScript bundles: a component of Panel takes a single file.

`make bundles` builds them with esbuild and they are committed, so that neither the
installation nor the app needs Node.js (docs/decisions/010-browser-bundles.md).
"""

from __future__ import annotations

from importlib.resources import files


def bundle(name: str) -> str:
    """Return a bundle: a module with everything that it imports.

    Parameters
    ----------
    name : str
        Name in `scripts/bundle.mjs`: "stage", "tunnel" or "cell".

    Raises
    ------
    FileNotFoundError
        If there is no such bundle.
    """
    file = files("workbench.app") / "bundles" / f"{name}.js"
    return file.read_text(encoding="utf-8")
