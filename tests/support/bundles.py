"""Whether the browser's bundles are made of its modules as they are."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_DIGEST = re.compile(r"sha256 of them: (\w{64})$", re.MULTILINE)
_MODULE = re.compile(r"^\s*// workbench/\S*/(\w+\.js)$", re.MULTILINE)


def stale(root: Path) -> list[str]:
    """Return the names of bundles to make anew, as `scripts/bundle.mjs` would."""
    app = root / "workbench" / "app"
    bundles = sorted((app / "bundles").glob("*.js"))
    if not bundles:
        message = f"{app} has no bundles"
        raise FileNotFoundError(message)
    modules = {
        path.name: path.read_bytes()
        for path in app.rglob("*.js")
        if path.parent.name != "bundles"
    }
    return [path.name for path in bundles if not _is_current(path, modules)]


def _is_current(bundle: Path, modules: dict[str, bytes]) -> bool:
    text = bundle.read_text()
    names = sorted(set(_MODULE.findall(text)))
    whole = b"".join(modules.get(name, b"") for name in names)
    told = _DIGEST.search(text)
    return told is not None and told[1] == hashlib.sha256(whole).hexdigest()
