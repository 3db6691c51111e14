"""Detects in the browser that the connection to the server is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Final

import param
from panel.custom import JSComponent

_HERE: Final = Path(__file__).parent

NOWHERE: Final[dict[str, Any]] = {
    "width": 0,
    "height": 0,
    "margin": 0,
    "styles": {"position": "absolute"},
}
"""Layout of a component without a visible part of its own."""


class Connection(JSComponent):
    """Covers the page while its server cannot be reached."""

    alive = param.String("health", doc="URL of health checks, relative to the page.")
    notebook = param.Boolean(default=False, doc="Whether the server is a kernel's.")

    _esm: ClassVar[Path] = _HERE / "connection.js"
    _stylesheets: ClassVar[list[str]] = [(_HERE / "connection.css").read_text()]
