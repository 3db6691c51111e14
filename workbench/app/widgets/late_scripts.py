"""Scripts of a component that the page is sent without."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import param
from panel.custom import JSComponent


class LateScripts(JSComponent):
    """Loads scripts once their URLs are set; `PageHandler` leaves them out of pages."""

    urls = param.List(default=[], doc="URLs relative to the page; empty: none yet.")
    loaded = param.Boolean(default=False, doc="Whether all of them have run.")

    _esm: ClassVar[Path] = Path(__file__).parent / "late_scripts.js"
